// The ways to hand over by words: counting notifies, values in memory, kernels that wait.
#include "tests/unit/core/hand_over.h"

#include "canopy/kernel.h"

#include <atomic>

namespace {

struct Awaited {
  uint64_t* word;
  uint64_t value;
};

__global__ __aicore__ void store_word(uint64_t* word, uint64_t value) {
  std::atomic_ref(*word).store(value, std::memory_order_release);  // pairs with await_word
}
CANOPY_KERNEL(store_word)

__global__ __aicore__ void await_word(uint64_t* word, uint64_t value) {
  Awaited awaited{word, value};
  canopy_wait_until(
      [](void* p) {
        const auto& [where, wanted] = *static_cast<Awaited*>(p);
        return static_cast<int>(std::atomic_ref(*where).load(std::memory_order_acquire) == wanted);
      },
      &awaited, "another kernel's word");
}
CANOPY_KERNEL(await_word)

}  // namespace

namespace canopy::test {
namespace {

constexpr uint32_t kLimit = 1'000;  // seconds

}  // namespace

void HandOver::count(aclrtCntNotify counter, const HandOverEnd& by, aclrtCntNotifyRecordMode mode,
                     uint64_t value) {
  aclrtCntNotifyRecordInfo info{mode, static_cast<uint32_t>(value)};
  enter(by);
  must_(aclrtCntNotifyRecord(counter, by.stream, &info), "aclrtCntNotifyRecord");
}

void HandOver::await(aclrtCntNotify counter, const HandOverEnd& by, aclrtCntNotifyWaitMode mode,
                     uint64_t value, bool clear) {
  aclrtCntNotifyWaitInfo info{mode,
                              static_cast<uint32_t>(value),
                              value % 2 == 0 ? 0 : kLimit,
                              clear ? uint8_t{1} : uint8_t{0},
                              {}};
  enter(by);
  must_(aclrtCntNotifyWaitWithTimeout(counter, by.stream, &info), "aclrtCntNotifyWaitWithTimeout");
}

// `test`: the comparison; two records, so that a wait which one of them satisfies comes too early.
void HandOver::by_counter(uint32_t test, const HandOverEnd& from, const HandOverEnd& to,
                          uint64_t value) {
  constexpr aclrtCntNotifyWaitMode kTests[] = {
      ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE,
      ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_WITH_BITMASK_MODE};
  const uint32_t first = 1 + static_cast<uint32_t>(value % 1'000);
  const uint32_t bit = 1u << 20;
  aclrtCntNotify counter = nullptr;
  must_(aclrtCntNotifyCreate(&counter, 0), "aclrtCntNotifyCreate");
  count(counter, from, ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE, first);
  count(counter, from,
        value % 3 == 0 ? ACL_RT_CNT_NOTIFY_RECORD_BIT_OR_MODE : ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE,
        bit);
  const aclrtCntNotifyWaitMode mode = kTests[test];
  await(counter, to, mode,
        mode == ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE               ? bit
        : mode == ACL_RT_CNT_NOTIFY_WAIT_EQUAL_WITH_BITMASK_MODE ? bit
                                                                 : bit + first,
        value % 2 == 0);
  must_(aclrtCntNotifyDestroy(counter), "aclrtCntNotifyDestroy");
}

// There and back: a counter starts below everything, so the other stream raises it first.
void HandOver::by_counter_below(const HandOverEnd& from, const HandOverEnd& to, uint64_t value) {
  const uint32_t raised = 1'000 + static_cast<uint32_t>(value % 1'000);
  aclrtCntNotify counter = nullptr;
  must_(aclrtCntNotifyCreate(&counter, 0), "aclrtCntNotifyCreate");
  count(counter, to, ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE, raised);
  await(counter, from, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, raised, false);
  if (value % 2 == 0) {
    must_(aclrtCntNotifyReset(counter, from.stream), "aclrtCntNotifyReset");
  } else {
    count(counter, from, ACL_RT_CNT_NOTIFY_RECORD_BIT_AND_MODE, 7);
  }
  await(counter, to, ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE, 8, false);
  must_(aclrtCntNotifyDestroy(counter), "aclrtCntNotifyDestroy");
}

void HandOver::by_shared_counter(const HandOverEnd& from, const HandOverEnd& to, uint64_t value) {
  Shared& counter = counters_[to.index];
  const uint64_t amount = 1 + value % 1'000;
  come_after_last_wait(counter, from, to);
  count(counter.handle, from, ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE, amount);
  await(counter.handle, to, ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE, amount, true);
}

// `test`: the flag of aclrtValueWait. The word starts as something that does not satisfy it.
bool HandOver::by_value(uint32_t test, const HandOverEnd& from, const HandOverEnd& to,
                        uint64_t value) {
  const uint64_t wanted =
      (value | 1) & ~(uint64_t{1} << 63);  // neither 0 nor all ones, and positive
  uint64_t* word = words_.take(test == ACL_STREAM_WAIT_VALUE_NOR   ? ~wanted
                               : test == ACL_STREAM_WAIT_VALUE_GEQ ? ~uint64_t{0}
                                                                   : 0);
  if (word == nullptr) {
    return false;
  }
  enter(from);
  must_(aclrtValueWrite(word, test == ACL_STREAM_WAIT_VALUE_NOR ? 0 : wanted, 0, from.stream),
        "aclrtValueWrite");
  enter(to);
  must_(aclrtValueWait(word, wanted, test, to.stream), "aclrtValueWait");
  return true;
}

bool HandOver::by_kernels(const HandOverEnd& from, const HandOverEnd& to, uint64_t value) {
  uint64_t* word = words_.take(0);
  if (word == nullptr) {
    return false;
  }
  value |= 1;
  enter(from);
  must_(launch(store_word, 1, from.stream, word, value), "launching store_word");
  enter(to);
  must_(launch(await_word, 1, to.stream, word, value), "launching await_word");
  return true;
}

}  // namespace canopy::test
