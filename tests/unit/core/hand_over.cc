#include "tests/unit/core/hand_over.h"

namespace canopy::test {
namespace {

constexpr uint32_t kLimit = 1'000;  // seconds: a wait that uses the timer, and must not run out

}  // namespace

void HandOver::run(uint32_t way, const HandOverEnd& from, const HandOverEnd& to, uint64_t* word,
                   uint64_t value) const {
  switch (way % kWays) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return by_event(way % kWays, from, to);
    case 5:
      return by_notify(false, from, to);
    case 6:
      return by_notify(true, from, to);
    case 7:
      return by_counter(from, to, value);
    default:
      enter(from);
      must_(aclrtValueWrite(word, value, 0, from.stream), "aclrtValueWrite");
      enter(to);
      must_(aclrtValueWait(word, value, ACL_STREAM_WAIT_VALUE_GEQ, to.stream), "aclrtValueWait");
  }
}

void HandOver::enter(const HandOverEnd& end) const {
  must_(aclrtSetCurrentContext(end.context), "aclrtSetCurrentContext");
}

// 0 plain, 1 of the new family, 2 with a limit, 3 reset behind the wait, 4 waited for before it is
// recorded.
void HandOver::by_event(uint32_t way, const HandOverEnd& from, const HandOverEnd& to) const {
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

void HandOver::by_notify(bool wait_first, const HandOverEnd& from, const HandOverEnd& to) const {
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

void HandOver::by_counter(const HandOverEnd& from, const HandOverEnd& to, uint64_t value) const {
  aclrtCntNotify counter = nullptr;
  const auto amount = static_cast<uint32_t>(value % 1'000) + 1;
  aclrtCntNotifyRecordInfo add{ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, amount};
  aclrtCntNotifyWaitInfo want{
      ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, amount, value % 2 == 0 ? 0 : kLimit, 1, {}};
  must_(aclrtCntNotifyCreate(&counter, 0), "aclrtCntNotifyCreate");
  enter(from);
  must_(aclrtCntNotifyRecord(counter, from.stream, &add), "aclrtCntNotifyRecord");
  enter(to);
  must_(aclrtCntNotifyWaitWithTimeout(counter, to.stream, &want), "aclrtCntNotifyWaitWithTimeout");
  must_(aclrtCntNotifyDestroy(counter), "aclrtCntNotifyDestroy");
}

}  // namespace canopy::test
