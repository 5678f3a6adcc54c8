#include "runtime/graph/control.h"

#include "runtime/core/runtime.h"
#include "runtime/graph/stream_run.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <string>

namespace canopy {
namespace {

template <class Word>
bool compare(const void* left, const void* right, Control::Condition condition) {
  // Relaxed: any agent may store the words; what orders them is the stream's business.
  const auto read = [](const void* at) {
    return __atomic_load_n(static_cast<const Word*>(at), __ATOMIC_RELAXED);
  };
  const Word a = read(left);
  const Word b = read(right);
  switch (condition) {
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

std::string Control::refuse_words() {
  const TaskMemory& memory = Runtime::instance().task_memory();
  const uint64_t now = memory.frees();
  if (left == nullptr || now == frees) {
    return "";
  }
  const uint64_t word = wide ? sizeof(int64_t) : sizeof(int32_t);
  std::string why = memory.refuse(left, word, right, word);
  if (why.empty()) {
    frees = now;
  }
  return why;
}

bool Control::holds() const {
  return wide ? compare<int64_t>(left, right, condition) : compare<int32_t>(left, right, condition);
}

uint32_t Control::chosen() const {
  const uint32_t index =
      __atomic_load_n(static_cast<const uint32_t*>(left), __ATOMIC_RELAXED);  // as above
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
