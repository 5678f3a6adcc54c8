// canopy smi beside processes that use devices, run and die.
#include "launcher/cli/smi_load.h"
#include "runtime/base/clock.h"
#include "runtime/driver/driver.h"
#include "runtime/driver/host_table_layout.h"
#include "runtime/driver/host_view.h"
#include "runtime/driver/range_lock.h"
#include "tests/unit/cli/canopy_command.h"
#include "tests/unit/driver/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace canopy {
namespace {

using nlohmann::json;
using test::ChildProcess;
using test::has;
using test::Line;
using test::Ran;

constexpr uint64_t kMiB = 1u << 20;

Ran smi(const std::string& arguments) { return test::canopy_command("smi " + arguments); }

class SmiTest : public ::testing::Test {
 protected:
  SmiTest() : folder_(std::filesystem::temp_directory_path() / fmt::format("canopy-smi-{}", ::getpid())) {
    std::filesystem::create_directories(folder_);
    ::setenv("CANOPY_HOST_TABLE", (folder_ / "table").c_str(), 1);
    ::setenv("CANOPY_SOC_SPEC", "atlas-800t-a2", 1);  // 8 devices
  }
  ~SmiTest() override { std::filesystem::remove_all(folder_); }

  // Has device `id` open, and 2 * (id + 1) MiB of it.
  static std::unique_ptr<ChildProcess> user_of(int id) {
    auto child = std::make_unique<ChildProcess>([id](Line& line) {
      auto driver = Driver::create();
      auto device = driver ? (*driver)->open_device(id) : Result<Device*>(tl::unexpected(driver.error()));
      const auto memory = device ? (*device)->memory().allocate(2 * kMiB * static_cast<uint64_t>(id + 1))
                                 : Result<void*>(tl::unexpected(device.error()));
      line.say(memory ? "open" : error_text::newest());
      line.hear();
    });
    EXPECT_EQ(child->line().hear(), "open");
    return child;
  }
  static json all() {
    const Ran ran = smi("--json");
    EXPECT_EQ(ran.code, 0) << ran.out;
    return json::parse(ran.out, nullptr, false);
  }
  static json device(int id) { return json::parse(smi(fmt::format("--json -i {}", id)).out, nullptr, false)["devices"][0]; }

  const std::filesystem::path folder_;
};

TEST_F(SmiTest, NothingRunsAndNothingIsMade) {
  const Ran ran = smi("");
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_TRUE(has(ran.out, "nothing runs")) << ran.out;
  EXPECT_TRUE(has(ran.out, "no process uses a device")) << ran.out;
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  EXPECT_EQ(all()["table"], nullptr);
  EXPECT_EQ(all()["devices"].size(), 8u);
  EXPECT_TRUE(has(smi("topo").out, "hccs:d"));
  EXPECT_EQ(smi("--inject lost -i 0").code, 2);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(SmiTest, ShowsDevicesAndWhoUsesThem) {
  auto user = user_of(3);
  const Ran ran = smi("");
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(has(ran.out, fmt::format("{}", user->pid()))) << ran.out;
  EXPECT_TRUE(has(ran.out, "8 MiB")) << ran.out;
  const json found = all();
  ASSERT_EQ(found["processes"].size(), 1u);
  EXPECT_EQ(found["processes"][0]["device"], 3);
  EXPECT_EQ(found["processes"][0]["pid"], user->pid());
  EXPECT_EQ(found["processes"][0]["name"], "smi_test");
  EXPECT_EQ(found["processes"][0]["hbm_used_bytes"], 8 * kMiB);
  EXPECT_EQ(found["devices"][3]["state"], "ready");
  EXPECT_EQ(found["devices"][3]["health"], "normal");
  EXPECT_EQ(found["devices"][3]["hbm_used_bytes"], 8 * kMiB);
  EXPECT_EQ(found["devices"][3]["utilization"]["cube_percent"], 0);
  EXPECT_EQ(found["devices"][4]["state"], "off");
}

TEST_F(SmiTest, NamesKeepTheirCharacters) {
  struct Case {
    std::string name, listed, in_event;
  };
  const std::string head = "\u00e9\u6f22\u5b57";  // 8 bytes
  const auto umlauts = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += "\u00fc";
    }
    return text;
  };
  for (const auto& [name, listed, in_event] :
       {Case{"z\u00fcrich " + head, "z\u00fcrich " + head, "z\u00fcrich " + head},
        Case{head + umlauts(30), head + umlauts(15) + "~", head + umlauts(23) + "~"},
        Case{"\x1b[31m\xff\xc3.", "?[31m??.", "?[31m??."}}) {
    ChildProcess user([&](Line& line) {
      std::string own = name;
      program_invocation_short_name = own.data();
      auto driver = Driver::create();
      line.say(driver && (*driver)->open_device(0) ? "open" : error_text::newest());
      line.hear();
    });
    ASSERT_EQ(user.line().hear(), "open");
    EXPECT_EQ(all()["processes"][0]["name"], listed);
    EXPECT_TRUE(has(smi("").out, listed + " "));
    EXPECT_TRUE(has(smi("--events").out, "open: " + in_event + "\n"));
    EXPECT_EQ(json::parse(smi("--events --json").out)["events"].back()["text"], in_event);
  }
}

// JSON is UTF-8, and a path need not be.
TEST_F(SmiTest, ATableMayHaveAnyPath) {
  ::setenv("CANOPY_HOST_TABLE", (folder_ / "t\xff").c_str(), 1);
  auto user = user_of(0);
  EXPECT_EQ(all()["table"], (folder_ / "t?").string());
}

TEST_F(SmiTest, OneDeviceHasDetailsAndAMissingOneIsAnError) {
  auto user = user_of(3);
  const Ran ran = smi("-i 3");
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(has(ran.out, "errors: out_of_memory")) << ran.out;
  EXPECT_EQ(json::parse(smi("-i 2 --json").out)["processes"].size(), 0u);
  const Ran wrong = smi("-i 9");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(has(wrong.out, "canopy smi: device 9: the machine 'atlas-800t-a2'")) << wrong.out;
  EXPECT_TRUE(has(wrong.out, "has devices 0 to 7")) << wrong.out;
}

TEST_F(SmiTest, FaultsAreInjectedShownAndCleared) {
  auto user = user_of(1);
  EXPECT_EQ(smi("-i 1 --inject lost").code, 0);
  EXPECT_EQ(device(1)["health"], "abnormal");
  EXPECT_EQ(device(1)["faults"], json::array({"lost"}));
  EXPECT_TRUE(has(smi("").out, "abnormal (lost)"));
  EXPECT_EQ(smi("-i 1 --clear").code, 0);
  EXPECT_EQ(device(1)["health"], "normal");
  EXPECT_EQ(smi("-i 1 --inject ecc").code, 0);
  EXPECT_EQ(device(1)["health"], "warning");
  EXPECT_EQ(device(1)["errors"]["ecc"], 1);
  EXPECT_EQ(smi("-i 1 --inject link 2 down").code, 0);
  EXPECT_EQ(device(2)["faults"], json::array({"link 1"}));
  EXPECT_TRUE(has(smi("topo").out, ":DOWN"));
  EXPECT_EQ(smi("-i 1 --clear").code, 0);
  EXPECT_EQ(device(2)["health"], "normal");
  EXPECT_FALSE(has(smi("topo").out, ":DOWN"));
}

TEST_F(SmiTest, WrongFaultsAreErrors) {
  auto user = user_of(1);
  for (const char* wrong : {"-i 1 --inject flood", "-i 1 --inject link", "-i 1 --inject link 1 down", "-i 1 --inject link 9 down",
                            "-i 1 --inject link x down", "-i 1 --inject link 2 up", "--inject lost", "--clear", "--reset",
                            "-i 1 --clear --reset", "-i 1 --force", "--watch --reset -i 1", "--watch 0", "--watch x", "--count 2",
                            "-i 9 --inject lost", "-i -1 --clear", "--frob", "top"}) {
    const Ran ran = smi(wrong);
    EXPECT_EQ(ran.code, 2) << wrong << ": " << ran.out;
    EXPECT_TRUE(has(ran.out, "canopy smi: ")) << wrong << ": " << ran.out;
  }
  EXPECT_EQ(device(1)["health"], "normal");
}

TEST_F(SmiTest, AnOptionThatWouldBeIgnoredIsAnError) {
  auto user = user_of(1);
  const std::string logs = (folder_ / "logs").string();
  for (const char* action : {"--inject ecc", "--clear", "--reset --force"}) {
    for (const std::string& look : {std::string("--json"), std::string("--events"), "--export-log " + logs}) {
      const Ran ran = smi(fmt::format("-i 1 {} {}", action, look));
      EXPECT_EQ(ran.code, 2) << ran.out;
      EXPECT_TRUE(has(ran.out, "changes a device, and goes with no " + look.substr(0, look.find(' ')))) << ran.out;
    }
  }
  EXPECT_EQ(smi("topo -i 1 --clear").code, 2);
  EXPECT_TRUE(has(smi("topo --events").out, "two views"));
  for (const char* part : {"--json", "--events", "-i 1", "topo"}) {
    const Ran ran = smi(fmt::format("{} --export-log {}", part, logs));
    EXPECT_EQ(ran.code, 2) << ran.out;
    EXPECT_TRUE(has(ran.out, "goes with no ")) << ran.out;
  }
  for (const char* flag : {"--json=false", "--events=0", "--reset=1"}) {
    EXPECT_EQ(smi(flag).code, 2) << flag;
  }
  EXPECT_FALSE(std::filesystem::exists(logs));
  EXPECT_EQ(device(1)["errors"]["ecc"], 0);
  EXPECT_EQ(device(1)["resets"], 0);
}

TEST_F(SmiTest, NumbersHaveARange) {
  for (const char* count : {"0", "-1", "99999999999999999999", "1.5", "''"}) {
    const Ran ran = smi(fmt::format("--watch 0.01 --count {}", count));
    EXPECT_EQ(ran.code, 2) << count << ": " << ran.out;
    EXPECT_TRUE(has(ran.out, "is no number from 1 to 1000000000")) << ran.out;
  }
  EXPECT_TRUE(has(smi("--watch 0").out, "'0' is no number from 0.01 to 86400"));
  EXPECT_TRUE(has(smi("-i ''").out, "'' is no number"));
  const Ran nowhere = smi("--export-log ''");
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_TRUE(has(nowhere.out, "the name of a folder is wanted")) << nowhere.out;
}

TEST_F(SmiTest, LinksOfOneDevice) {
  auto user = user_of(1);
  smi("-i 1 --inject link 2 down");
  const Ran ran = smi("topo -i 2");
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(has(ran.out, "copied from npu2  copied to npu2")) << ran.out;
  EXPECT_TRUE(has(ran.out, "npu1  hccs:DOWN  ")) << ran.out;
  EXPECT_TRUE(has(ran.out, "npu2  self  ")) << ran.out;
  EXPECT_TRUE(has(ran.out, "npu3  hccs:d  ")) << ran.out;
  EXPECT_FALSE(has(smi("topo -i 3").out, ":DOWN"));
  EXPECT_EQ(smi("topo -i 8").code, 2);
}

TEST_F(SmiTest, ResetIsRefusedWhileTheDeviceIsInUse) {
  auto user = user_of(1);
  smi("-i 1 --inject ecc");
  const Ran refused = smi("-i 1 --reset");
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(has(refused.out, fmt::format("in use by pid {} (smi_test)", user->pid()))) << refused.out;
  EXPECT_EQ(device(1)["resets"], 0);
  EXPECT_EQ(smi("-i 1 --reset --force").code, 0);
  EXPECT_EQ(device(1)["resets"], 1);
  EXPECT_EQ(device(1)["health"], "normal");
  EXPECT_EQ(device(1)["errors"]["ecc"], 0);
  EXPECT_EQ(device(1)["state"], "ready");
  EXPECT_EQ(smi("-i 2 --reset").code, 0);  // of nobody
  EXPECT_EQ(device(2)["resets"], 1);
}

TEST_F(SmiTest, EventsTellWhatHappened) {
  auto user = user_of(1);
  smi("-i 1 --inject lost");
  const Ran ran = smi("--events");
  EXPECT_TRUE(has(ran.out, "start: Ascend")) << ran.out;
  EXPECT_TRUE(has(ran.out, fmt::format("device 1 pid {} open: smi_test", user->pid()))) << ran.out;
  EXPECT_TRUE(has(ran.out, "inject: lost")) << ran.out;
  EXPECT_EQ(smi("--events -i 2").out, "no events\n");
  const json events = json::parse(smi("--events --json").out);
  EXPECT_EQ(events["events"].back()["kind"], "inject");
  EXPECT_EQ(events["missing"], 0);
}

TEST_F(SmiTest, LogsOfARunGoIntoAFolder) {
  auto user = user_of(1);
  const auto logs = folder_ / "a" / "logs";
  const Ran ran = smi("--export-log " + logs.string());
  EXPECT_EQ(ran.code, 0) << ran.out;
  std::ifstream file(logs / "snapshot.json");
  const json snapshot = json::parse(file, nullptr, false);
  EXPECT_EQ(snapshot["processes"].size(), 1u);
  EXPECT_EQ(snapshot["log"]["events"].size(), 2u);
  EXPECT_GT(std::filesystem::file_size(logs / "device-1.log"), 0u);
  EXPECT_TRUE(std::filesystem::exists(logs / "device-7.log"));
  EXPECT_TRUE(std::filesystem::exists(logs / "events.log"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(logs), {}), 10);  // nothing is left over
  const Ran wrong = smi("--export-log /proc/nowhere");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(has(wrong.out, "cannot make the folder /proc/nowhere")) << wrong.out;
}

// A file of an earlier export is there whole until the new one is.
TEST_F(SmiTest, AnExportReplacesFiles) {
  const auto logs = folder_ / "logs";
  std::filesystem::create_directory(logs);
  ASSERT_EQ(::mkfifo((logs / "events.log").c_str(), 0600), 0);
  std::ofstream(logs / "snapshot.json") << "older";
  std::ifstream reader(logs / "snapshot.json");
  const Ran ran = smi("--export-log " + logs.string());
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_TRUE(std::filesystem::is_regular_file(logs / "events.log"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "older");
}

TEST_F(SmiTest, AnExportThatFailsLeavesNothingOfItsOwn) {
  const auto logs = folder_ / "logs";
  std::filesystem::create_directories(logs / "snapshot.json");
  const Ran ran = smi("--export-log " + logs.string());
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.out, "snapshot.json cannot be written (Is a directory)")) << ran.out;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(logs), {}), 1);
}

TEST_F(SmiTest, WatchWithoutANumberIsEverySecond) {
  const std::string once = " --count 1";
  EXPECT_TRUE(has(smi("--watch" + once).out, "canopy smi "));
  for (const char* view : {"--watch topo", "topo --watch", "--watch 0.5 topo", "--watch=2 topo"}) {
    const Ran ran = smi(view + once);
    EXPECT_EQ(ran.code, 0) << ran.out;
    EXPECT_TRUE(has(ran.out, "hccs:d")) << view << ": " << ran.out;
  }
}

TEST_F(SmiTest, WatchLooksAgain) {
  auto user = user_of(1);
  const Ran ran = smi("--watch 0.01 --count 3 --json");
  EXPECT_EQ(ran.code, 0) << ran.out;
  size_t looks = 0;
  for (size_t at = ran.out.find("canopy_smi"); at != std::string::npos; at = ran.out.find("canopy_smi", at + 1)) {
    ++looks;
  }
  EXPECT_EQ(looks, 3u);
}

TEST_F(SmiTest, DamagedTableThatIsHeldIsAnError) {
  auto user = user_of(1);
  std::filesystem::resize_file(folder_ / "table", 4096 * 64);
  const Ran ran = smi("");
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.out, "is damaged or of another version")) << ran.out;
}

TEST_F(SmiTest, ARefusedTableIsOneSentence) {
  const std::string table = (folder_ / "table").string();
  std::ofstream(table).close();
  ::chmod(table.c_str(), 0666);
  const Ran ran = smi("");
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "canopy smi: host table " + table + " is open to other users (mode 666, not 600)\n");
}

// As another look holds it, which is over soon.
TEST_F(SmiTest, ADamagedTableThatIsOnlyLookedAtIsNone) {
  std::ofstream(folder_ / "table") << "half";
  ::chmod((folder_ / "table").c_str(), 0600);
  UniqueFd looks(::open((folder_ / "table").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(range_lock::try_take(looks, F_RDLCK, host_table::kPresenceByte));
  std::promise<void> never;
  std::thread leaves([&] {
    never.get_future().wait_for(std::chrono::milliseconds(20));
    looks.reset();
  });
  const auto view = HostView::open();
  leaves.join();
  ASSERT_TRUE(view) << error_text::newest();
  EXPECT_FALSE(*view);
}

// Whoever is dead before the look does not show, whoever lives does, with what he holds.
TEST_F(SmiTest, RightWhileEightProcessesRunAndDie) {
  std::mt19937 random(3);
  std::vector<std::unique_ptr<ChildProcess>> users;
  for (int id = 0; id < 8; ++id) {
    users.push_back(user_of(id));
  }
  for (int round = 0; round < 24; ++round) {
    const size_t victim = random() % 8;
    users[victim]->kill();
    const bool replaced = round % 2 == 0;
    if (replaced) {
      users[victim] = user_of(static_cast<int>(victim));
    }
    const json found = all();
    ASSERT_EQ(found["processes"].size(), replaced ? 8u : 7u) << found.dump(1);
    for (const json& process : found["processes"]) {
      const auto id = process["device"].get<size_t>();
      ASSERT_EQ(process["pid"], users[id]->pid());
      ASSERT_EQ(process["hbm_used_bytes"], 2 * kMiB * (id + 1));
      ASSERT_EQ(found["devices"][id]["hbm_used_bytes"], 2 * kMiB * (id + 1));
      ASSERT_EQ(found["devices"][id]["health"], "normal");
    }
    if (!replaced) {
      ASSERT_EQ(found["devices"][victim]["hbm_used_bytes"], 0);
      users[victim] = user_of(static_cast<int>(victim));
    }
  }
}

// Killed at a point of their own while smi looks: each look succeeds, and what it shows is one of the possible.
TEST_F(SmiTest, LooksSucceedBesideProcessesThatAreKilledAnywhere) {
  auto anchor = user_of(0);
  for (int round = 0; round < 10; ++round) {
    std::vector<std::unique_ptr<ChildProcess>> users;
    for (int i = 0; i < 7; ++i) {
      users.push_back(std::make_unique<ChildProcess>([i](Line& line) {
        line.say("go");
        for (;;) {
          auto driver = Driver::create();
          if (driver) {
            (void)(*driver)->open_device(1 + i);
          }
        }
      }));
      ASSERT_EQ(users.back()->line().hear(), "go");
    }
    for (int look = 0; look < 3; ++look) {
      const json found = all();
      ASSERT_FALSE(found.is_discarded());
      ASSERT_GE(found["processes"].size(), 1u);
      ASSERT_LE(found["processes"].size(), 8u);
      users.pop_back();
    }
    users.clear();
    ASSERT_EQ(all()["processes"].size(), 1u);
  }
}

TEST_F(SmiTest, WhoEndsBehindTheListingHidesNothing) {
  auto stays = user_of(1);
  auto ends = user_of(2);
  const auto view = HostView::open();
  ASSERT_TRUE(view && *view);
  const std::vector<HostOwner> owners = (*view)->owners();
  ASSERT_EQ(owners.size(), 2u);
  ends->kill();
  std::vector<cli::SmiDevice> devices(3);
  for (int id = 0; id < 3; ++id) {
    devices[static_cast<size_t>(id)].id = id;
  }
  cli::measure_load(**view, owners, &devices);
  for (const auto& device : devices) {
    EXPECT_TRUE(device.shares.has_value()) << device.id;
  }
}

TEST_F(SmiTest, IsQuick) {
  std::vector<std::unique_ptr<ChildProcess>> users;
  for (int id = 0; id < 8; ++id) {
    users.push_back(user_of(id));
  }
  uint64_t best = ~uint64_t{0};
  for (int i = 0; i < 10; ++i) {
    const uint64_t begin = monotonic_ns();
    ASSERT_EQ(smi("").code, 0);
    best = std::min(best, monotonic_ns() - begin);
  }
  RecordProperty("smi_ms", fmt::format("{:.1f}", static_cast<double>(best) / 1e6));
  EXPECT_LT(best, 500'000'000u);  // the target, 20 ms, is for an idle machine and an optimised build
}

}  // namespace
}  // namespace canopy
