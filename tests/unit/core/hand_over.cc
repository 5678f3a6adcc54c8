#include "tests/unit/core/hand_over.h"

namespace canopy::test {
namespace {

constexpr uint32_t kLimit = 1'000;  // seconds: a wait that uses the timer, and must not run out

}  // namespace

void HandOver::set_up() {
  for (aclrtEvent& event : new_events_) {
    must_(aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC), "aclrtCreateEventExWithFlag");
  }
  for (aclrtEvent& event : old_events_) {
    must_(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC), "aclrtCreateEventWithFlag");
  }
  for (Shared& notify : notifies_) {
    must_(aclrtCreateNotify(&notify.handle, 0), "aclrtCreateNotify");
  }
  for (Shared& counter : counters_) {
    must_(aclrtCntNotifyCreate(&counter.handle, 0), "aclrtCntNotifyCreate");
  }
}

void HandOver::tear_down() {
  for (aclrtEvent event : new_events_) {
    must_(aclrtDestroyEvent(event), "aclrtDestroyEvent");
  }
  for (aclrtEvent event : old_events_) {
    must_(aclrtDestroyEvent(event), "aclrtDestroyEvent");
  }
  for (const Shared& notify : notifies_) {
    must_(aclrtDestroyNotify(notify.handle), "aclrtDestroyNotify");
  }
  for (const Shared& counter : counters_) {
    must_(aclrtCntNotifyDestroy(counter.handle), "aclrtCntNotifyDestroy");
  }
}

void HandOver::run(uint32_t way, const HandOverEnd& from, const HandOverEnd& to, uint64_t value) {
  bool done = false;  // some ways are not open when the words are used up
  switch (way % kWays) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return by_event(way % kWays, from, to);
    case 5:
    case 6:
      return by_shared_event(false, from, to, value);
    case 7:
      return by_shared_event(true, from, to, value);
    case 8:
      return by_notify(false, from, to);
    case 9:
      return by_notify(true, from, to);
    case 10:
      return by_shared_notify(from, to);
    case 11:
      return by_counter_below(from, to, value);
    case 12:
      return by_shared_counter(from, to, value);
    case 13:
    case 14:
    case 15:
    case 16:
      return by_counter(way % kWays - 13, from, to, value);
    case 17:
    case 18:
    case 19:
    case 20:
      done = by_value(way % kWays - 17, from, to, value);
      break;
    default:
      done = by_kernels(from, to, value);
  }
  if (!done) {
    by_event(1, from, to);
  }
}

void HandOver::enter(const HandOverEnd& end) const {
  must_(aclrtSetCurrentContext(end.context), "aclrtSetCurrentContext");
}

// 0 plain, 1 of the new family, 2 with a limit, 3 reset behind the wait, 4 waited for before it is
// recorded.
void HandOver::by_event(uint32_t way, const HandOverEnd& from, const HandOverEnd& to) {
  aclrtEvent event = nullptr;
  must_(way == 0 ? aclrtCreateEvent(&event)
        : way <= 2
            ? aclrtCreateEventExWithFlag(&event, ACL_EVENT_SYNC)
            : aclrtCreateEventWithFlag(&event, way == 3 ? ACL_EVENT_SYNC : ACL_EVENT_EXTERNAL),
        "creating an event");
  if (way == 4) {
    enter(to);
    must_(aclrtStreamWaitEvent(to.stream, event), "aclrtStreamWaitEvent before the record");
  }
  enter(from);
  must_(aclrtRecordEvent(event, from.stream), "aclrtRecordEvent");
  enter(to);
  if (way == 2) {
    must_(aclrtStreamWaitEventWithTimeout(to.stream, event, kLimit),
          "aclrtStreamWaitEventWithTimeout");
  } else if (way != 4) {
    must_(aclrtStreamWaitEvent(to.stream, event), "aclrtStreamWaitEvent");
  }
  if (way == 3) {
    must_(aclrtResetEvent(event, to.stream), "aclrtResetEvent");
  }
  must_(aclrtDestroyEvent(event), "aclrtDestroyEvent");  // legal while all are pending
}

// The wait is for the record of now: not for one before, nor for one that comes later, which may
// well be one behind this wait.
void HandOver::by_shared_event(bool old_family, const HandOverEnd& from, const HandOverEnd& to,
                               uint64_t which) {
  aclrtEvent event = old_family ? old_events_[which % old_events_.size()]
                                : new_events_[which % new_events_.size()];
  enter(from);
  must_(aclrtRecordEvent(event, from.stream), "aclrtRecordEvent");
  enter(to);
  must_(aclrtStreamWaitEvent(to.stream, event), "aclrtStreamWaitEvent");
  if (old_family) {
    must_(aclrtResetEvent(event, to.stream), "aclrtResetEvent");
  }
}

void HandOver::by_notify(bool wait_first, const HandOverEnd& from, const HandOverEnd& to) {
  aclrtNotify notify = nullptr;
  must_(aclrtCreateNotify(&notify, 0), "aclrtCreateNotify");
  if (wait_first) {
    enter(to);
    must_(aclrtWaitAndResetNotify(notify, to.stream, kLimit), "aclrtWaitAndResetNotify");
  }
  enter(from);
  must_(aclrtRecordNotify(notify, from.stream), "aclrtRecordNotify");
  enter(to);
  if (!wait_first) {
    must_(aclrtWaitAndResetNotify(notify, to.stream, 0), "aclrtWaitAndResetNotify");
  }
  must_(aclrtDestroyNotify(notify), "aclrtDestroyNotify");
}

void HandOver::come_after_last_wait(Shared& shared, const HandOverEnd& from,
                                    const HandOverEnd& to) {
  if (shared.used) {
    by_event(1, to, from);
  }
  shared.used = true;
}

void HandOver::by_shared_notify(const HandOverEnd& from, const HandOverEnd& to) {
  Shared& notify = notifies_[to.index];
  come_after_last_wait(notify, from, to);
  enter(from);
  must_(aclrtRecordNotify(notify.handle, from.stream), "aclrtRecordNotify");
  enter(to);
  must_(aclrtWaitAndResetNotify(notify.handle, to.stream, 0), "aclrtWaitAndResetNotify");
}

}  // namespace canopy::test
