// A synchronisation that gives up says what the stream waits for.
#include "runtime/base/wait_report.h"
#include "tests/unit/api/gate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

class StuckStream : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtCreateStream(&other_));
    ACL_OK(aclrtStreamGetId(stream_, &number_));
  }
  // The sentence up to the state of the kernels.
  std::string sentence() {
    EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(stream_, 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    const std::string text = why();
    return text.substr(0, text.find('\n'));
  }
  std::string stuck(const std::string& what) const {
    return fmt::format("device 0 stream {}: 0 of 1 tasks completed, the next one waits for {}",
                       number_, what);
  }

  aclrtStream stream_ = nullptr;
  aclrtStream other_ = nullptr;
  int32_t number_ = 0;
};

TEST_F(StuckStream, NamesTheEvent) {
  for (int32_t limit : {0, 900}) {
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtStreamGetId(stream_, &number_));
    aclrtEvent event = nullptr;
    uint32_t id = 0;
    ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_EXTERNAL));
    ACL_OK(aclrtStreamWaitEventWithTimeout(stream_, event, limit));
    ACL_OK(aclrtGetEventId(event, &id));
    EXPECT_EQ(sentence(), stuck(fmt::format("the record of event {}{}, which has not been made yet", id,
                                            limit == 0 ? "" : ", for 900 s at most")));
    ACL_OK(aclrtRecordEvent(event, other_));
    ACL_OK(aclrtSynchronizeStream(stream_));
  }
}

TEST_F(StuckStream, NamesTheNotify) {
  aclrtNotify notify = nullptr;
  uint32_t id = 0;
  ACL_OK(aclrtCreateNotify(&notify, 0));
  ACL_OK(aclrtGetNotifyId(notify, &id));
  ACL_OK(aclrtWaitAndResetNotify(notify, stream_, 0));
  EXPECT_EQ(sentence(), stuck(fmt::format("notify {} to be equal to 1, it is 0", id)));
  ACL_OK(aclrtRecordNotify(notify, other_));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(StuckStream, NamesTheCountingNotify) {
  aclrtCntNotify counter = nullptr;
  uint32_t id = 0;
  ACL_OK(aclrtCntNotifyCreate(&counter, 0));
  ACL_OK(aclrtCntNotifyGetId(counter, &id));
  aclrtCntNotifyWaitInfo want{ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE, 7, 900, 0, {}};
  ACL_OK(aclrtCntNotifyWaitWithTimeout(counter, stream_, &want));
  EXPECT_EQ(sentence(),
            stuck(fmt::format("counting notify {} to be above 7, for 900 s at most, it is 0", id)));
  aclrtCntNotifyRecordInfo set{ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE, 8};
  ACL_OK(aclrtCntNotifyRecord(counter, other_, &set));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

TEST_F(StuckStream, NamesTheWord) {
  void* word = nullptr;
  ACL_OK(aclrtMalloc(&word, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  ACL_OK(aclrtMemset(word, 64, 0, 64));
  ACL_OK(aclrtValueWait(word, 0x2A, ACL_STREAM_WAIT_VALUE_EQ, stream_));
  EXPECT_EQ(sentence(), stuck(fmt::format("the word at {} to be equal to 0x2a, it is 0x0", word)));
  ACL_OK(aclrtValueWrite(word, 0x2A, 0, other_));
  ACL_OK(aclrtSynchronizeStream(stream_));
}

// ---- A synchronisation that does not give up says so now and then.

TEST_F(StuckStream, AHangReportNamesEveryBlockAndStreamThatWaits) {
  void* memory = zeroed_memory(64);
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtValueWait(memory, 0x2A, ACL_STREAM_WAIT_VALUE_EQ, other_));
  int32_t other_number = 0;
  ACL_OK(aclrtStreamGetId(other_, &other_number));
  const std::string path = write_scratch("hang-report.txt", "");
  const int before = ::dup(STDERR_FILENO);
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND);
  ::dup2(file, STDERR_FILENO);
  set_wait_report_interval(std::chrono::milliseconds(1));
  std::thread waiting([&] {
    ACL_OK(aclrtSetDevice(0));
    ACL_OK(aclrtSynchronizeStream(stream_));
  });
  const std::vector<std::string> lines = {
      fmt::format("s: device 0 stream {}: 0 of 1 tasks completed", number_),
      "kernel hold_until_open block 0 of 1: waits for a test's gate: the word at 0x",
      "to be other than 0, it is 0",
      fmt::format("device 0 stream {}: waits for the word at {} to be equal to 0x2a, it is 0x0", other_number, memory)};
  const auto told = [&] {
    std::ifstream text(path);
    const std::string all{std::istreambuf_iterator<char>(text), std::istreambuf_iterator<char>()};
    return std::all_of(lines.begin(), lines.end(),
                       [&](const std::string& line) { return all.find(line) != std::string::npos; });
  };
  while (!told()) {  // or the test's own time limit ends it
    std::this_thread::yield();
  }
  set_wait_report_interval(kWaitReportInterval);
  gate.open();
  waiting.join();
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  ::close(file);
  ACL_OK(aclrtValueWrite(memory, 0x2A, 0, nullptr));
  ACL_OK(aclrtSynchronizeStream(other_));
}

}  // namespace
}  // namespace canopy::test
