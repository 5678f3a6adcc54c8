// Numbers of tasks: which task a thread has queued last.
#include "tests/unit/api/gate.h"

#include <thread>

namespace canopy::test {
namespace {

constexpr uint32_t kNone = ~0u;

uint32_t last_task() {
  uint32_t task = 12345;
  EXPECT_EQ(aclrtGetThreadLastTaskId(&task), ACL_SUCCESS) << why();
  return task;
}

class TaskNumber : public AclTest {};

TEST_F(TaskNumber, CountsTheTasksOfTheStreamThatTheThreadUsedLast) {
  const aclrtStream one = make_stream();
  const aclrtStream other = make_stream();
  auto* memory = static_cast<std::byte*>(zeroed_memory(128));
  for (uint32_t i = 0; i < 5'000; ++i) {
    ACL_OK(aclrtMemsetAsync(memory, 64, 0, 64, one));
    ASSERT_EQ(last_task(), i);
  }
  ACL_OK(aclrtMemsetAsync(memory + 64, 64, 0, 64, other));
  EXPECT_EQ(last_task(), 0u);
  ACL_OK(aclrtMemsetAsync(memory, 64, 0, 64, one));
  EXPECT_EQ(last_task(), 5'000u);
}

TEST_F(TaskNumber, DefaultStreamsDoNotCount) {
  auto* memory = static_cast<std::byte*>(zeroed_memory(128));
  const aclrtStream stream = make_stream();
  ACL_OK(aclrtMemsetAsync(memory, 64, 0, 64, stream));
  ACL_OK(aclrtMemsetAsync(memory + 64, 64, 0, 64, nullptr));
  ACL_OK(aclrtMemsetAsync(memory + 64, 64, 0, 64, nullptr));
  EXPECT_EQ(last_task(), 0u);
}

TEST_F(TaskNumber, IsEachThreadsOwn) {
  void* memory = zeroed_memory(64);
  const aclrtStream stream = make_stream();
  ACL_OK(aclrtMemsetAsync(memory, 64, 0, 64, stream));
  std::thread([&] {
    EXPECT_EQ(last_task(), kNone);
    ACL_OK(aclrtSetDevice(0));
    ACL_OK(aclrtMemsetAsync(memory, 64, 0, 64, stream));
    EXPECT_EQ(last_task(), 1u);
  }).join();
  EXPECT_EQ(last_task(), 0u);
}

TEST_F(TaskNumber, NowhereToWriteItTo) {
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtGetThreadLastTaskId(nullptr));
}

}  // namespace
}  // namespace canopy::test
