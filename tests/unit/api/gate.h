// Gate: a task that keeps a stream busy until the test opens it. And the checks that every file of
// these tests uses.
#pragma once

#include "acl/acl.h"
#include "tests/unit/core/private_machine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>

namespace canopy::test {

// "" or the sentence of the newest error: its text without the advice. Valid until the thread's next call.
inline const char* why() {
  thread_local std::string sentence;
  const char* text = aclGetRecentErrMsg();
  sentence = text == nullptr ? "" : text;
  sentence.resize(std::min(sentence.size(), sentence.find("\n  code ")));
  return sentence.c_str();
}

#define ACL_OK(call) ASSERT_EQ((call), ACL_SUCCESS) << #call << ": " << ::canopy::test::why()
#define ACL_CODE(code, call) EXPECT_EQ((call), (code)) << #call << ": " << ::canopy::test::why()

class Gate {
 public:
  ~Gate() { open(); }
  // Queues a kernel on `stream` that waits for open(). The gate must outlive the kernel.
  aclError close(aclrtStream stream);
  void open() { open_.store(1, std::memory_order_release); }

 private:
  std::atomic<uint32_t> open_{0};
};

// Device 0 set, everything torn down afterwards.
class AclTest : public testing::Test {
 protected:
  void SetUp() override {
    ACL_OK(aclInit(nullptr));
    ACL_OK(aclrtSetDevice(0));
  }
  void TearDown() override {
    EXPECT_EQ(aclFinalize(), ACL_SUCCESS) << why();
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }

  static aclrtStream make_stream() {
    aclrtStream stream = nullptr;
    EXPECT_EQ(aclrtCreateStream(&stream), ACL_SUCCESS) << why();
    return stream;
  }
  // Of the current device, all 0.
  static void* zeroed_memory(size_t bytes) {
    void* memory = nullptr;
    EXPECT_EQ(aclrtMalloc(&memory, bytes, ACL_MEM_MALLOC_HUGE_FIRST), ACL_SUCCESS) << why();
    EXPECT_EQ(aclrtMemset(memory, bytes, 0, bytes), ACL_SUCCESS) << why();
    return memory;
  }
  // A host function that counts.
  static void add(void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); }
};

// Opens the gate at the end of a scope, and waits for its stream.
class OpenAtEnd {
 public:
  OpenAtEnd(Gate& gate, aclrtStream stream) : gate_(gate), stream_(stream) {}
  ~OpenAtEnd() {
    gate_.open();
    EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << why();
  }

 private:
  Gate& gate_;
  const aclrtStream stream_;
};

inline void* const kInvented = reinterpret_cast<void*>(0x1234);

}  // namespace canopy::test
