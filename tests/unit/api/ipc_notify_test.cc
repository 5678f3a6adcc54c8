// Notifies between processes: one creates and waits, others record.
#include "tests/unit/api/gate.h"
#include "tests/unit/api/second_process.h"

#include "runtime/base/clock.h"
#include "runtime/driver/driver.h"
#include "tests/unit/driver/broker_peers.h"

#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

std::string code_of(aclError code) { return std::to_string(code); }

// What a wait ends with for a notify whose only listed process has ended.
aclError wait_for_nobody(aclrtStream stream) {
  int32_t ended = -1;
  const char* const program[] = {"true", nullptr};
  if (::posix_spawnp(&ended, program[0], nullptr, nullptr, const_cast<char* const*>(program), environ) != 0 ||
      ::waitpid(ended, nullptr, 0) != ended) {
    return -1;
  }
  aclrtNotify notify = nullptr;
  char key[65];
  aclError code = aclrtCreateNotify(&notify, ACL_NOTIFY_DEFAULT);
  code = code == ACL_SUCCESS ? aclrtNotifyGetExportKey(notify, key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT) : code;
  code = code == ACL_SUCCESS ? aclrtNotifySetImportPid(notify, &ended, 1) : code;
  code = code == ACL_SUCCESS ? aclrtWaitAndResetNotify(notify, stream, 0) : code;
  code = code == ACL_SUCCESS ? aclrtSynchronizeStream(stream) : code;
  (void)aclrtDestroyNotify(notify);
  return code;
}

// Says its pid, is told a key, imports it with `flags` on `device`, and records when told to; "wait": tries to wait.
void play_recorder(Line& line, int device, uint64_t flags) {
  line.say(std::to_string(::getpid()));
  const std::string key = line.hear();
  aclrtStream stream = nullptr;
  aclrtNotify notify = nullptr;
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(device) != ACL_SUCCESS || aclrtCreateStream(&stream) != ACL_SUCCESS) {
    line.say("no stream");
    return;
  }
  line.say(code_of(aclrtNotifyImportByKey(&notify, key.c_str(), flags)));
  for (std::string order = line.hear(); !order.empty(); order = line.hear()) {
    aclError code = ACL_SUCCESS;
    if (order == "record") {
      code = aclrtRecordNotify(notify, stream);
      code = code == ACL_SUCCESS ? aclrtSynchronizeStream(stream) : code;
    } else if (order == "wait") {
      code = aclrtWaitAndResetNotify(notify, stream, 1);
    } else if (order == "reset") {
      code = aclrtNotifyBatchReset(&notify, 1);
    } else if (order == "export") {
      char again[65];
      code = aclrtNotifyGetExportKey(notify, again, sizeof again, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT);
    } else if (order == "destroy") {
      code = aclrtDestroyNotify(notify);
    } else if (order == "import") {
      code = aclrtNotifyImportByKey(&notify, key.c_str(), flags);
    } else if (order == "leave") {
      code = aclrtDestroyNotify(notify);
      code = code == ACL_SUCCESS ? aclFinalize() : code;
    } else if (order == "lose") {
      code = wait_for_nobody(stream);
    } else if (order == "finalize" || order == "reset device") {
      code = order == "finalize" ? aclFinalize() : aclrtResetDevice(device);
    } else if (order == "come back") {
      code = aclInit(nullptr);
      code = code == ACL_SUCCESS || code == ACL_ERROR_REPEAT_INITIALIZE ? aclrtSetDevice(device) : code;
      code = code == ACL_SUCCESS ? aclrtCreateStream(&stream) : code;
      code = code == ACL_SUCCESS ? aclrtNotifyImportByKey(&notify, key.c_str(), flags) : code;
    } else if (order == "id") {
      uint32_t id = 0;
      code = aclrtGetNotifyId(notify, &id);
      line.say(std::to_string(id));
      continue;
    } else if (int count = 0; std::sscanf(order.c_str(), "flood %d", &count) == 1) {
      for (int i = 0; i < count; ++i) {
        line.say(code_of(aclrtRecordNotify(notify, stream)));
        if (line.hear().empty()) {
          break;
        }
      }
    }
    line.say(code_of(code));
  }
}

ROLE(recorder) { play_recorder(line, 0, ACL_RT_NOTIFY_IMPORT_FLAG_DEFAULT); }
ROLE(recorder_on_another_device) { play_recorder(line, 1, ACL_RT_NOTIFY_IMPORT_FLAG_ENABLE_PEER_ACCESS); }

class IpcNotify : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtCreateNotify(&notify_, ACL_NOTIFY_DEFAULT));
  }
  std::string export_key(uint64_t flags = ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION) {
    char key[65] = {};
    EXPECT_EQ(aclrtNotifyGetExportKey(notify_, key, sizeof key, flags), ACL_SUCCESS) << why();
    EXPECT_LT(std::strlen(key), 65u);
    return key;
  }
  // Starts a process that imports the notify.
  std::unique_ptr<SecondProcess> importer(const std::string& key, const char* role = "recorder",
                                          const std::string& result = "0") {
    auto other = std::make_unique<SecondProcess>(role);
    other->line().hear();
    EXPECT_EQ(other->ask(key), result);
    return other;
  }
  aclError blocked() { return aclrtSynchronizeStreamWithTimeout(stream_, 20); }

  static constexpr aclError kBlocked = ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
  aclrtStream stream_ = nullptr;
  aclrtNotify notify_ = nullptr;
};

TEST_F(IpcNotify, ARecordInAnotherProcessWakesAWait) {
  auto other = importer(export_key());
  for (int round = 0; round < 100; ++round) {
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    if (round % 10 == 0) {
      EXPECT_EQ(blocked(), kBlocked);
    }
    ASSERT_EQ(other->ask("record"), "0");
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
}

TEST_F(IpcNotify, ACardWakesAnotherProcesssStreamOnAnotherCard) {
  auto other = importer(export_key(), "recorder_on_another_device");
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ASSERT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

// With one executor, whose stream always has another task.
ROLE(waits_beside_a_busy_stream) {
  aclrtStream busy = nullptr;
  aclrtStream waits = nullptr;
  aclrtNotify notify = nullptr;
  aclrtContext context = nullptr;
  void* memory = nullptr;
  char key[65];
  constexpr size_t kBytes = 1 << 20;
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS || aclrtGetCurrentContext(&context) != ACL_SUCCESS ||
      aclrtCreateStream(&busy) != ACL_SUCCESS || aclrtCreateStream(&waits) != ACL_SUCCESS ||
      aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST) != ACL_SUCCESS || aclrtCreateNotify(&notify, 0) != ACL_SUCCESS ||
      aclrtNotifyGetExportKey(notify, key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION) != ACL_SUCCESS) {
    return;
  }
  line.say(key);
  line.hear();
  const aclError queued = aclrtWaitAndResetNotify(notify, waits, 0);
  std::atomic<bool> over{false};
  std::atomic<int> posted{0};
  std::thread flood([&] {
    (void)aclrtSetCurrentContext(context);
    for (; !over.load(); ++posted) {
      (void)aclrtMemsetAsync(memory, kBytes, 1, kBytes, busy);
    }
  });
  while (posted.load() < 3000) {  // more than the stream holds: it runs
    std::this_thread::yield();
  }
  line.say(code_of(queued));
  line.say(code_of(aclrtSynchronizeStreamWithTimeout(waits, 8000)));
  over = true;
  flood.join();
  line.hear();
}

TEST_F(IpcNotify, ARecordIsHeardWhileAnotherStreamAlwaysHasWork) {
  SecondProcess busy("waits_beside_a_busy_stream", {{"CANOPY_EXECUTORS", "1"}});
  const std::string key = busy.line().hear();
  aclrtNotify notify = nullptr;
  aclrtStream stream = nullptr;
  ACL_OK(aclrtCreateStream(&stream));
  ACL_OK(aclrtNotifyImportByKey(&notify, key.c_str(), ACL_RT_NOTIFY_IMPORT_FLAG_DEFAULT));
  ASSERT_EQ(busy.ask("wait"), "0");
  ACL_OK(aclrtRecordNotify(notify, stream));
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_EQ(busy.line().hear(), "0");
}

TEST_F(IpcNotify, ARecordBeforeTheWaitIsRememberedAndTwoAreOne) {
  auto other = importer(export_key());
  ASSERT_EQ(other->ask("record"), "0");
  ASSERT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  ASSERT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(IpcNotify, AWaitThatWasQueuedBeforeTheExportIsWoken) {
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  auto other = importer(export_key());
  ASSERT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(IpcNotify, ARecordBeforeTheExportIsKept) {
  ACL_OK(aclrtRecordNotify(notify_, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  export_key();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(IpcNotify, TheCreatorMayRecordAndResetAsBefore) {
  export_key();
  ACL_OK(aclrtRecordNotify(notify_, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtNotifyBatchReset(&notify_, 1));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  aclrtStream second = nullptr;
  ACL_OK(aclrtCreateStream(&second));
  ACL_OK(aclrtRecordNotify(notify_, second));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(IpcNotify, AnImporterOnlyRecords) {
  auto other = importer(export_key());
  EXPECT_EQ(other->ask("wait"), code_of(ACL_ERROR_RT_PARAM_INVALID));
  EXPECT_EQ(other->ask("reset"), code_of(ACL_ERROR_RT_PARAM_INVALID));
  EXPECT_EQ(other->ask("export"), code_of(ACL_ERROR_RT_PARAM_INVALID));
  uint32_t id = 0;
  ACL_OK(aclrtGetNotifyId(notify_, &id));
  EXPECT_EQ(other->ask("id"), std::to_string(id));
  EXPECT_EQ(other->ask("destroy"), "0");
  EXPECT_EQ(other->ask("record"), code_of(ACL_ERROR_RT_INVALID_HANDLE));
}

TEST_F(IpcNotify, OnlyListedProcessesImportByDefault) {
  const std::string key = export_key(ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT);
  auto refused = importer(key, "recorder", code_of(ACL_ERROR_RT_NO_PERMISSION));
  SecondProcess other("recorder");
  int32_t pid = std::stoi(other.line().hear());
  ACL_OK(aclrtNotifySetImportPid(notify_, &pid, 1));
  EXPECT_EQ(other.ask(key), "0");
}

TEST_F(IpcNotify, TheKeyIsTheSameEachTimeAndTheKindOfCheckStays) {
  const std::string key = export_key();
  EXPECT_EQ(export_key(), key);
  char again[65];
  EXPECT_EQ(aclrtNotifyGetExportKey(notify_, again, sizeof again, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT),
            ACL_ERROR_RT_PARAM_INVALID);
  int32_t pid = 1;
  EXPECT_EQ(aclrtNotifySetImportPid(notify_, &pid, 1), ACL_ERROR_RT_PARAM_INVALID) << "there is no list";
}

TEST_F(IpcNotify, ALinkThatIsDownIsNotOpenedByAnImport) {
  const DeviceBook book = Driver::current().value()->host_table().devices();
  book.inject_link_down(0, 1);
  importer(export_key(), "recorder_on_another_device", code_of(ACL_ERROR_RT_LINK_ERROR));
  book.clear(0);
  importer(export_key(), "recorder_on_another_device");
}

TEST_F(IpcNotify, WrongArgumentsAreRefused) {
  char key[65];
  EXPECT_EQ(aclrtNotifyGetExportKey(notify_, key, 64, 0), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtNotifyGetExportKey(notify_, key, 65, 1), ACL_ERROR_RT_PARAM_INVALID);
  int32_t pid = 1;
  EXPECT_EQ(aclrtNotifySetImportPid(notify_, &pid, 1), ACL_ERROR_RT_PARAM_INVALID) << "not exported";
  ACL_OK(aclrtNotifyGetExportKey(notify_, key, 65, 0));
  EXPECT_EQ(aclrtNotifySetImportPid(notify_, &pid, 0), ACL_ERROR_RT_PARAM_INVALID);
  int32_t numbers[] = {pid, -5};
  EXPECT_EQ(aclrtNotifySetImportPid(notify_, numbers, 2), ACL_ERROR_RT_PARAM_INVALID) << "no process has that number";
  aclrtNotify imported = nullptr;
  EXPECT_EQ(aclrtNotifyImportByKey(&imported, key, 1), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtNotifyImportByKey(&imported, key, 0), ACL_ERROR_RT_PARAM_INVALID) << "its own";
  EXPECT_EQ(aclrtNotifyImportByKey(&imported, "", 0), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(aclrtNotifyImportByKey(&imported, std::string(5000, 'x').c_str(), 0), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_EQ(imported, nullptr);
  aclrtServerPid server{0, &pid, 1};
  EXPECT_EQ(aclrtNotifySetImportPidInterServer(notify_, &server, 1), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

TEST_F(IpcNotify, AWaitFailsWhenTheImporterIsKilled) {
  auto other = importer(export_key());
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  const uint64_t from = monotonic_ns();
  other->kill();
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
  EXPECT_LT(monotonic_ns() - from, 2'000'000'000u);
  const std::string sentence = why();
  EXPECT_NE(sentence.find("is gone"), std::string::npos) << sentence;
}

TEST_F(IpcNotify, ALaterWaitFailsTooUntilItIsImportedAgain) {
  const std::string key = export_key();
  auto other = importer(key);
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  other->kill();
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
  auto next = importer(key);
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  ASSERT_EQ(next->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(IpcNotify, WhatAKilledImporterRecordedStillCounts) {
  auto other = importer(export_key());
  ASSERT_EQ(other->ask("record"), "0");
  other->kill();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

// Destroys `stream` on a thread of its own, which waits for what is queued.
class Ending {
 public:
  explicit Ending(aclrtStream stream)
      : thread_([this, stream] {
          (void)aclrtSetDevice(0);
          code_ = aclrtDestroyStream(stream);
          over_ = true;
        }) {}
  bool over() const { return over_; }
  aclError join() {
    thread_.join();
    return code_;
  }

 private:
  std::atomic<bool> over_{false};
  aclError code_ = -1;
  std::thread thread_;
};

TEST_F(IpcNotify, AStreamThatEndsLeavesWaitsWhenAllHaveGivenTheNotifyBack) {
  auto first = importer(export_key());
  auto second = importer(export_key());
  for (const uint32_t limit_s : {0, 30, 0}) {
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, limit_s));
  }
  ASSERT_EQ(first->ask("destroy"), "0");
  Ending ending(stream_);
  for (int i = 0; i < 50; ++i) {  // most of it while the stream drains
    ASSERT_EQ(second->ask("nothing"), "0");
  }
  EXPECT_FALSE(ending.over()) << "one has it yet";
  const uint64_t from = monotonic_ns();
  ASSERT_EQ(second->ask("destroy"), "0");
  EXPECT_EQ(ending.join(), ACL_SUCCESS);
  EXPECT_LT(monotonic_ns() - from, 2'000'000'000u);
}

TEST_F(IpcNotify, AStreamThatEndsLeavesAWaitThatNobodyHasImportedTheNotifyFor) {
  for (const uint64_t flags : {ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT}) {
    for (const bool queued_before : {false, true}) {
      aclrtNotify notify = nullptr;
      aclrtStream stream = nullptr;
      char key[65];
      ACL_OK(aclrtCreateNotify(&notify, ACL_NOTIFY_DEFAULT));
      ACL_OK(aclrtCreateStream(&stream));
      if (queued_before) {
        ACL_OK(aclrtWaitAndResetNotify(notify, stream, 0));
      }
      ACL_OK(aclrtNotifyGetExportKey(notify, key, sizeof key, flags));
      if (!queued_before) {
        ACL_OK(aclrtWaitAndResetNotify(notify, stream, 0));
      }
      EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream, 10), kBlocked) << "until it ends";
      ACL_OK(aclrtDestroyStream(stream));
      ACL_OK(aclrtDestroyNotify(notify));
    }
  }
}

TEST_F(IpcNotify, AStreamThatEndsWaitsWhileThisProcessMayRecord) {
  aclrtStream second = nullptr;
  ACL_OK(aclrtCreateStream(&second));
  Gate gate;
  ACL_OK(gate.close(second));
  auto other = importer(export_key());
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtRecordNotify(notify_, second));
  ASSERT_EQ(other->ask("destroy"), "0");
  Ending ending(stream_);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(other->ask("nothing"), "0");
  }
  EXPECT_FALSE(ending.over());
  gate.open();
  EXPECT_EQ(ending.join(), ACL_SUCCESS);
  ACL_OK(aclrtSynchronizeStream(second));
}

TEST_F(IpcNotify, AnImporterThatGivesItBackFailsNobody) {
  auto other = importer(export_key());
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ASSERT_EQ(other->ask("destroy"), "0");
  other->kill();
  EXPECT_EQ(blocked(), kBlocked);
  aclrtStream second = nullptr;
  ACL_OK(aclrtCreateStream(&second));
  ACL_OK(aclrtRecordNotify(notify_, second));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

// Processes that may import the notify, and leave in good order.
class ListedIpcNotify : public IpcNotify {
 protected:
  void SetUp() override {
    IpcNotify::SetUp();
    key_ = export_key(ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT);
  }
  std::unique_ptr<SecondProcess> listed() {
    auto other = std::make_unique<SecondProcess>("recorder");
    int32_t pid = std::stoi(other->line().hear());
    EXPECT_EQ(aclrtNotifySetImportPid(notify_, &pid, 1), ACL_SUCCESS) << why();
    return other;
  }
  std::unique_ptr<SecondProcess> listed_importer() {
    auto other = listed();
    EXPECT_EQ(other->ask(key_), "0");
    return other;
  }
  // Gives the import back, finalizes, and ends.
  static void leave(SecondProcess& other) {
    EXPECT_EQ(other.ask("leave"), "0");
    other.line().say("");
    EXPECT_EQ(other.wait(), 0);
  }
  // A wait that nobody is left to end.
  void expect_loss() {
    const uint64_t from = monotonic_ns();
    EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 5000), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
    EXPECT_LT(monotonic_ns() - from, 2'000'000'000u);
  }
  std::string key_;
};

TEST_F(ListedIpcNotify, AWaitFailsWhenAllListedHaveEndedInGoodOrder) {
  auto first = listed_importer();
  auto second = listed_importer();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  leave(*first);
  EXPECT_EQ(blocked(), kBlocked) << "one is left";
  leave(*second);
  expect_loss();
  const std::string sentence = why();
  EXPECT_NE(sentence.find("all processes that may import notify"), std::string::npos) << sentence;
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  expect_loss();
  auto third = listed();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked) << "it may import it";
  ASSERT_EQ(third->ask(key_), "0");
  ASSERT_EQ(third->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(ListedIpcNotify, WhatTheyRecordedStillCounts) {
  auto other = listed_importer();
  ASSERT_EQ(other->ask("record"), "0");
  leave(*other);
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(ListedIpcNotify, OneThatGivesItBackMayComeBack) {
  auto other = listed_importer();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(other->ask("destroy"), "0");
  EXPECT_EQ(blocked(), kBlocked);
  EXPECT_EQ(other->ask("import"), "0");
  EXPECT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(ListedIpcNotify, OneThatTearsDownMayComeBack) {
  auto other = listed_importer();
  for (const char* way : {"reset device", "finalize", "leave"}) {
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    ASSERT_EQ(other->ask(way), "0");
    EXPECT_EQ(blocked(), kBlocked) << way;
    ASSERT_EQ(other->ask("come back"), "0");
    ASSERT_EQ(other->ask("record"), "0");
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
}

TEST_F(ListedIpcNotify, OneThatFinalizesBehindALossIsGoneUntilItImportsAgain) {
  auto other = listed_importer();
  for (const char* way : {"finalize", "leave"}) {
    ASSERT_EQ(other->ask("lose"), code_of(ACL_ERROR_RT_DRV_INTERNAL_ERROR));
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    EXPECT_EQ(blocked(), kBlocked) << way;
    ASSERT_EQ(other->ask(way), "0");
    expect_loss();
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    expect_loss();
    ASSERT_EQ(other->ask("come back"), "0") << way;
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    EXPECT_EQ(blocked(), kBlocked) << way;
    ASSERT_EQ(other->ask("record"), "0");
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
}

TEST_F(ListedIpcNotify, OneThatComesBackForAnotherNotifyMayComeBackForThis) {
  aclrtNotify second = nullptr;
  char key[65];
  ACL_OK(aclrtCreateNotify(&second, ACL_NOTIFY_DEFAULT));
  ACL_OK(aclrtNotifyGetExportKey(second, key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT));
  auto other = listed_importer();
  int32_t pid = other->pid();
  ACL_OK(aclrtNotifySetImportPid(second, &pid, 1));
  ASSERT_EQ(other->ask("lose"), code_of(ACL_ERROR_RT_DRV_INTERNAL_ERROR));
  ASSERT_EQ(other->ask("leave"), "0");
  for (aclrtNotify each : {notify_, second}) {
    ACL_OK(aclrtWaitAndResetNotify(each, stream_, 0));
    expect_loss();
  }
  ASSERT_EQ(other->ask("come back"), "0");
  const auto waits = [&] { return aclrtWaitAndResetNotify(second, stream_, 0) == ACL_SUCCESS && blocked() == kBlocked; };
  EXPECT_TRUE(soon(waits, std::chrono::seconds(5))) << "it may come for that, too, which this process hears behind the first";
  ASSERT_EQ(other->ask("lose"), code_of(ACL_ERROR_RT_DRV_INTERNAL_ERROR));
  ASSERT_EQ(other->ask("leave"), "0");
  expect_loss();
  ACL_OK(aclrtNotifySetImportPid(second, &pid, 1));
  ACL_OK(aclrtWaitAndResetNotify(second, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked) << "listed once more, it is expected again";
  other->kill();
  expect_loss();
}

TEST_F(ListedIpcNotify, AStreamThatEndsWaitsForWhoIsYetToCome) {
  auto first = listed_importer();
  auto second = listed();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ASSERT_EQ(first->ask("destroy"), "0");
  Ending ending(stream_);
  ASSERT_EQ(second->ask(key_), "0");
  EXPECT_FALSE(ending.over());
  ASSERT_EQ(second->ask("record"), "0");
  EXPECT_EQ(ending.join(), ACL_SUCCESS);
}

TEST_F(ListedIpcNotify, OneThatEndsBeforeItsImportIsNoticed) {
  auto other = listed();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  other->kill();
  expect_loss();
}

TEST_F(ListedIpcNotify, OneThatHasEndedWhenItIsListedIsNoticed) {
  SecondProcess other("recorder");
  int32_t pid = std::stoi(other.line().hear());
  other.kill();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked) << "nobody is listed yet";
  ACL_OK(aclrtNotifySetImportPid(notify_, &pid, 1));
  expect_loss();
}

TEST_F(ListedIpcNotify, ThisProcessIsNoImporter) {
  int32_t own = ::getpid();
  ACL_OK(aclrtNotifySetImportPid(notify_, &own, 1));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked) << "others may be listed yet";
  auto other = listed_importer();
  leave(*other);
  expect_loss();
}

TEST_F(ListedIpcNotify, WhoRecordsItItselfWaitsOn) {
  ACL_OK(aclrtRecordNotify(notify_, stream_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  auto other = listed_importer();
  leave(*other);
  EXPECT_EQ(blocked(), kBlocked);
  aclrtStream second = nullptr;
  ACL_OK(aclrtCreateStream(&second));
  ACL_OK(aclrtRecordNotify(notify_, second));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(ListedIpcNotify, WhoHasQueuedARecordOrMadeOneBeforeTheExportWaitsOn) {
  aclrtStream second = nullptr;
  ACL_OK(aclrtCreateStream(&second));
  for (const bool queued : {true, false}) {
    ACL_OK(aclrtDestroyNotify(notify_));
    ACL_OK(aclrtCreateNotify(&notify_, ACL_NOTIFY_DEFAULT));
    Gate gate;
    if (queued) {
      ACL_OK(gate.close(second));
    }
    ACL_OK(aclrtRecordNotify(notify_, second));
    if (!queued) {
      ACL_OK(aclrtSynchronizeStream(second));
      ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    }
    key_ = export_key(ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT);
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    auto other = listed_importer();
    leave(*other);
    EXPECT_EQ(blocked(), kBlocked) << queued;
    gate.open();
    if (!queued) {
      ACL_OK(aclrtRecordNotify(notify_, second));
    }
    ACL_OK(aclrtSynchronizeStream(stream_));
    ACL_OK(aclrtSynchronizeStream(second));
  }
}

TEST_F(ListedIpcNotify, WhoRecordsItItselfAfterTheirEndWaitsOn) {
  auto other = listed_importer();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  leave(*other);
  expect_loss();
  aclrtStream second = nullptr;
  ACL_OK(aclrtCreateStream(&second));
  Gate gate;
  ACL_OK(gate.close(second));
  ACL_OK(aclrtRecordNotify(notify_, second));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(ListedIpcNotify, AResetBringsNobodyBack) {
  auto other = listed_importer();
  ASSERT_EQ(other->ask("record"), "0");
  other->kill();
  ACL_OK(aclrtNotifyBatchReset(&notify_, 1));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  expect_loss();
  ACL_OK(aclrtNotifyBatchReset(&notify_, 1));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  expect_loss();
}

TEST_F(ListedIpcNotify, AKilledImporterEndsLaterWaitsOnlyWhenNobodyElseIsListed) {
  auto first = listed_importer();
  auto second = listed();
  first->kill();
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  if (blocked() != kBlocked) {  // it was queued before the loss was seen
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    EXPECT_EQ(blocked(), kBlocked) << "the second one may import it";
  }
  ASSERT_EQ(second->ask(key_), "0");
  ASSERT_EQ(second->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  leave(*second);
  expect_loss();
}

TEST_F(ListedIpcNotify, NotifiesGoOnWithOneDescriptorPerProcess) {
  auto other = listed_importer();
  int32_t pid = other->pid();
  const auto descriptors = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  std::vector<aclrtNotify> more(64);
  const auto make = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      char key[65];
      ACL_OK(aclrtCreateNotify(&more[i], ACL_NOTIFY_DEFAULT));
      ACL_OK(aclrtNotifyGetExportKey(more[i], key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT));
      ACL_OK(aclrtNotifySetImportPid(more[i], &pid, 1));
      ACL_OK(aclrtWaitAndResetNotify(more[i], stream_, 0));
    }
  };
  make(0, 1);
  const auto before = descriptors();
  make(1, more.size());
  EXPECT_LT(descriptors(), before + 8) << "pages of notifies";
  leave(*other);
  expect_loss();
  ACL_OK(aclrtSynchronizeStream(stream_)) << "all waits are over";
  EXPECT_TRUE(soon([&] { return descriptors() < before; }, std::chrono::seconds(5))) << "nor when it has ended";
  for (aclrtNotify each : more) {
    ACL_OK(aclrtDestroyNotify(each));
  }
}

// One of a ring: exports a notify for the one before it, imports the next one's, and hands a token round until an error
// comes. Then it tears down in good order.
ROLE(ring_member) {
  aclrtStream stream = nullptr;
  aclrtNotify own = nullptr, next = nullptr;
  char key[65] = {};
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS || aclrtCreateStream(&stream) != ACL_SUCCESS ||
      aclrtCreateNotify(&own, ACL_NOTIFY_DEFAULT) != ACL_SUCCESS ||
      aclrtNotifyGetExportKey(own, key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT) != ACL_SUCCESS) {
    return;
  }
  line.say(key);
  int32_t before = std::stoi(line.hear());
  line.say(code_of(aclrtNotifySetImportPid(own, &before, 1)));
  line.say(code_of(aclrtNotifyImportByKey(&next, line.hear().c_str(), ACL_RT_NOTIFY_IMPORT_FLAG_DEFAULT)));
  const bool starts = line.hear() == "start";
  aclError code = starts ? aclrtRecordNotify(next, stream) : ACL_SUCCESS;
  for (int round = 0; code == ACL_SUCCESS; ++round) {
    code = aclrtWaitAndResetNotify(own, stream, 0);
    code = code == ACL_SUCCESS ? aclrtRecordNotify(next, stream) : code;
    code = code == ACL_SUCCESS ? aclrtSynchronizeStream(stream) : code;
    if (round == 20) {
      line.say("runs");
    }
  }
  const bool in_order = aclrtDestroyNotify(next) == ACL_SUCCESS && aclrtDestroyNotify(own) == ACL_SUCCESS &&
                        aclrtDestroyStream(stream) == ACL_SUCCESS && aclFinalize() == ACL_SUCCESS;
  line.say(code_of(code) + (in_order ? " in order" : " not in order"));
}

TEST(IpcNotifyRing, EndsWithoutAHangWhenOneIsKilledAndOthersTearDown) {
  std::vector<std::unique_ptr<SecondProcess>> members;
  std::vector<std::string> keys;
  for (int i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<SecondProcess>("ring_member"));
    keys.push_back(members.back()->line().hear());
  }
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(members[i]->ask(std::to_string(members[(i + 2) % 3]->pid())), "0");
  }
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(members[i]->ask(keys[(i + 1) % 3]), "0");
  }
  for (size_t i = 3; i-- > 0;) {
    members[i]->line().say(i == 0 ? "start" : "go");
  }
  for (auto& each : members) {
    ASSERT_EQ(each->line().hear(), "runs");
  }
  members[1]->kill();
  for (const size_t i : {2u, 0u}) {  // each waits for the one before it
    const uint64_t from = monotonic_ns();
    EXPECT_EQ(members[i]->line().hear(), code_of(ACL_ERROR_RT_DRV_INTERNAL_ERROR) + " in order");
    EXPECT_LT(monotonic_ns() - from, 2'000'000'000u);
    EXPECT_EQ(members[i]->wait(), 0);
  }
}

// One of a circle, each of which waits for both neighbours' records: hears two pids and two keys, says its own keys first, and hands
// tokens round until an error comes. Then it ends as it was told, with waits that are queued yet.
ROLE(circle_member) {
  const std::string said = line.hear();
  const bool listed = said != "finalizes_unlisted";
  const std::string way = listed ? said : "finalizes";
  aclrtStream stream[2] = {};
  aclrtNotify own[2] = {}, their[2] = {};
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS) {
    return;
  }
  for (int side = 0; side < 2; ++side) {
    char key[65] = {};
    if (aclrtCreateStream(&stream[side]) != ACL_SUCCESS || aclrtCreateNotify(&own[side], ACL_NOTIFY_DEFAULT) != ACL_SUCCESS ||
        aclrtNotifyGetExportKey(own[side], key, sizeof key,
                                listed ? ACL_RT_NOTIFY_EXPORT_FLAG_DEFAULT : ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION) !=
            ACL_SUCCESS) {
      return;
    }
    line.say(key);
    int32_t neighbour = std::stoi(line.hear());
    line.say(code_of(listed ? aclrtNotifySetImportPid(own[side], &neighbour, 1) : ACL_SUCCESS));
  }
  for (int side = 0; side < 2; ++side) {
    line.say(code_of(aclrtNotifyImportByKey(&their[side], line.hear().c_str(), ACL_RT_NOTIFY_IMPORT_FLAG_DEFAULT)));
  }
  line.hear();
  aclError code = ACL_SUCCESS;
  const auto note = [&](aclError each) { code = code == ACL_SUCCESS ? each : code; };
  for (int round = 0; code == ACL_SUCCESS; ++round) {
    for (int side = 0; side < 2; ++side) {
      note(aclrtRecordNotify(their[side], stream[side]));
    }
    for (int side = 0; side < 2; ++side) {
      note(aclrtWaitAndResetNotify(own[side], stream[side], 0));
    }
    for (int side = 0; side < 2; ++side) {
      note(aclrtSynchronizeStream(stream[side]));
    }
    if (round == 20) {
      line.say("runs");
    }
  }
  bool in_order = true;
  const auto check = [&](aclError each) { in_order = in_order && each == ACL_SUCCESS; };
  for (int side = 0; side < 2; ++side) {
    for (int more = 0; more < 3; ++more) {
      check(aclrtWaitAndResetNotify(own[side], stream[side], 0));
    }
  }
  if (way == "streams_first") {
    for (int side = 0; side < 2; ++side) {
      check(aclrtDestroyStream(stream[side]));
    }
  }
  if (way == "destroys") {
    for (int side = 0; side < 2; ++side) {
      check(aclrtDestroyNotify(their[side]));
    }
    for (int side = 0; side < 2; ++side) {
      check(aclrtDestroyStream(stream[side]));
    }
  }
  if (way != "finalizes") {
    check(aclrtResetDevice(0));
  }
  check(aclFinalize());
  line.say(code_of(code) + (in_order ? " in order" : " not in order"));
  line.hear();  // it lives on
}

class IpcNotifyCircle : public ::testing::TestWithParam<const char*> {};

TEST_P(IpcNotifyCircle, EndsWithoutAHangWhenOneIsKilledAndOthersTearDown) {
  constexpr size_t kMembers = 5;
  std::vector<std::unique_ptr<SecondProcess>> members;
  for (size_t i = 0; i < kMembers; ++i) {
    members.push_back(std::make_unique<SecondProcess>("circle_member"));
    members.back()->line().say(GetParam());
  }
  std::vector<std::array<std::string, 2>> keys(kMembers);
  const auto neighbour = [&](size_t i, size_t side) { return (i + (side == 0 ? kMembers - 1 : 1)) % kMembers; };
  for (size_t side = 0; side < 2; ++side) {
    for (size_t i = 0; i < kMembers; ++i) {
      keys[i][side] = members[i]->line().hear();
      ASSERT_EQ(members[i]->ask(std::to_string(members[neighbour(i, side)]->pid())), "0");
    }
  }
  for (size_t side = 0; side < 2; ++side) {
    for (size_t i = 0; i < kMembers; ++i) {
      ASSERT_EQ(members[i]->ask(keys[neighbour(i, side)][1 - side]), "0");
    }
  }
  for (auto& each : members) {
    each->line().say("go");
  }
  for (auto& each : members) {
    ASSERT_EQ(each->line().hear(), "runs");
  }
  members[2]->kill();
  const uint64_t from = monotonic_ns();
  for (const size_t i : {0u, 1u, 3u, 4u}) {
    EXPECT_EQ(members[i]->line().hear(), code_of(ACL_ERROR_RT_DRV_INTERNAL_ERROR) + " in order") << i;
  }
  EXPECT_LT(monotonic_ns() - from, 2'000'000'000u);
}

INSTANTIATE_TEST_SUITE_P(Ways, IpcNotifyCircle, ::testing::Values("destroys", "streams_first", "resets", "finalizes", "finalizes_unlisted"),
                         [](const auto& way) { return std::string(way.param); });

TEST_F(IpcNotify, AWaitOutlivesTheHandle) {
  auto other = importer(export_key());
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  ACL_OK(aclrtDestroyNotify(notify_));
  EXPECT_EQ(blocked(), kBlocked);
  ASSERT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(other->ask("import"), code_of(ACL_ERROR_RT_INVALID_HANDLE)) << "nobody is left who could wait";
}

TEST_F(IpcNotify, ALimitEndsAWait) {
  auto other = importer(export_key());
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 1));
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_TASK_TIMEOUT);
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 5));
  ASSERT_EQ(other->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

// The creator is a process of its own here, and this one imports.
ROLE(creator) {
  aclrtNotify notify = nullptr;
  char key[65] = {};
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS || aclrtCreateNotify(&notify, 0) != ACL_SUCCESS ||
      aclrtNotifyGetExportKey(notify, key, sizeof key, ACL_RT_NOTIFY_EXPORT_FLAG_DISABLE_PID_VALIDATION) != ACL_SUCCESS) {
    line.say("failed");
    return;
  }
  line.say(key);
  line.hear();
}

TEST_F(IpcNotify, RecordsFailWhenTheCreatorIsGone) {
  SecondProcess creator("creator");
  const std::string key = creator.line().hear();
  aclrtNotify imported = nullptr;
  ACL_OK(aclrtNotifyImportByKey(&imported, key.c_str(), 0));
  ACL_OK(aclrtRecordNotify(imported, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  creator.kill();
  aclError code = ACL_SUCCESS;
  const uint64_t until = monotonic_ns() + 2'000'000'000;
  while (code == ACL_SUCCESS && monotonic_ns() < until) {
    code = aclrtRecordNotify(imported, stream_);
    ACL_OK(aclrtSynchronizeStream(stream_));  // those before go nowhere, and hold nothing up
  }
  EXPECT_EQ(code, ACL_ERROR_RT_DRV_INTERNAL_ERROR);
  ACL_OK(aclrtDestroyNotify(imported));
  EXPECT_EQ(aclrtNotifyImportByKey(&imported, key.c_str(), 0), ACL_ERROR_RT_DRV_INTERNAL_ERROR);
}

TEST_F(IpcNotify, TheCreatorIsKilledWhileItIsToldARecord) {
  for (int round = 0; round < 20; ++round) {
    SecondProcess creator("creator");
    const std::string key = creator.line().hear();
    aclrtNotify imported = nullptr;
    ACL_OK(aclrtNotifyImportByKey(&imported, key.c_str(), 0));
    for (int i = 0; i < 50; ++i) {
      (void)aclrtRecordNotify(imported, stream_);
    }
    creator.kill();
    ACL_OK(aclrtSynchronizeStream(stream_));
    ACL_OK(aclrtDestroyNotify(imported));
  }
}

TEST_F(IpcNotify, AnImporterIsKilledAnywhereInAFloodOfRecords) {
  const std::string key = export_key();
  for (int round = 0; round < 20; ++round) {
    auto other = importer(key);
    other->line().say("flood 1000");
    for (int i = 0; i < round; ++i) {
      other->line().hear();
      ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
      ASSERT_EQ(aclrtSynchronizeStream(stream_), ACL_SUCCESS) << "round " << round << ", record " << i;
      other->line().say("next");
    }
    other->kill();
    // One record may be left over; then the wait fails.
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    (void)aclrtSynchronizeStream(stream_);
    ACL_OK(aclrtNotifyBatchReset(&notify_, 1));
  }
}

TEST_F(IpcNotify, ThreeProcessesRecordOneNotify) {
  const std::string key = export_key();
  std::vector<std::unique_ptr<SecondProcess>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(importer(key));
  }
  for (int round = 0; round < 30; ++round) {
    ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
    ASSERT_EQ(others[static_cast<size_t>(round % 3)]->ask("record"), "0");
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  others[0]->kill();
  EXPECT_EQ(aclrtSynchronizeStream(stream_), ACL_ERROR_RT_DRV_INTERNAL_ERROR) << "it could have been the one";
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked) << "two are left";
  ASSERT_EQ(others[1]->ask("record"), "0");
  ACL_OK(aclrtSynchronizeStream(stream_));
}

// Every executor is in a function that does not yield; then only a spare can look.
TEST_F(IpcNotify, AProcessWhoseExecutorsAreStuckHearsOfARecord) {
  auto other = importer(export_key());
  std::atomic<bool> over{false};
  std::vector<aclrtStream> stuck(8);
  for (aclrtStream& each : stuck) {
    ACL_OK(aclrtCreateStream(&each));
    ACL_OK(aclrtLaunchHostFunc(each, [](void* end) {
      while (!static_cast<std::atomic<bool>*>(end)->load()) {
      }
    }, &over));
  }
  ACL_OK(aclrtWaitAndResetNotify(notify_, stream_, 0));
  EXPECT_EQ(blocked(), kBlocked);
  EXPECT_EQ(other->ask("record"), "0");
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 5000), ACL_SUCCESS) << why();
  over = true;
  for (aclrtStream each : stuck) {
    ACL_OK(aclrtSynchronizeStream(each));
  }
}

}  // namespace
}  // namespace canopy::test
