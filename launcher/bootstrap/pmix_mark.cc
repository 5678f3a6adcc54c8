#include "launcher/bootstrap/pmix_mark.h"

#include "runtime/base/cache_line.h"
#include "runtime/base/waiter.h"

#include <pmix.h>

#include <algorithm>

namespace canopy {
namespace {

// How long our own server may take for an answer it has at hand.
constexpr std::chrono::milliseconds kOwnServer{1000};

// The answers to one round of questions; lives until the last callback.
struct Answers {
  explicit Answers(size_t n) : present(n, 0), open(static_cast<uint32_t>(n)) {}
  std::vector<uint32_t> present;  // one word per PE asked for, written by libpmix's thread
  uint32_t open;                  // answers still to come
  Doorbell bell;
};

struct Question {
  std::shared_ptr<Answers> answers;
  size_t index;

  void answer(bool present) {
    // Publishes nothing but itself; the release below orders it.
    store_relaxed(&answers->present[index], present ? 1 : 0);
    // Release: pairs with the acquire in missing().
    std::atomic_ref<uint32_t>(answers->open).fetch_sub(1, std::memory_order_release);
    answers->bell.ring(BellScope::process);
  }
  static void on_value(pmix_status_t status, pmix_value_t*, void* self) {
    std::unique_ptr<Question> question(static_cast<Question*>(self));
    question->answer(status == PMIX_SUCCESS);
  }
};

void post(const PmixSession& session, int pe, const std::string& key, const pmix_info_t& how,
          std::unique_ptr<Question> question) {
  pmix_proc_t who;
  PMIX_LOAD_PROCID(&who, session.job().nspace.c_str(), static_cast<pmix_rank_t>(pe));
  const pmix_status_t status =
      PMIx_Get_nb(&who, key.c_str(), &how, 1, &Question::on_value, question.get());
  if (status == PMIX_SUCCESS) {
    question.release();
  } else {
    question->answer(status == PMIX_OPERATION_SUCCEEDED);
  }
}

}  // namespace

PmixMark::PmixMark(const PmixSession& session, std::string key)
    : session_(session), key_(std::move(key)) {}

void PmixMark::leave() {
  if (left_) {
    return;
  }
  left_ = true;
  pmix_value_t value;
  bool yes = true;
  PMIX_VALUE_LOAD(&value, &yes, PMIX_BOOL);
  // A failure only makes a later report less exact; the fence itself will fail too.
  if (PMIx_Put(PMIX_GLOBAL, key_.c_str(), &value) == PMIX_SUCCESS) {
    PMIx_Commit();
  }
}

std::vector<int> PmixMark::ask(std::span<const int> pes, void* pmix_info,
                               std::chrono::milliseconds limit) const {
  auto answers = std::make_shared<Answers>(pes.size());
  for (size_t i = 0; i < pes.size(); ++i) {
    auto question = std::make_unique<Question>();
    question->answers = answers;
    question->index = i;
    post(session_, pes[i], key_, *static_cast<const pmix_info_t*>(pmix_info), std::move(question));
  }
  wait_until(
      // Acquire: pairs with the release in answer().
      [&] { return load_acquire(&answers->open) == 0; }, &answers->bell, BellScope::process,
      Deadline::after(limit), [&] { return session_.name() + " looking for marks"; });
  std::vector<int> absent;
  for (size_t i = 0; i < pes.size(); ++i) {
    // Relaxed: an answer that arrives this late may be missed.
    if (load_relaxed(&answers->present[i]) == 0) {
      absent.push_back(pes[i]);
    }
  }
  return absent;
}

std::vector<int> PmixMark::missing(std::span<const int> pes,
                                   std::chrono::milliseconds limit) const {
  // A time limit makes the server ask the servers of other hosts; PMIX_IMMEDIATE would not.
  int seconds = std::max(1, static_cast<int>(limit.count() / 1000));
  pmix_info_t how;
  PMIX_INFO_LOAD(&how, PMIX_TIMEOUT, &seconds, PMIX_INT);
  return ask(pes, &how, limit);
}

std::vector<int> PmixMark::missing_here(std::span<const int> local_pes) const {
  bool yes = true;
  pmix_info_t how;
  PMIX_INFO_LOAD(&how, PMIX_IMMEDIATE, &yes, PMIX_BOOL);
  return ask(local_pes, &how, kOwnServer);
}

std::string name_pes(std::span<const int> pes) {
  constexpr size_t kNamed = 16;
  std::string list;
  for (size_t i = 0; i < std::min(pes.size(), kNamed); ++i) {
    list += fmt::format("{}pe {}", i == 0 ? "" : ", ", pes[i]);
  }
  if (pes.size() > kNamed) {
    list += fmt::format(" and {} more", pes.size() - kNamed);
  }
  return list;
}

}  // namespace canopy
