// Words of device memory, written and waited for in stream order.
#include "tests/unit/api/gate.h"

#include <atomic>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

class Values : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&first_));
    ACL_OK(aclrtCreateStream(&second_));
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(memory, 64, 0, 64));
    word_ = static_cast<uint64_t*>(memory);
  }
  uint64_t read() const { return std::atomic_ref(*word_).load(std::memory_order_acquire); }
  // Any agent: here the host.
  void store(uint64_t value) { std::atomic_ref(*word_).store(value, std::memory_order_release); }
  bool blocked() {
    return aclrtSynchronizeStreamWithTimeout(second_, 20) == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
  }

  aclrtStream first_ = nullptr;
  aclrtStream second_ = nullptr;
  uint64_t* word_ = nullptr;
};

TEST_F(Values, AWriteStores64BitsInStreamOrder) {
  Gate gate;
  ACL_OK(gate.close(first_));
  ACL_OK(aclrtValueWrite(word_, 0x0123456789ABCDEF, 0, first_));
  ACL_OK(aclrtValueWrite(word_ + 1, ~0ull, 0, first_));
  EXPECT_EQ(read(), 0u);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(first_));
  EXPECT_EQ(read(), 0x0123456789ABCDEFu);
  EXPECT_EQ(word_[1], ~0ull);
  EXPECT_EQ(word_[2], 0u);
}

TEST_F(Values, AWriteLetsAWaitGo) {
  ACL_OK(aclrtValueWait(word_, 5, ACL_STREAM_WAIT_VALUE_GEQ, second_));
  EXPECT_TRUE(blocked());
  ACL_OK(aclrtValueWrite(word_, 5, 0, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
}

struct Comparison {
  const char* name;
  uint32_t flag;
  uint64_t wanted;
  uint64_t no;
  uint64_t yes;
};

class ValueComparison : public Values, public testing::WithParamInterface<Comparison> {};

TEST_P(ValueComparison, HoldsTheStreamUntilItIsTrue) {
  const Comparison& c = GetParam();
  store(c.no);
  ACL_OK(aclrtValueWait(word_, c.wanted, c.flag, second_));
  EXPECT_TRUE(blocked());
  store(c.yes);
  ACL_OK(aclrtSynchronizeStream(second_));
  ACL_OK(aclrtValueWait(word_, c.wanted, c.flag, second_));
  ACL_OK(aclrtSynchronizeStream(second_)) << "true already";
  EXPECT_EQ(read(), c.yes) << "a wait changes nothing";
}

constexpr uint64_t kTop = 1ull << 63;
INSTANTIATE_TEST_SUITE_P(
    All, ValueComparison,
    testing::Values(Comparison{"geq", ACL_STREAM_WAIT_VALUE_GEQ, 10, 9, 11},
                    Comparison{"geq_is_a_signed_difference", ACL_STREAM_WAIT_VALUE_GEQ, ~0ull,
                               ~1ull, 0},
                    Comparison{"geq_far_behind", ACL_STREAM_WAIT_VALUE_GEQ, 1, kTop + 1, kTop},
                    Comparison{"eq", ACL_STREAM_WAIT_VALUE_EQ, 10, 11, 10},
                    Comparison{"and", ACL_STREAM_WAIT_VALUE_AND, kTop | 1, 6, kTop},
                    Comparison{"nor", ACL_STREAM_WAIT_VALUE_NOR, 0xFF, ~0xFFull, ~0x1FFull}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(Values, AnyAgentMayChangeTheWord) {
  ACL_OK(aclrtValueWait(word_, 0x0101010101010101, ACL_STREAM_WAIT_VALUE_EQ, second_));
  EXPECT_TRUE(blocked());
  ACL_OK(aclrtMemsetAsync(word_, 8, 1, 8, first_));
  ACL_OK(aclrtSynchronizeStream(second_));
}

TEST_F(Values, StreamsThatWaitDoNotOccupyExecutors) {
  std::vector<aclrtStream> streams(100);  // more than there are executors anywhere
  for (aclrtStream& stream : streams) {
    ACL_OK(aclrtCreateStream(&stream));
    ACL_OK(aclrtValueWait(word_, 1, ACL_STREAM_WAIT_VALUE_EQ, stream));
  }
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) {
    ACL_OK(aclrtLaunchHostFunc(
        first_, [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); }, &ran));
  }
  ACL_OK(aclrtSynchronizeStream(first_));
  EXPECT_EQ(ran.load(), 100);
  ACL_OK(aclrtValueWrite(word_, 1, 0, first_));
  ACL_OK(aclrtSynchronizeDevice());
}

TEST_F(Values, TwoStreamsMayHandOverToEachOther) {
  uint64_t* back = word_ + 1;
  for (uint64_t i = 1; i <= 500; ++i) {
    ACL_OK(aclrtValueWrite(word_, i, 0, first_));
    ACL_OK(aclrtValueWait(back, i, ACL_STREAM_WAIT_VALUE_EQ, first_));
    ACL_OK(aclrtValueWait(word_, i, ACL_STREAM_WAIT_VALUE_EQ, second_));
    ACL_OK(aclrtValueWrite(back, i, 0, second_));
  }
  ACL_OK(aclrtSynchronizeStream(first_));
  ACL_OK(aclrtSynchronizeStream(second_));
  EXPECT_EQ(read(), 500u);
}

TEST_F(Values, FlagsAddressesAndMemoryAreChecked) {
  uint64_t on_stack = 0;
  void* pinned = nullptr;
  ACL_OK(aclrtMallocHost(&pinned, 64));
  char* bytes = reinterpret_cast<char*>(word_);
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtValueWrite(word_, 1, 1, first_));
  ACL_CODE(kCode, aclrtValueWait(word_, 1, 4, first_));
  for (void* address : {static_cast<void*>(bytes + 4), static_cast<void*>(bytes + 1),
                        static_cast<void*>(&on_stack), pinned}) {
    ACL_CODE(kCode, aclrtValueWrite(address, 1, 0, first_));
    ACL_CODE(kCode, aclrtValueWait(address, 1, ACL_STREAM_WAIT_VALUE_EQ, first_));
  }
  ACL_OK(aclrtSynchronizeStream(first_));
  EXPECT_EQ(read(), 0u);
  EXPECT_EQ(on_stack, 0u);
  ACL_OK(aclrtFreeHost(pinned));
}

TEST_F(Values, OfAnotherDeviceNeedPeerAccess) {
  ACL_OK(aclrtSetDevice(1));
  aclrtStream there = nullptr;
  ACL_OK(aclrtCreateStream(&there));
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtValueWrite(word_, 1, 0, there));
  ACL_CODE(ACL_ERROR_RT_NO_PERMISSION, aclrtValueWait(word_, 0, ACL_STREAM_WAIT_VALUE_EQ, there));
  ACL_OK(aclrtDeviceEnablePeerAccess(0, 0));
  ACL_OK(aclrtValueWrite(word_, 3, 0, there));
  ACL_OK(aclrtSynchronizeStream(there));
  EXPECT_EQ(read(), 3u);
}

TEST_F(Values, NullIsTheDefaultStream) {
  ACL_OK(aclrtValueWrite(word_, 8, 0, nullptr));
  ACL_OK(aclrtValueWait(word_, 8, ACL_STREAM_WAIT_VALUE_EQ, nullptr));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(read(), 8u);
}

}  // namespace
}  // namespace canopy::test
