// A process that is asleep in a call when somebody else has its device lost, or resets it: it hears of that at once,
// and goes on when the fault is cleared.
#include "runtime/base/clock.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/host_view.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/api/second_process.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace canopy::test {
namespace {

constexpr uint64_t kPatienceMs = 2'000;  // what is promised; it takes some milliseconds

// Work that does not end by itself, and the calls that wait for it.
struct Blocked {
  Gate gate;
  aclrtStream stream = nullptr;
  aclrtNotify notify = nullptr;
  aclrtEvent event = nullptr;
  aclmdlRI model = nullptr;
  void* memory = nullptr;
  std::vector<char> pageable = std::vector<char>(4096);
  std::atomic<int> ran{0};

  aclError hold() {
    const aclError made = aclrtCreateStream(&stream);
    return made != ACL_SUCCESS ? made : gate.close(stream);
  }
  aclError prepare(std::string_view call) {
    if (call == "notify") {  // nothing runs: the stream waits
      aclrtCreateStream(&stream);
      aclrtCreateNotify(&notify, ACL_NOTIFY_DEFAULT);
      return aclrtWaitAndResetNotify(notify, stream, 0);
    }
    if (call == "model") {
      aclrtCreateStreamWithConfig(&stream, 0, ACL_STREAM_PERSISTENT);
      aclmdlRIBuildBegin(&model, 0);
      aclmdlRIBindStream(model, stream, 0);
      gate.close(stream);
      aclmdlRIEndTask(model, stream);
      return aclmdlRIBuildEnd(model, nullptr);
    }
    if (const aclError held = hold(); held != ACL_SUCCESS) {
      return held;
    }
    if (call == "event" || call == "shared event") {
      call == "event" ? aclrtCreateEvent(&event) : aclrtCreateEventExWithFlag(&event, ACL_EVENT_IPC);
      return aclrtRecordEvent(event, stream);
    }
    return aclrtMalloc(&memory, pageable.size(), ACL_MEM_MALLOC_HUGE_FIRST);
  }
  // Launches until one is refused, more than a queue holds.
  aclError fill_queue() {
    for (int i = 0; i < 5'000; ++i) {
      const auto add = [](void* p) { static_cast<std::atomic<int>*>(p)->fetch_add(1); };
      if (const aclError code = aclrtLaunchHostFunc(stream, add, &ran); code != ACL_SUCCESS) {
        return code;
      }
    }
    return ACL_SUCCESS;
  }
  aclError enter(std::string_view call) {
    const std::map<std::string_view, std::function<aclError()>> calls = {
        {"stream", [&] { return aclrtSynchronizeStream(stream); }},
        {"stream with limit", [&] { return aclrtSynchronizeStreamWithTimeout(stream, 60'000); }},
        {"notify", [&] { return aclrtSynchronizeStream(stream); }},
        {"device", [&] { return aclrtSynchronizeDevice(); }},
        {"event", [&] { return aclrtSynchronizeEvent(event); }},
        {"shared event", [&] { return aclrtSynchronizeEvent(event); }},
        {"model", [&] { return aclmdlRIExecute(model, -1); }},
        {"copy", [&] { return aclrtMemcpyAsync(memory, pageable.size(), pageable.data(), 8, ACL_MEMCPY_DEFAULT, stream); }},
        {"full queue", [&] { return fill_queue(); }},
        {"destroy", [&] { return aclrtDestroyStream(stream); }},
        {"close", [&] { return aclrtResetDevice(0); }},
        {"finalize", [&] { return aclFinalize(); }},
    };
    return calls.at(call)();
  }
};

ROLE(blocked) {
  const std::string call = line.hear();
  Blocked work;
  if (aclInit(nullptr) != ACL_SUCCESS || aclrtSetDevice(0) != ACL_SUCCESS || work.prepare(call) != ACL_SUCCESS) {
    line.say(why());
    return;
  }
  line.say("ready");
  line.say(std::to_string(work.enter(call)));
  while (!line.hear().empty()) {  // whether the process can be used
    Blocked again;
    aclrtSetDevice(0);
    aclrtCreateStream(&again.stream);
    aclrtLaunchHostFunc(again.stream, [](void* p) { static_cast<std::atomic<int>*>(p)->store(7); }, &again.ran);
    const aclError code = aclrtSynchronizeStream(again.stream);
    line.say(fmt::format("{} {}", code, again.ran.load()));
  }
}

// The third field of its stat: the thread of main() sleeps.
bool asleep(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.size() > name_end + 2 && stat[name_end + 2] == 'S';
}

// Sleeps, and not for a moment only: seen so many times in a row, between naps.
void await_sleep(pid_t pid) {
  int seen = 0;
  const auto settled = [&] { return seen >= 8 || (seen = asleep(pid) ? seen + 1 : 0) >= 8; };
  ASSERT_EQ(wait_until(settled, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(20)),
                       [] { return std::string("the other process to block"); }),
            WaitEnd::ready);
}

class HostBook {
 public:
  HostBook() {
    auto opened = HostView::open();
    EXPECT_TRUE(opened && *opened) << error_text::newest();
    view_.emplace(std::move(**opened));
  }
  ~HostBook() {
    book().clear(0);
    book().clear(1);
  }
  DeviceBook book() const { return view_->devices(); }

 private:
  std::optional<HostView> view_;
};

struct Case {
  const char* call;
  aclError lost;
  aclError reset;
};

void PrintTo(const Case& each, std::ostream* out) { *out << each.call; }

class BlockedProcess : public testing::TestWithParam<Case> {
 protected:
  // What the call returns when `act` happens to the device, promptly.
  void expect(aclError code, const std::function<void(const DeviceBook&)>& act) {
    SecondProcess other("blocked");
    ASSERT_EQ(other.ask(GetParam().call), "ready");
    await_sleep(other.pid());
    HostBook host;
    const uint64_t began = monotonic_ns();
    act(host.book());
    EXPECT_EQ(other.line().hear(), std::to_string(code));
    const uint64_t ms = (monotonic_ns() - began) / 1'000'000;
    EXPECT_LT(ms, kPatienceMs);
    host.book().clear(0);
    if (std::string_view(GetParam().call) != "finalize") {
      EXPECT_EQ(other.ask("work"), "0 7");
    }
  }
};

TEST_P(BlockedProcess, HearsThatItsDeviceIsLost) {
  expect(GetParam().lost, [](const DeviceBook& book) { book.inject_lost(0); });
}

TEST_P(BlockedProcess, HearsThatItsDeviceWasReset) {
  expect(GetParam().reset, [](const DeviceBook& book) { book.reset(0, true); });
}

constexpr aclError kLost = ACL_ERROR_RT_LOST_HEARTBEAT;
constexpr aclError kAborted = ACL_ERROR_RT_DEVICE_TASK_ABORT;
INSTANTIATE_TEST_SUITE_P(
    , BlockedProcess,
    testing::Values(Case{"stream", kLost, kAborted}, Case{"stream with limit", kLost, kAborted},
                    Case{"notify", kLost, kAborted}, Case{"device", kLost, kAborted},
                    Case{"event", kLost, ACL_ERROR_RT_STREAM_ABORT}, Case{"shared event", kLost, ACL_ERROR_RT_DRV_INTERNAL_ERROR},
                    Case{"model", kLost, kAborted}, Case{"copy", kLost, kAborted},
                    // The queue is empty then, and takes the rest.
                    Case{"full queue", kLost, ACL_SUCCESS},
                    // What gives back has nothing left to wait for.
                    Case{"destroy", ACL_SUCCESS, ACL_SUCCESS}, Case{"close", ACL_SUCCESS, ACL_SUCCESS},
                    Case{"finalize", ACL_SUCCESS, ACL_SUCCESS}),
    [](const testing::TestParamInfo<Case>& info) {
      std::string name = info.param.call;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

TEST(DeviceLoss, AnotherDeviceIsNotConcerned) {
  SecondProcess other("blocked");
  ASSERT_EQ(other.ask("stream"), "ready");
  await_sleep(other.pid());
  HostBook host;
  host.book().inject_lost(1);
  host.book().reset(1, true);
  await_sleep(other.pid());  // has looked, perhaps, and goes on waiting
  host.book().reset(0, true);
  EXPECT_EQ(other.line().hear(), std::to_string(kAborted));
}

// ---- The thread that hears of it.

class NewsThread : public AclTest {
 protected:
  // How often it was switched away from, of its own will; nothing: there is none.
  static std::optional<uint64_t> sleeps() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::ifstream(task.path() / "comm") >> name;
      if (name != "canopy-news") {
        continue;
      }
      std::ifstream status(task.path() / "status");
      for (std::string word; status >> word;) {
        uint64_t count = 0;
        if (word == "voluntary_ctxt_switches:" && status >> count) {
          return count;
        }
      }
    }
    return std::nullopt;
  }
};

TEST_F(NewsThread, SleepsWithoutAnEndWhileThereAreNoNews) {
  const aclrtStream stream = make_stream();
  Gate gate;
  ACL_OK(gate.close(stream));
  ASSERT_EQ(wait_until([] { return sleeps().value_or(0) > 0; }, nullptr, BellScope::process,
                       Deadline::after(std::chrono::seconds(20)), [] { return std::string("the thread to begin"); }),
            WaitEnd::ready);
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 50));  // and it sleeps for good by now
  const auto before = sleeps();
  ASSERT_TRUE(before);
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclrtSynchronizeStreamWithTimeout(stream, 200));
  EXPECT_EQ(sleeps(), before);
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream));
}

}  // namespace
}  // namespace canopy::test
