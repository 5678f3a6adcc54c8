// Models for tests: streams bound to one, and tasks that leave a trace of the order in which they ran.
#pragma once

#include "tests/unit/api/gate.h"

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace canopy::test {

class ModelTest : public AclTest {
 protected:
  static constexpr uint32_t kHead = 0;
  static constexpr uint32_t kDefault = 0x7FFFFFFF;

  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclmdlRIBuildBegin(&model_, 0));
    words_ = static_cast<uint64_t*>(zeroed_memory(512));
  }

  static aclrtStream make_persistent() {
    aclrtStream stream = nullptr;
    EXPECT_EQ(aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_PERSISTENT), ACL_SUCCESS) << why();
    return stream;
  }
  aclrtStream bound(uint32_t flag = kHead) {
    aclrtStream stream = make_persistent();
    EXPECT_EQ(aclmdlRIBindStream(model_, stream, flag), ACL_SUCCESS) << why();
    return stream;
  }
  // A host function that leaves `number` in the trace.
  aclError note(aclrtStream stream, int number) {
    notes_.push_back({this, number});
    return aclrtLaunchHostFunc(
        stream,
        [](void* p) {
          const Note& note = *static_cast<Note*>(p);
          std::lock_guard lock(note.test->mutex_);
          note.test->trace_.push_back(note.number);
        },
        &notes_.back());
  }
  // A host function that adds 1 to a word of device memory.
  static aclError count(aclrtStream stream, uint64_t* word) {
    return aclrtLaunchHostFunc(
        stream, [](void* p) { std::atomic_ref(*static_cast<uint64_t*>(p)).fetch_add(1); }, word);
  }
  aclError end_and_build(aclrtStream stream) {
    const aclError ended = aclmdlRIEndTask(model_, stream);
    return ended != ACL_SUCCESS ? ended : aclmdlRIBuildEnd(model_, nullptr);
  }
  std::vector<int> trace() {
    std::lock_guard lock(mutex_);
    return std::exchange(trace_, {});
  }
  uint64_t word(int i) { return std::atomic_ref(words_[i]).load(); }
  void set_word(int i, uint64_t value) { std::atomic_ref(words_[i]).store(value); }
  // Until a task that runs meanwhile has changed it from 0.
  void await_word(int i) {
    while (word(i) == 0) {
      std::this_thread::yield();
    }
  }

  aclmdlRI model_ = nullptr;
  uint64_t* words_ = nullptr;  // of device memory

 private:
  struct Note {
    ModelTest* test;
    int number;
  };
  std::deque<Note> notes_;
  std::mutex mutex_;  // guards trace_
  std::vector<int> trace_;
};

}  // namespace canopy::test
