#include "launcher/bootstrap/pmix_gets.h"

#include "runtime/base/cache_line.h"
#include "runtime/base/waiter.h"

#include <pmix.h>

#include <algorithm>

namespace canopy {
namespace {
enum State : uint32_t { kAsked, kFound, kFailed };

// libpmix reads this on its own thread, at any time until it has answered: so these live for ever.
const pmix_info_t* how(PmixGets::Patience patience) {
  static const pmix_info_t immediate = [] {
    pmix_info_t info;
    bool yes = true;
    PMIX_INFO_LOAD(&info, PMIX_IMMEDIATE, &yes, PMIX_BOOL);
    return info;
  }();
  static const pmix_info_t one_second = [] {
    pmix_info_t info;
    int seconds = 1;
    PMIX_INFO_LOAD(&info, PMIX_TIMEOUT, &seconds, PMIX_INT);
    return info;
  }();
  return patience == PmixGets::Patience::none ? &immediate : &one_second;
}
}  // namespace

// Written by libpmix's thread (asked -> found or failed) and by the owner (failed -> asked).
struct PmixGets::Answers {
  explicit Answers(size_t n) : states(n, kAsked) {}
  std::vector<uint32_t> states;
  Doorbell bell;
};

struct PmixGets::Question {
  std::shared_ptr<Answers> answers;
  size_t index;

  void answer(bool found) {
    // Release: pairs with the acquire in has(); what was known with the answer is known after it.
    store_release(&answers->states[index], found ? kFound : kFailed);
    answers->bell.ring(BellScope::process);
  }
  static void on_value(pmix_status_t status, pmix_value_t*, void* self) {
    std::unique_ptr<Question> question(static_cast<Question*>(self));
    question->answer(status == PMIX_SUCCESS);
  }
};

namespace {
// Acquire: pairs with the release in answer().
bool has(const uint32_t& state, State wanted) { return load_acquire(&state) == wanted; }
}  // namespace

PmixGets::PmixGets(const PmixSession& session, std::string key, std::vector<int> pes,
                   Patience patience)
    : session_(session),
      key_(std::move(key)),
      pes_(std::move(pes)),
      patience_(patience),
      answers_(std::make_shared<Answers>(pes_.size())) {
  for (size_t i = 0; i < pes_.size(); ++i) {
    ask(i);
  }
}

void PmixGets::ask(size_t index) {
  pmix_proc_t who;
  PMIX_LOAD_PROCID(&who, session_.job().nspace.c_str(), static_cast<pmix_rank_t>(pes_[index]));
  auto question = std::make_unique<Question>(Question{answers_, index});
  const pmix_status_t status =
      PMIx_Get_nb(&who, key_.c_str(), how(patience_), 1, &Question::on_value, question.get());
  if (status == PMIX_SUCCESS) {
    question.release();  // now the callback's
  } else {
    question->answer(status == PMIX_OPERATION_SUCCEEDED);
  }
}

bool PmixGets::all_found() const {
  return std::all_of(answers_->states.begin(), answers_->states.end(),
                     [](const uint32_t& state) { return has(state, kFound); });
}

bool PmixGets::all_answered() const {
  return std::none_of(answers_->states.begin(), answers_->states.end(),
                      [](const uint32_t& state) { return has(state, kAsked); });
}

void PmixGets::ask_again() {
  for (size_t i = 0; i < pes_.size(); ++i) {
    if (has(answers_->states[i], kFailed)) {
      // Relaxed: libpmix's thread sees it through the question below.
      store_relaxed(&answers_->states[i], kAsked);
      ask(i);
    }
  }
}

std::vector<int> PmixGets::not_found() const {
  std::vector<int> absent;
  for (size_t i = 0; i < pes_.size(); ++i) {
    if (!has(answers_->states[i], kFound)) {
      absent.push_back(pes_[i]);
    }
  }
  return absent;
}

Doorbell& PmixGets::bell() { return answers_->bell; }

std::vector<int> pes_without(const PmixSession& session, const std::string& key,
                             std::vector<int> pes, PmixGets::Patience patience,
                             std::chrono::milliseconds limit) {
  PmixGets gets(session, key, std::move(pes), patience);
  wait_until([&] { return gets.all_answered(); }, &gets.bell(), BellScope::process,
             Deadline::after(limit), [&] { return session.name() + " asking for " + key; });
  return gets.not_found();
}

Result<> put_flag(const PmixSession& session, const std::string& key) {
  pmix_value_t value;
  bool yes = true;
  PMIX_VALUE_LOAD(&value, &yes, PMIX_BOOL);
  const pmix_status_t status = PMIx_Put(PMIX_GLOBAL, key.c_str(), &value);
  if (status != PMIX_SUCCESS) {
    return fail(Errc::io, "{}: PMIx does not take {}: {}", session.name(), key,
                PMIx_Error_string(status));
  }
  return {};
}

Result<> commit(const PmixSession& session) {
  const pmix_status_t status = PMIx_Commit();
  if (status != PMIX_SUCCESS) {
    return fail(Errc::io, "{}: the launcher's PMIx server does not take our data: {}",
                session.name(), PMIx_Error_string(status));
  }
  return {};
}

std::string name_pes(const std::vector<int>& pes) {
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
