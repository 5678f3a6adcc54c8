// Events between processes: any of them records, any of them waits.
#include "tests/unit/api/gate.h"
#include "tests/unit/api/second_process.h"

#include "runtime/base/clock.h"
#include "runtime/device/strand.h"
#include "runtime/driver/driver.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace canopy::test {
namespace {

std::string code_of(aclError code) { return std::to_string(code); }

// 64 bytes on a line of text.
std::string text_of(const aclrtIpcEventHandle& handle) {
  std::string text;
  for (const char c : handle.reserved) {
    text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

aclrtIpcEventHandle handle_of(const std::string& text) {
  aclrtIpcEventHandle handle{};
  for (size_t i = 0; i < sizeof handle.reserved && 2 * i + 2 <= text.size(); ++i) {
    handle.reserved[i] = static_cast<char>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  }
  return handle;
}

// One side of an event, as orders on a line: what both the test and the other process can do.
struct Side {
  aclrtStream stream = nullptr;
  aclrtStream held = nullptr;  // a stream that a gate holds up
  aclrtEvent event = nullptr;
  aclrtEvent first = nullptr;  // of one that was opened again
  Gate gate;

  std::string obey(const std::string& order) {
    aclrtEventRecordedStatus status;
    if (order == "create") {
      return code_of(aclrtCreateEventExWithFlag(&event, ACL_EVENT_IPC));
    }
    if (order == "export") {
      aclrtIpcEventHandle handle{};
      const aclError code = aclrtIpcGetEventHandle(event, &handle);
      return code == ACL_SUCCESS ? text_of(handle) : code_of(code);
    }
    if (order.starts_with("open again ")) {
      first = event;
      return code_of(aclrtIpcOpenEventHandle(handle_of(order.substr(11)), &event));
    }
    if (order.starts_with("open ")) {
      return code_of(aclrtIpcOpenEventHandle(handle_of(order.substr(5)), &event));
    }
    if (order == "wait by first") {
      return code_of(aclrtStreamWaitEvent(stream, first));
    }
    if (order == "wait on another stream") {
      const aclError code = aclrtCreateStream(&held);
      return code_of(code != ACL_SUCCESS ? code : aclrtStreamWaitEvent(held, event));
    }
    if (order == "drain the other") {
      return code_of(aclrtSynchronizeStreamWithTimeout(held, 5000));
    }
    if (order == "record") {
      return code_of(aclrtRecordEvent(event, stream));
    }
    if (order == "record held") {  // stays pending until "let go"
      if (aclrtCreateStream(&held) != ACL_SUCCESS || gate.close(held) != ACL_SUCCESS) {
        return "no gate";
      }
      return code_of(aclrtRecordEvent(event, held));
    }
    if (order == "let go") {
      gate.open();
      return code_of(aclrtSynchronizeStream(held));
    }
    if (order == "abort held") {
      const aclError code = aclrtStreamAbort(held);
      gate.open();
      return code_of(code);
    }
    if (order == "wait") {
      return code_of(aclrtStreamWaitEvent(stream, event));
    }
    if (order == "drain") {
      return code_of(aclrtSynchronizeStreamWithTimeout(stream, 5000));
    }
    if (order == "blocked") {
      return code_of(aclrtSynchronizeStreamWithTimeout(stream, 30));
    }
    if (order == "sync") {
      return code_of(aclrtSynchronizeEventWithTimeout(event, 5000));
    }
    if (order == "sync short") {
      return code_of(aclrtSynchronizeEventWithTimeout(event, 30));
    }
    if (order == "query") {
      const aclError code = aclrtQueryEventStatus(event, &status);
      return code != ACL_SUCCESS ? code_of(code) : status == ACL_EVENT_RECORDED_STATUS_COMPLETE ? "complete" : "pending";
    }
    if (order == "destroy") {
      return code_of(aclrtDestroyEvent(event));
    }
    return "?";
  }
};

void play_side(Line& line, int device) {
  Side side;
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(device) != ACL_SUCCESS ||
      aclrtCreateStream(&side.stream) != ACL_SUCCESS) {
    return;
  }
  for (std::string order = line.hear(); !order.empty(); order = line.hear()) {
    line.say(side.obey(order));
  }
}

ROLE(event_side) { play_side(line, 0); }
ROLE(event_side_on_another_device) { play_side(line, 1); }

constexpr const char* kOk = "0";

class IpcEvent : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&here_.stream));
    ASSERT_EQ(here("create"), kOk);
  }
  std::string here(const std::string& order) { return here_.obey(order); }
  // Another process that has opened our event.
  std::unique_ptr<SecondProcess> opener(const char* role = "event_side") {
    auto other = std::make_unique<SecondProcess>(role);
    EXPECT_EQ(other->ask("open " + here("export")), kOk);
    return other;
  }

  const std::string kTimeout = code_of(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  const std::string kLost = code_of(ACL_ERROR_RT_DRV_INTERNAL_ERROR);
  const std::string kRefused = code_of(ACL_ERROR_RT_PARAM_INVALID);
  Side here_;
};

TEST_F(IpcEvent, AnUnrecordedOneHoldsNobodyUp) {
  auto other = opener();
  EXPECT_EQ(other->ask("query"), "complete");
  EXPECT_EQ(other->ask("wait"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk);
  EXPECT_EQ(other->ask("sync"), kOk);
}

TEST_F(IpcEvent, ARecordThatCompletedBeforeTheHandleWasOpenedIsSeenComplete) {
  ASSERT_EQ(here("record"), kOk);
  ASSERT_EQ(here("drain"), kOk);
  auto other = opener();
  EXPECT_EQ(other->ask("query"), "complete");
  EXPECT_EQ(other->ask("wait"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk);
}

TEST_F(IpcEvent, AnotherProcessWaitsForARecordOfThisOne) {
  auto other = opener();
  ASSERT_EQ(here("record held"), kOk);
  EXPECT_EQ(other->ask("query"), "pending");
  EXPECT_EQ(other->ask("wait"), kOk);
  EXPECT_EQ(other->ask("blocked"), kTimeout);
  EXPECT_EQ(other->ask("sync short"), code_of(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT));
  ASSERT_EQ(here("let go"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk);
  EXPECT_EQ(other->ask("sync"), kOk);
  EXPECT_EQ(other->ask("query"), "complete");
}

TEST_F(IpcEvent, ThisProcessWaitsForARecordOfAnother) {
  auto other = opener("event_side_on_another_device");
  ASSERT_EQ(other->ask("record held"), kOk);
  EXPECT_EQ(here("query"), "pending");
  ASSERT_EQ(here("wait"), kOk);
  EXPECT_EQ(here("blocked"), kTimeout);
  ASSERT_EQ(other->ask("let go"), kOk);
  EXPECT_EQ(here("drain"), kOk);
  EXPECT_EQ(here("query"), "complete");
}

TEST_F(IpcEvent, ItIsAnOrdinaryEventInsideOneProcess) {
  ASSERT_EQ(here("record held"), kOk);
  ASSERT_EQ(here("wait"), kOk);
  EXPECT_EQ(here("blocked"), kTimeout);
  ASSERT_EQ(here("let go"), kOk);
  EXPECT_EQ(here("drain"), kOk);
}

TEST_F(IpcEvent, AWaitBindsToTheRecordThatWasNewestThen) {
  auto other = opener();
  ASSERT_EQ(here("record"), kOk);
  ASSERT_EQ(here("drain"), kOk);
  ASSERT_EQ(other->ask("wait"), kOk);
  ASSERT_EQ(here("record held"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk) << "waits for the first one";
  ASSERT_EQ(other->ask("wait"), kOk);
  EXPECT_EQ(other->ask("blocked"), kTimeout);
  ASSERT_EQ(here("let go"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk);
}

TEST_F(IpcEvent, ManyRoundsEitherWay) {
  auto other = opener();
  for (int round = 0; round < 1500; ++round) {  // more than a page has records
    ASSERT_EQ(here("record"), kOk);
    ASSERT_EQ(other->ask("wait"), kOk);
    ASSERT_EQ(other->ask("record"), kOk);
    ASSERT_EQ(here("wait"), kOk);
    ASSERT_EQ(here("drain"), kOk) << round;
  }
}

TEST_F(IpcEvent, ARecordWaitsWhileAllThatThereCanBeArePending) {
  ASSERT_EQ(here("record held"), kOk);
  for (int i = 1; i < 480; ++i) {
    ASSERT_EQ(aclrtRecordEvent(here_.event, here_.held), ACL_SUCCESS) << i;
  }
  std::atomic<bool> over{false};
  std::thread records([&] {
    (void)aclrtSetDevice(0);
    EXPECT_EQ(aclrtRecordEvent(here_.event, here_.held), ACL_SUCCESS);
    over = true;
  });
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(here_.held, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_FALSE(over.load());
  ASSERT_EQ(here("let go"), kOk);
  records.join();
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(here("record"), kOk) << i;
  }
  EXPECT_EQ(here("drain"), kOk);
}

TEST_F(IpcEvent, ARecordThatWaitsForOthersFailsWithTheirLoss) {
  SecondProcess creator("event_side");
  ASSERT_EQ(creator.ask("create"), kOk);
  const std::string handle = creator.ask("export");
  ASSERT_EQ(aclrtDestroyEvent(here_.event), ACL_SUCCESS);
  ASSERT_EQ(here("open " + handle), kOk);
  ASSERT_EQ(here("record held"), kOk);
  for (int i = 1; i < 480; ++i) {
    ASSERT_EQ(aclrtRecordEvent(here_.event, here_.held), ACL_SUCCESS) << i;
  }
  std::atomic<aclError> code{-1};
  std::thread records([&] {
    (void)aclrtSetDevice(0);
    code = aclrtRecordEvent(here_.event, here_.held);
  });
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(here_.held, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  EXPECT_EQ(code.load(), -1);
  creator.kill();
  records.join();
  EXPECT_EQ(code.load(), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
  ASSERT_EQ(here("let go"), kOk);
}

TEST_F(IpcEvent, ARecordThatWaitsEndsWithAnAbortOfItsStream) {
  ASSERT_EQ(here("record held"), kOk);
  for (int i = 1; i < 480; ++i) {
    ASSERT_EQ(aclrtRecordEvent(here_.event, here_.held), ACL_SUCCESS) << i;
  }
  aclrtStream mine = nullptr;
  ASSERT_EQ(aclrtCreateStream(&mine), ACL_SUCCESS);
  std::atomic<aclError> code{-1};
  std::thread records([&] {
    (void)aclrtSetDevice(0);
    code = aclrtRecordEvent(here_.event, mine);
  });
  while (code.load() == -1) {  // it may not have begun with the first
    ASSERT_EQ(aclrtStreamAbort(mine), ACL_SUCCESS);
    std::this_thread::yield();
  }
  records.join();
  EXPECT_EQ(code.load(), ACL_ERROR_RT_STREAM_ABORT);
  EXPECT_EQ(aclrtDestroyStream(mine), ACL_SUCCESS);
  ASSERT_EQ(here("let go"), kOk);
}

// A record whose word another one still holds takes the next number.
TEST_F(IpcEvent, OnePendingRecordHoldsUpNoOther) {
  auto other = opener();
  ASSERT_EQ(here("record held"), kOk);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(here("record"), kOk) << i;
    EXPECT_EQ(other->ask("wait"), kOk) << i;
    if (i % 100 == 0) {
      EXPECT_EQ(here("drain"), kOk) << "or these are pending, too";
    }
  }
  EXPECT_EQ(other->ask("drain"), kOk);
  EXPECT_EQ(other->ask("query"), "complete");
  EXPECT_EQ(here("let go"), kOk);
}

// The process has one bit in the page, whatever it has open.
TEST_F(IpcEvent, WaitsByTwoHandlesOfOneProcessEndWithTheirRecords) {
  auto other = opener();
  ASSERT_EQ(other->ask("open again " + here("export")), kOk);
  ASSERT_EQ(here("record held"), kOk);
  ASSERT_EQ(other->ask("wait by first"), kOk);
  aclrtStream later = nullptr;
  Gate gate;
  ACL_OK(aclrtCreateStream(&later));
  ACL_OK(gate.close(later));
  ACL_OK(aclrtRecordEvent(here_.event, later));
  ASSERT_EQ(other->ask("wait on another stream"), kOk);
  ASSERT_EQ(here("let go"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(later));
  EXPECT_EQ(other->ask("drain the other"), kOk);
}

TEST_F(IpcEvent, AHandleMayBeOpenedAgainBehindAWait) {
  auto other = opener();
  const std::string handle = here("export");
  ASSERT_EQ(here("record held"), kOk);
  ASSERT_EQ(other->ask("wait"), kOk);
  ASSERT_EQ(other->ask("destroy"), kOk);
  ASSERT_EQ(other->ask("open " + handle), kOk);
  ASSERT_EQ(other->ask("wait on another stream"), kOk);
  ASSERT_EQ(here("let go"), kOk);
  EXPECT_EQ(other->ask("drain"), kOk);
  EXPECT_EQ(other->ask("drain the other"), kOk);
}

// Whoever sees the record may wait for it on its own stream: that is behind it, at any moment.
TEST_F(IpcEvent, AWaitOnTheRecordsOwnStreamNeverComesInFrontOfIt) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  for (int round = 0; round < 300; ++round) {
    std::thread waits([&] {
      ACL_OK(aclrtSetCurrentContext(context));
      for (int i = 0; i < 200; ++i) {
        ACL_OK(aclrtStreamWaitEvent(here_.stream, here_.event));
      }
    });
    for (int i = 0; i < 200; ++i) {
      EXPECT_EQ(here("record"), kOk);
    }
    waits.join();
    ASSERT_EQ(here("drain"), kOk) << round;
  }
}

// Else a wait on the same stream that finds it would get in front, and both would wait for ever.
TEST_F(IpcEvent, ARecordThatWaitsForRoomInItsStreamIsNotSeenYet) {
  aclrtContext context = nullptr;
  ACL_OK(aclrtGetCurrentContext(&context));
  aclrtEvent plain = nullptr;
  ACL_OK(aclrtCreateEvent(&plain));
  Gate gate;
  ACL_OK(gate.close(here_.stream));
  std::atomic<int> filled{0};
  std::thread filler([&] {
    ACL_OK(aclrtSetCurrentContext(context));
    for (; filled.load() < 3000; ++filled) {
      ACL_OK(aclrtRecordEvent(plain, here_.stream));
    }
  });
  while (filled.load() < static_cast<int>(Strand::kRingEntries) - 1) {  // with the gate's no more go in
    std::this_thread::yield();
  }
  std::thread recorder([&] {
    ACL_OK(aclrtSetCurrentContext(context));
    EXPECT_EQ(here("record"), kOk);
  });
  for (const uint64_t until = monotonic_ns() + 100'000'000; monotonic_ns() < until;) {
    EXPECT_EQ(here("query"), "complete");
  }
  gate.open();
  filler.join();
  recorder.join();
  EXPECT_EQ(here("drain"), kOk);
}

TEST_F(IpcEvent, AWaitFailsWhenTheRecorderIsKilledAlthoughTheCreatorHasDestroyedTheEvent) {
  auto recorder = opener();
  auto waiter = opener();
  ASSERT_EQ(here("destroy"), kOk);
  ASSERT_EQ(recorder->ask("record held"), kOk);
  ASSERT_EQ(waiter->ask("wait"), kOk);
  EXPECT_EQ(waiter->ask("blocked"), kTimeout);
  recorder->kill();
  EXPECT_EQ(waiter->ask("drain"), kLost);
}

TEST_F(IpcEvent, ADestroyedEventIsOpenedByNobodyElse) {
  auto other = opener();
  const std::string handle = here("export");
  ASSERT_EQ(here("destroy"), kOk);
  SecondProcess late("event_side");
  EXPECT_EQ(late.ask("open " + handle), code_of(ACL_ERROR_RT_INVALID_HANDLE));
  EXPECT_EQ(other->ask("open again " + handle), kOk) << "who has it has it";
}

TEST_F(IpcEvent, AWaitFailsWhenTheRecorderIsKilled) {
  auto other = opener();
  ASSERT_EQ(other->ask("record held"), kOk);
  ASSERT_EQ(here("wait"), kOk);
  EXPECT_EQ(here("blocked"), kTimeout);
  other->kill();
  EXPECT_EQ(here("drain"), kLost);
  EXPECT_EQ(here("query"), kLost);
  EXPECT_EQ(here("wait"), kLost);
  EXPECT_EQ(here("sync"), kLost);
  ASSERT_EQ(here("record"), kOk) << "the event itself lives on";
  EXPECT_EQ(here("sync"), kOk);
}

TEST_F(IpcEvent, AWaitThatItsStreamReachesLaterFailsToo) {
  auto other = opener();
  ASSERT_EQ(other->ask("record held"), kOk);
  Gate gate;
  ACL_OK(gate.close(here_.stream));
  ASSERT_EQ(here("wait"), kOk);
  other->kill();
  const uint64_t until = monotonic_ns() + 2'000'000'000;
  while (here("query") == "pending" && monotonic_ns() < until) {
  }
  gate.open();
  EXPECT_EQ(here("drain"), kLost);
}

TEST_F(IpcEvent, AnotherProcesssWaitFailsWhenItsRecorderIsKilled) {
  auto recorder = opener();
  auto waiter = opener();
  ASSERT_EQ(recorder->ask("record held"), kOk);
  ASSERT_EQ(waiter->ask("wait"), kOk);
  EXPECT_EQ(waiter->ask("blocked"), kTimeout);
  recorder->kill();
  EXPECT_EQ(waiter->ask("drain"), kLost);
}

TEST_F(IpcEvent, AWaitFailsWhenTheCreatorIsKilled) {
  SecondProcess creator("event_side");
  ASSERT_EQ(creator.ask("create"), kOk);
  const std::string handle = creator.ask("export");
  Side opened;
  opened.stream = here_.stream;
  ASSERT_EQ(opened.obey("open " + handle), kOk);
  ASSERT_EQ(creator.ask("record held"), kOk);
  ASSERT_EQ(opened.obey("wait"), kOk);
  EXPECT_EQ(opened.obey("blocked"), kTimeout);
  creator.kill();
  EXPECT_EQ(opened.obey("drain"), kLost);
  EXPECT_EQ(opened.obey("record"), kLost);
  EXPECT_EQ(opened.obey("destroy"), kOk);
  EXPECT_EQ(opened.obey("open " + handle), kLost);
}

TEST_F(IpcEvent, ADroppedRecordFailsWhoWaits) {
  auto other = opener();
  ASSERT_EQ(other->ask("record held"), kOk);
  ASSERT_EQ(here("wait"), kOk);
  ASSERT_EQ(other->ask("abort held"), kOk);
  EXPECT_EQ(here("drain"), kLost);
}

TEST_F(IpcEvent, AWaitOutlivesTheHandles) {
  auto other = opener();
  ASSERT_EQ(other->ask("record held"), kOk);
  ASSERT_EQ(here("wait"), kOk);
  ASSERT_EQ(here("destroy"), kOk);
  ASSERT_EQ(other->ask("destroy"), kOk);
  EXPECT_EQ(here("blocked"), kTimeout);
  ASSERT_EQ(other->ask("let go"), kOk);
  EXPECT_EQ(here("drain"), kOk);
}

TEST_F(IpcEvent, WhatIsNotForThemIsRefused) {
  const aclError refused = ACL_ERROR_RT_FEATURE_NOT_SUPPORT;
  ASSERT_EQ(here("record"), kOk);
  ASSERT_EQ(here("drain"), kOk);
  EXPECT_EQ(aclrtResetEvent(here_.event, here_.stream), refused);
  aclrtEventStatus status;
  EXPECT_EQ(aclrtQueryEvent(here_.event, &status), ACL_ERROR_RT_PARAM_INVALID);
  aclrtEventWaitStatus wait_status;
  EXPECT_EQ(aclrtQueryEventWaitStatus(here_.event, &wait_status), ACL_ERROR_RT_PARAM_INVALID);
  float ms = 0;
  EXPECT_EQ(aclrtEventElapsedTime(&ms, here_.event, here_.event), refused);
  uint64_t at = 0;
  EXPECT_EQ(aclrtEventGetTimestamp(here_.event, &at), refused);
  uint32_t id = 0;
  EXPECT_EQ(aclrtGetEventId(here_.event, &id), refused);
}

TEST_F(IpcEvent, OverALinkThatIsDownItIsNotOpened) {
  const DeviceBook book = Driver::current().value()->host_table().devices();
  book.inject_link_down(0, 1);
  SecondProcess other("event_side_on_another_device");
  EXPECT_EQ(other.ask("open " + here("export")), code_of(ACL_ERROR_RT_LINK_ERROR));
  book.clear(0);
  EXPECT_EQ(other.ask("open " + here("export")), kOk);
}

TEST_F(IpcEvent, OnlyAnEventMadeForItIsHandedOut) {
  aclrtEvent plain = nullptr;
  ACL_OK(aclrtCreateEventExWithFlag(&plain, ACL_EVENT_SYNC));
  aclrtIpcEventHandle handle{};
  EXPECT_EQ(aclrtIpcGetEventHandle(plain, &handle), ACL_ERROR_RT_PARAM_INVALID);
  auto other = opener();
  EXPECT_EQ(other->ask("export"), kRefused) << "it has only opened it";
}

TEST_F(IpcEvent, HandlesThatNobodyMadeAreRefused) {
  aclrtEvent event = nullptr;
  aclrtIpcEventHandle handle{};
  EXPECT_EQ(aclrtIpcOpenEventHandle(handle, &event), ACL_ERROR_RT_PARAM_INVALID);
  std::memset(handle.reserved, 'x', sizeof handle.reserved);
  EXPECT_EQ(aclrtIpcOpenEventHandle(handle, &event), ACL_ERROR_RT_PARAM_INVALID);
  ACL_OK(aclrtIpcGetEventHandle(here_.event, &handle));
  EXPECT_EQ(aclrtIpcOpenEventHandle(handle, &event), ACL_ERROR_RT_PARAM_INVALID) << "its own";
  EXPECT_EQ(event, nullptr);
}

TEST_F(IpcEvent, AProcessIsKilledAnywhereBetweenRecordsAndWaits) {
  for (int round = 0; round < 20; ++round) {
    auto other = opener();
    for (int i = 0; i < round % 5; ++i) {
      ASSERT_EQ(other->ask("record"), kOk);
      ASSERT_EQ(here("wait"), kOk);
    }
    other->line().say("record");
    ASSERT_EQ(here("wait"), kOk);
    other->kill();
    const std::string end = here("drain");
    EXPECT_TRUE(end == kOk || end == kLost) << end;
    ASSERT_EQ(here("record"), kOk);
    ASSERT_EQ(here("sync"), kOk);
  }
}

}  // namespace
}  // namespace canopy::test
