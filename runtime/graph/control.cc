#include "runtime/graph/control.h"

#include "runtime/core/runtime.h"
#include "runtime/graph/stream_run.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <string>

namespace canopy {
namespace {

// Relaxed: any agent may store the words; what orders them is the stream's business.
template <class Word>
Result<Word> read_word(const void* at, uint64_t frees) {
  Word word = 0;
  CANOPY_TRY(use_memory(Runtime::instance().task_memory(), frees, {nullptr, 0, at, sizeof word}, [&]() -> Result<> {
    word = __atomic_load_n(static_cast<const Word*>(at), __ATOMIC_RELAXED);
    return {};
  }));
  return word;
}

template <class Word>
Result<bool> compare(const Control& control) {
  CANOPY_ASSIGN(const Word a, read_word<Word>(control.left, control.frees));
  CANOPY_ASSIGN(const Word b, read_word<Word>(control.right, control.frees));
  switch (control.condition) {
    case Control::Condition::equal:
      return a == b;
    case Control::Condition::not_equal:
      return a != b;
    case Control::Condition::greater:
      return a > b;
    case Control::Condition::at_least:
      return a >= b;
    case Control::Condition::less:
      return a < b;
    case Control::Condition::at_most:
      return a <= b;
  }
  return false;
}

}  // namespace

Result<bool> Control::holds() {
  const uint64_t now = Runtime::instance().task_memory().frees();
  CANOPY_ASSIGN(const bool result, wide ? compare<int64_t>(*this) : compare<int32_t>(*this));
  frees = now;
  return result;
}

Result<uint32_t> Control::chosen() {
  const uint64_t now = Runtime::instance().task_memory().frees();
  CANOPY_ASSIGN(const uint32_t index, read_word<uint32_t>(left, frees));
  frees = now;
  return std::min(index, target_count - 1);
}

void post_control(Stream& stream, const Control& control, std::span<const void* const> names) {
  stream.post(Control::bytes(names.size()), [&](Sqe& sqe, std::byte* memory) {
    auto* kept = new (memory) Control(control);
    kept->target_count = static_cast<uint32_t>(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      new (kept->targets() + i) Control::Target{names[i], {}};
    }
    sqe.kind = SqeKind::step;
    sqe.body.step = {&StreamRun::run_control, kept};
  });
}

Control* control_of(const Sqe& task) {
  const bool is_one =
      task.kind == SqeKind::step && task.body.step.function == &StreamRun::run_control;
  return is_one ? static_cast<Control*>(task.body.step.argument) : nullptr;
}

}  // namespace canopy
