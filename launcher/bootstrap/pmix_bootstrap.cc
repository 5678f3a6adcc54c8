#include "launcher/bootstrap/pmix_bootstrap.h"

#include "launcher/bootstrap/arrival_wait.h"
#include "launcher/bootstrap/pmix_fence.h"
#include "launcher/bootstrap/pmix_gets.h"
#include "launcher/bootstrap/sibling_watch.h"
#include "runtime/base/log.h"
#include "runtime/base/waiter.h"

#include <pmix.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace canopy {
namespace {

// mpirun 4.1 sends SIGKILL 2 s after an abort; past this the launcher will not end us any more.
constexpr std::chrono::seconds kAbortGrace{3};

// Stands before every card, so that an empty card is not an empty byte object, which some versions
// of PMIx do not carry.
constexpr char kCardMark = 'c';

// Children of a PE in the tree of arrivals. A level costs a parent one trip to the server per child
// and one to say so.
constexpr int kChildren = 4;

std::string key_of(std::string_view kind, uint64_t generation) {
  return fmt::format("canopy.{}.{}", kind, generation);
}

std::vector<int> children_of(int pe, int n_pes) {
  std::vector<int> children;
  for (int64_t child = int64_t{pe} * kChildren + 1;
       child <= int64_t{pe} * kChildren + kChildren && child < n_pes; ++child) {
    children.push_back(static_cast<int>(child));
  }
  return children;
}

}  // namespace

Result<std::unique_ptr<Bootstrap>> PmixBootstrap::create() {
  CANOPY_ASSIGN(auto session, PmixSession::open());
  return std::make_unique<PmixBootstrap>(std::move(session));
}

PmixBootstrap::PmixBootstrap(std::unique_ptr<PmixSession> session)
    : session_(std::move(session)),
      pe_(session_->job().pe),
      n_pes_(session_->job().n_pes),
      name_(session_->name()) {
  const PmixJob& job = session_->job();
  const int launcher = SiblingWatch(job.nspace, pe_, {}, ::getpid()).launcher();
  if (launcher > 0) {
    const bool speaks = job.local_pes.empty() || job.local_pes.front() == pe_;
    launcher_ = LauncherWatch::start(launcher, speaks ? name_ : std::string());
  }
}

Result<> PmixBootstrap::require_usable(std::string_view call) const {
  if (!session_) {
    return fail(Errc::closed, "{}: {} after finalize", name_, call);
  }
  if (!broken_.empty()) {
    return fail(Errc::closed, "{}: {} after a failed {}: the job can only be aborted", name_, call,
                broken_);
  }
  return {};
}

bool PmixBootstrap::is_on_several_hosts() const {
  return session_->job().local_pes.size() != static_cast<size_t>(n_pes_);
}

Result<> PmixBootstrap::put_card(const std::string& key, std::string_view card) {
  std::string bytes(1, kCardMark);
  bytes += card;
  pmix_byte_object_t object{bytes.data(), bytes.size()};
  pmix_value_t value;
  PMIX_VALUE_LOAD(&value, &object, PMIX_BYTE_OBJECT);
  const pmix_status_t status = PMIx_Put(PMIX_GLOBAL, key.c_str(), &value);
  PMIX_VALUE_DESTRUCT(&value);
  if (status != PMIX_SUCCESS) {
    return fail(Errc::io, "{}: PMIx does not take the card of {} bytes: {}", name_, card.size(),
                PMIx_Error_string(status));
  }
  return {};
}

Result<std::string> PmixBootstrap::get_card(const std::string& key, int pe) {
  pmix_proc_t who;
  PMIX_LOAD_PROCID(&who, session_->job().nspace.c_str(), static_cast<pmix_rank_t>(pe));
  pmix_value_t* value = nullptr;
  const pmix_status_t status = PMIx_Get(&who, key.c_str(), nullptr, 0, &value);
  if (status != PMIX_SUCCESS) {
    return fail(Errc::io, "{}: PMIx does not give the card of pe {}: {}", name_, pe,
                PMIx_Error_string(status));
  }
  const bool whole = value->type == PMIX_BYTE_OBJECT && value->data.bo.size > 0 &&
                     value->data.bo.bytes[0] == kCardMark;
  std::string card;
  if (whole) {
    card.assign(value->data.bo.bytes + 1, value->data.bo.size - 1);
  }
  PMIX_VALUE_RELEASE(value);
  if (!whole) {
    return fail(Errc::io, "{}: the card of pe {} did not arrive whole under {}", name_, pe, key);
  }
  return card;
}

Result<> PmixBootstrap::wait_for_all(std::string_view call, uint64_t generation,
                                     Deadline deadline) {
  const std::string up = key_of("up", generation);
  const std::string down = key_of("down", generation);
  ArrivalWait arrivals(*session_, call, up, down, generation, deadline);
  // One question at a time: libpmix's sockets have Nagle's algorithm on, and a second small message
  // behind an unanswered one waits 40 ms for the acknowledgement of the first.
  for (int child : children_of(pe_, n_pes_)) {
    PmixGets below(*session_, up, {child}, PmixGets::Patience::one_second);
    CANOPY_TRY(arrivals.wait(below));
  }
  CANOPY_TRY(put_flag(*session_, pe_ == 0 ? down : up));
  CANOPY_TRY(commit(*session_));
  if (pe_ != 0) {
    PmixGets release(*session_, down, {0}, PmixGets::Patience::one_second);
    CANOPY_TRY(arrivals.wait(release));
  }
  return {};
}

// After it the PEs no longer agree about where they are.
tl::unexpected<Error> PmixBootstrap::give_up(std::string_view call, const Error& error) {
  broken_ = call;
  if (error.code == Errc::peer_lost) {
    abort(1, error_text::newest());
  }
  return tl::unexpected(error);
}

Result<> PmixBootstrap::meet_at_server(std::string_view call, uint64_t generation, Deadline deadline) {
  auto result = wait_for_all(call, generation, deadline);
  if (!result) {
    return give_up(call, result.error());
  }
  return {};
}

Result<std::vector<std::string>> PmixBootstrap::meet_here(HostMeeting& meeting, std::string_view call, std::string_view card) {
  const PmixJob& job = session_->job();
  auto cards = meeting.meet({pe_, name_, call, SiblingWatch(job.nspace, pe_, job.local_pes, ::getpid())}, card,
                            Deadline::user_default());
  if (!cards) {
    return give_up(call, cards.error());
  }
  return cards;
}

Result<std::vector<std::string>> PmixBootstrap::exchange_at_server(std::string_view call, std::string_view card) {
  const uint64_t generation = session_->next_generation();
  const std::string key = key_of("card", generation);
  const Deadline deadline = Deadline::user_default();
  CANOPY_TRY(put_card(key, card));
  CANOPY_TRY(meet_at_server(call, generation, deadline));
  // On one host our server has every card by now, and a fence would only add its risk.
  if (is_on_several_hosts()) {
    CANOPY_TRY(collect_all_data(*session_, deadline));
  }
  std::vector<std::string> cards;
  cards.reserve(n_pes_);
  for (int pe = 0; pe < n_pes_; ++pe) {
    CANOPY_ASSIGN(std::string one, get_card(key, pe));
    cards.push_back(std::move(one));
  }
  return cards;
}

// Who is back agrees with the others about a place in memory; where one of them cannot open it, all go on at the server.
Result<> PmixBootstrap::find_meeting() {
  if (!session_->is_back() || looked_for_meeting_ || is_on_several_hosts() || session_->meeting() != nullptr) {
    return {};
  }
  looked_for_meeting_ = true;
  std::optional<HostMeeting> meeting;
  const auto take = [&](Result<HostMeeting> found) {
    if (found) {
      meeting.emplace(std::move(*found));
    } else {
      error_text::take_newest();  // no failure
    }
  };
  if (pe_ == 0) {
    take(HostMeeting::make(n_pes_));
  }
  CANOPY_ASSIGN(const auto places, exchange_at_server("joining again", meeting ? meeting->place() : ""));
  if (pe_ != 0 && !places[0].empty()) {
    take(HostMeeting::open(places[0], n_pes_));
  }
  CANOPY_ASSIGN(const auto verdicts, exchange_at_server("joining again", meeting ? "found" : ""));
  if (std::none_of(verdicts.begin(), verdicts.end(), [](const std::string& verdict) { return verdict.empty(); })) {
    meeting->note_opened_by_all();
    session_->set_meeting(std::move(*meeting));
  }
  return {};
}

Result<std::vector<std::string>> PmixBootstrap::exchange(std::string_view card) {
  CANOPY_TRY(require_usable("exchange"));
  CANOPY_TRY(find_meeting());
  HostMeeting* const meeting = session_->meeting();
  return meeting != nullptr ? meet_here(*meeting, "exchange", card) : exchange_at_server("exchange", card);
}

Result<> PmixBootstrap::meet(std::string_view call) {
  CANOPY_TRY(find_meeting());
  if (HostMeeting* const meeting = session_->meeting()) {
    CANOPY_TRY(meet_here(*meeting, call, ""));
    return {};
  }
  return meet_at_server(call, session_->next_generation(), Deadline::user_default());
}

Result<> PmixBootstrap::barrier() {
  CANOPY_TRY(require_usable("barrier"));
  return meet("barrier");
}

void PmixBootstrap::abort(int status, std::string_view reason) {
  if (!reason.empty()) {
    report(fmt::format("{} ends the job with status {}: {}", name_, status, reason));
  }
  if (!session_) {
    return;
  }
  const std::string text(reason);
  if (PMIx_Abort(status, text.c_str(), nullptr, 0) != PMIX_SUCCESS) {
    return;  // nobody will come: the caller's own exit is what mpirun sees
  }
  wait_until([] { return false; }, nullptr, BellScope::process, Deadline::after(kAbortGrace),
             [&] { return name_ + " for the launcher to end it"; });
}

Result<> PmixBootstrap::finalize() {
  if (!session_) {
    return {};
  }
  CANOPY_TRY(require_usable("finalize"));
  CANOPY_TRY(meet("finalize"));
  if (is_on_several_hosts()) {
    // PE 0 knows that all have come, but must not leave before all know that: its server would
    // forget the key that says so.
    CANOPY_TRY(pass_fence(*session_, Deadline::user_default()));
  }
  launcher_.reset();
  session_.reset();
  return {};
}

}  // namespace canopy
