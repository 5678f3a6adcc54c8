// kill -9 at random moments of programs that share device memory, handles of physical memory, events and notifies by the
// acl interface: no call waits for the dead, capacity comes back, and /dev/shm holds the host table only.
//
//   CANOPY_TEST_KILLS (200), CANOPY_TEST_SEED
#include "tests/multi/sharing/acl_program.h"
#include "tests/multi/sharing/site.h"
#include "tests/multi/sharing/small_shm.h"
#include "tests/unit/api/second_process.h"

#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

bool begins(Line& line) {
  if (aclInit(nullptr) == ACL_SUCCESS && aclrtSetDevice(0) == ACL_SUCCESS) {
    return true;
  }
  line.say("no device");
  return false;
}

constexpr rlimit kFewDescriptors{1024, 1024};
constexpr int kKillsPerLook = 5;

// Is told who it is, its seed, and whether it is to have few descriptors.
ROLE(shares_for_ever) {
  Board* const board = map_board(::getenv(kBoardFile));
  size_t me = 0;
  unsigned long long seed = 0;
  int few = 0;
  ::alarm(1800);  // as long as the tests that run for long
  const bool told = std::sscanf(line.hear().c_str(), "%zu %llu %d", &me, &seed, &few) == 3;
  if (few != 0) {
    ::setrlimit(RLIMIT_NOFILE, &kFewDescriptors);
  }
  if (told && board != nullptr && begins(line)) {
    line.say("begun");
    Program(*board, me, seed).run();
  }
}

// Allocates 2 MiB again and again under a limit of 1,024 descriptors: says how often, and the code that ended it.
ROLE(allocates_until_it_fails) {
  ::setrlimit(RLIMIT_NOFILE, &kFewDescriptors);
  if (!begins(line)) {
    return;
  }
  int count = 0;
  aclError code = ACL_SUCCESS;
  for (void* memory = nullptr; count < 1200 && code == ACL_SUCCESS; count += code == ACL_SUCCESS ? 1 : 0) {
    code = aclrtMalloc(&memory, kMemoryBytes, ACL_MEM_MALLOC_HUGE_FIRST);
  }
  const char* said = code == ACL_SUCCESS ? "" : aclGetRecentErrMsg();
  line.say(fmt::format("{} {} {}", count, code, said == nullptr ? "" : said).substr(0, 500));
  line.hear();
}

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / fmt::format("canopy-sharing-{}", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

void expect_progress(const Board& board, int kills) {
  Board::Sums all;
  for (const Board::Place& place : board.places) {
    all.add(place);
  }
  std::printf("[ workload ] %d kills, %s, longest step %.1f ms\n", kills, all.text().c_str(), static_cast<double>(all.longest_ns) / 1e6);
  std::fflush(stdout);  // one of the callers leaves by _exit
  EXPECT_LT(all.longest_ns, kMostWaitNs);
  const auto some = static_cast<uint64_t>(kills) / 8;  // the workload must get somewhere
  EXPECT_GT(all.copies, 2 * some);
  EXPECT_GT(all.waits, some);
  EXPECT_GT(all.mappings, some);
  EXPECT_GT(all.records, some);
  EXPECT_GT(all.notified, some / 4);
}

void expect_nothing_left(HostTable& table) {
  constexpr uint64_t kAll = uint64_t{256} << 20;  // as private_machine.cc says
  EXPECT_EQ(table.used_bytes(0), 0u);
  EXPECT_TRUE(table.reserve(0, kAll, kAll)) << error_text::newest();
  table.release(0, kAll);
  EXPECT_EQ(table.owners().size(), 1u);
}

// The calling process does not use the acl interface itself.
void kill_at_random_moments(bool few_descriptors = false) {
  const char* wanted = std::getenv("CANOPY_TEST_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 200;
  const char* given = std::getenv("CANOPY_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("[ seed     ] CANOPY_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  std::mt19937_64 random(seed);
  const Folder folder;
  const std::string file = folder.path() / "board";
  std::ofstream(file) << std::string(sizeof(Board), '\0');
  Board* const board = map_board(file);
  ASSERT_NE(board, nullptr);
  const PrivateTable path;
  auto table = HostTable::open();
  ASSERT_TRUE(table) << error_text::newest();
  std::vector<std::unique_ptr<SecondProcess>> programs(kPrograms);
  const auto begin = [&](size_t at) {
    programs[at] = std::make_unique<SecondProcess>("shares_for_ever", std::vector<std::pair<std::string, std::string>>{{kBoardFile, file}});
    EXPECT_EQ(programs[at]->ask(fmt::format("{} {} {}", at, random(), few_descriptors ? 1 : 0)), "begun");
  };
  std::vector<StepTime*> times;
  for (size_t at = 0; at < kPrograms; ++at) {
    begin(at);
    times.push_back(&board->places[at].time);
  }
  for (int i = 0; i < kills; ++i) {
    // The moment is random, not the end of a wait for anything.
    const timespec moment{0, static_cast<long>(random() % 25'000'000)};
    ::nanosleep(&moment, nullptr);
    const size_t at = random() % kPrograms;
    programs[at]->kill();
    board->places[at].time.was_killed();
    begin(at);
    ASSERT_EQ(board->wrong.load(), 0) << "kill " << i;
    // Who waits for the dead would soon be killed itself: from time to time all must come out of what they are in.
    if (i % kKillsPerLook == 0) {
      ASSERT_TRUE(all_move_on(times, std::chrono::nanoseconds(kMostWaitNs))) << "kill " << i;
    }
  }
  programs.clear();  // killed all at once
  expect_progress(*board, kills);
  expect_nothing_left(**table);
  const std::string name = std::filesystem::path(path.path()).filename();
  for (const std::string& found : files_in_shm()) {
    EXPECT_TRUE(found == name || found.find(std::to_string(::getpid())) == std::string::npos) << found;
  }
  ::munmap(board, sizeof(Board));
}

TEST(AclSharing, KillsLeaveNothingAndNobodyWaits) { kill_at_random_moments(); }

TEST(AclSharing, TheSameWith1024Descriptors) { kill_at_random_moments(true); }

TEST(AclSharing, TheSameWithASmallDevShm) {
  in_small_dev_shm([] { kill_at_random_moments(); });
}

TEST(AclSharing, LargeAllocationsPastTheLimitOfDescriptorsEndWithACodeAndTheLimit) {
  const Folder folder;
  const std::string spec = folder.path() / "spec.json";
  std::ofstream(spec) << R"({"canopy_spec": 1, "name": "large", "count": 1,
    "npu": {"soc": "TestNPU", "vector_cores": 1, "aicpu_cores": 1, "hbm": "16G"}})";
  SecondProcess program("allocates_until_it_fails", {{"CANOPY_SOC_SPEC", spec}, {"CANOPY_HOST_TABLE", folder.path() / "table"}});
  const std::string outcome = program.line().hear();
  std::printf("[ outcome  ] %s\n", outcome.c_str());
  int count = 0;
  int code = 0;
  ASSERT_EQ(std::sscanf(outcome.c_str(), "%d %d", &count, &code), 2) << outcome;
  // One descriptor each, exported or not; a program's own are the difference to 1,024.
  EXPECT_GE(count, 900);
  EXPECT_TRUE(count == 1200 || (code == ACL_ERROR_RT_MEMORY_ALLOCATION && outcome.find("limit of descriptors") != std::string::npos))
      << outcome;
}

}  // namespace
}  // namespace canopy::test
