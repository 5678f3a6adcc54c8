#include "runtime/device/task_text.h"

#include "runtime/device/event_bank.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/peek.h"

#include <fmt/format.h>

namespace canopy {
namespace {

const char* describe(ValueTest test) {
  switch (test) {
    case ValueTest::at_least:
      return "at least (in signed distance)";
    case ValueTest::equal:
      return "equal to";
    case ValueTest::some_bits:
      return "with a bit of";
    case ValueTest::some_zero:
      return "without a bit outside of";
  }
  return "";
}

const char* describe_record(const EventCell& cell) {
  // Acquire: pairs with EventCell::lose_record().
  if (cell.lost.load(std::memory_order_acquire)) {
    return ", which was dropped: its stream was aborted, or has stopped";
  }
  return cell.complete() ? "" : ", which has not been made yet";
}

std::string describe_limit(uint64_t limit_ns) {
  return limit_ns == 0 ? "" : fmt::format(", for {} at most", describe_span(limit_ns));
}

}  // namespace

std::string describe_span(uint64_t ns) {
  constexpr uint64_t kSecond = 1'000'000'000;
  return ns % kSecond == 0 ? fmt::format("{} s", ns / kSecond) : fmt::format("{} us", ns / 1'000);
}

const char* describe(NotifyTest test) {
  switch (test) {
    case NotifyTest::below:
      return "below";
    case NotifyTest::equal:
      return "equal to";
    case NotifyTest::above:
      return "above";
    case NotifyTest::at_least:
      return "at least";
    case NotifyTest::has_bits:
      return "with all bits of";
  }
  return "";
}

std::string describe_wait(const Sqe& sqe) {
  switch (sqe.kind) {
    case SqeKind::event_wait:
      return fmt::format("the record of event {}", sqe.body.event.id);
    case SqeKind::timed_event_wait:
      return fmt::format("the record of event {}{}", sqe.body.timed_event.id,
                         describe_limit(sqe.body.timed_event.limit_ns));
    case SqeKind::notify_wait: {
      const auto& wait = sqe.body.notify_wait;
      return fmt::format("{} {} to be {} {}{}", wait.what, wait.id, describe(wait.test), wait.value,
                         describe_limit(wait.limit_ns));
    }
    case SqeKind::value_wait: {
      const auto& wait = sqe.body.value;
      return fmt::format("the word at {} to be {} {:#x}", fmt::ptr(wait.address),
                         describe(wait.test), wait.value);
    }
    case SqeKind::gate:
      return "the run of a model";
    default:
      return {};
  }
}

std::string describe_state(const Sqe& sqe) {
  switch (sqe.kind) {
    case SqeKind::event_wait:
      return describe_record(*sqe.body.event.cell);
    case SqeKind::timed_event_wait:
      return describe_record(*sqe.body.timed_event.cell);
    case SqeKind::notify_wait:
      return fmt::format(", it is {}", sqe.body.notify_wait.cell->word());
    case SqeKind::value_wait: {
      const auto word = peek(sqe.body.value.address, sizeof(uint64_t));
      return word ? fmt::format(", it is {:#x}", *word) : ", which cannot be read";
    }
    default:
      return {};
  }
}

}  // namespace canopy
