// kill -9 at random moments of programs that share device memory and events by the acl interface.
//
//   CANOPY_TEST_KILLS (60), CANOPY_TEST_SEED
#include "runtime/base/clock.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/api/second_process.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kPrograms = 3;
constexpr size_t kObjects = 3;
constexpr size_t kBytes = size_t{2} << 20;
constexpr uint64_t kStamp = 0x5A5A'5A5A'0000'0000;
constexpr uint64_t kMostWaitNs = 2'000'000'000;
constexpr const char* kBoardFile = "CANOPY_TEST_BOARD";

// In a file that all of them map.
struct Board {
  struct Key {
    std::atomic<uint32_t> version;  // odd: being written, or whoever wrote it was killed
    char text[68];
  };
  struct Place {
    Key memory[kObjects];
    Key event;
    std::atomic<uint64_t> longest_ns, imports, copies, refusals, waits, waits_that_failed;
  };
  Place places[kPrograms];
  std::atomic<int64_t> wrong;  // an aclError that must not be; -1: wrong content
};

Board* map_board(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  void* const at = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  return at == MAP_FAILED ? nullptr : static_cast<Board*>(at);
}

class Program {
 public:
  Program(Board& board, size_t me, uint64_t seed) : board_(board), mine_(board.places[me]), random_(seed) {
    for (Board::Key& key : mine_.memory) {
      write_key(key, "");
    }
    write_key(mine_.event, "");
    must(aclrtCreateStream(&stream_));
  }

  void run() {
    while (board_.wrong == 0) {
      const uint64_t before = monotonic_ns();
      const size_t at = random_() % kObjects;
      switch (random_() % 8) {
        case 0:
        case 1:
          share(at);
          break;
        case 2:
          end(at);
          break;
        case 3:
          record(at);
          break;
        case 4:
        case 5:
          wait(random_() % kPrograms);
          break;
        default:
          import(random_() % kPrograms, at);
          break;
      }
      const uint64_t took = monotonic_ns() - before;
      if (took > mine_.longest_ns) {
        mine_.longest_ns = took;
      }
    }
  }

 private:
  void must(aclError code) {
    if (code != ACL_SUCCESS) {
      board_.wrong = code;
    }
  }
  static void write_key(Board::Key& key, const char* text) {
    const uint32_t odd = key.version | 1;
    key.version = odd;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    std::snprintf(key.text, sizeof key.text, "%s", text);
    key.version = odd + 1;
  }
  static std::string read_key(const Board::Key& key) {
    char text[sizeof key.text];
    const uint32_t before = key.version;
    std::memcpy(text, key.text, sizeof text);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    text[sizeof text - 1] = 0;
    return before % 2 == 0 && key.version == before ? text : "";
  }
  void share(size_t at) {
    end(at);
    const uint64_t stamp = kStamp | at;
    must(aclrtMalloc(&memory_[at], kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    must(aclrtMemcpy(memory_[at], kBytes, &stamp, sizeof stamp, ACL_MEMCPY_HOST_TO_DEVICE));
    char key[65] = {};
    must(aclrtIpcMemGetExportKey(memory_[at], kBytes, key, sizeof key, ACL_RT_IPC_MEM_EXPORT_FLAG_DISABLE_PID_VALIDATION));
    keys_[at] = key;
    write_key(mine_.memory[at], key);
  }
  void end(size_t at) {
    if (void* const memory = std::exchange(memory_[at], nullptr); memory != nullptr) {
      write_key(mine_.memory[at], "");
      must(aclrtSynchronizeStream(stream_));
      must(aclrtIpcMemClose(keys_[at].c_str()));
      must(aclrtFree(memory));
    }
  }
  void import(size_t who, size_t at) {
    const std::string key = read_key(board_.places[who].memory[at]);
    if (key.empty() || &board_.places[who] == &mine_) {
      return;
    }
    void* there = nullptr;
    if (aclrtIpcMemImportByKey(&there, key.c_str(), 0) != ACL_SUCCESS) {
      ++mine_.refusals;  // ended, or its process was killed: how is acl's to say (tests/unit/api/ipc_memory_test.cc)
      return;
    }
    ++mine_.imports;
    uint64_t found = 0;
    if (aclrtMemcpy(&found, sizeof found, there, sizeof found, ACL_MEMCPY_DEVICE_TO_HOST) == ACL_SUCCESS) {
      ++mine_.copies;
      board_.wrong = found == (kStamp | at) ? board_.wrong.load() : -1;
    }
    must(aclrtIpcMemClose(key.c_str()));
  }

  // An event that others wait for; behind a memset, so that a kill finds it pending.
  void record(size_t at) {
    if (event_ == nullptr) {
      must(aclrtCreateEventExWithFlag(&event_, ACL_EVENT_IPC));
      aclrtIpcEventHandle handle{};
      must(aclrtIpcGetEventHandle(event_, &handle));
      write_key(mine_.event, handle.reserved);
    }
    if (memory_[at] != nullptr) {
      must(aclrtMemsetAsync(static_cast<char*>(memory_[at]) + 64, kBytes - 64, 0, kBytes - 64, stream_));
    }
    must(aclrtRecordEvent(event_, stream_));
  }
  void wait(size_t who) {
    const std::string text = read_key(board_.places[who].event);
    if (text.empty() || &board_.places[who] == &mine_) {
      return;
    }
    aclrtIpcEventHandle handle{};
    text.copy(handle.reserved, sizeof handle.reserved);
    aclrtEvent event = nullptr;
    if (aclrtIpcOpenEventHandle(handle, &event) != ACL_SUCCESS) {
      ++mine_.refusals;
      return;
    }
    // Complete, or lost with the process that was to make it; never without end.
    ++(aclrtSynchronizeEvent(event) == ACL_SUCCESS ? mine_.waits : mine_.waits_that_failed);
    must(aclrtDestroyEvent(event));
  }

  Board& board_;
  Board::Place& mine_;
  std::mt19937_64 random_;
  aclrtStream stream_ = nullptr;
  aclrtEvent event_ = nullptr;
  void* memory_[kObjects] = {};
  std::string keys_[kObjects];
};

bool begins(Line& line) {
  if (aclInit(nullptr) == ACL_SUCCESS && aclrtSetDevice(0) == ACL_SUCCESS) {
    return true;
  }
  line.say("no device");
  return false;
}

// Is told who it is and its seed.
ROLE(shares_for_ever) {
  Board* const board = map_board(::getenv(kBoardFile));
  size_t me = 0;
  unsigned long long seed = 0;
  if (std::sscanf(line.hear().c_str(), "%zu %llu", &me, &seed) == 2 && board != nullptr && begins(line)) {
    line.say("begun");
    Program(*board, me, seed).run();
  }
}

// Allocates 2 MiB again and again under a limit of 1,024 descriptors: says how often, and the code that ended it.
ROLE(allocates_until_it_fails) {
  const rlimit few{1024, 1024};
  ::setrlimit(RLIMIT_NOFILE, &few);
  if (!begins(line)) {
    return;
  }
  int count = 0;
  aclError code = ACL_SUCCESS;
  for (void* memory = nullptr; count < 1200 && code == ACL_SUCCESS; count += code == ACL_SUCCESS ? 1 : 0) {
    code = aclrtMalloc(&memory, kBytes, ACL_MEM_MALLOC_HUGE_FIRST);
  }
  const char* said = code == ACL_SUCCESS ? "" : aclGetRecentErrMsg();
  line.say(fmt::format("{} {} {}", count, code, said == nullptr ? "" : said).substr(0, 500));
  line.hear();
}

class AclSharing : public AclTest {
 protected:
  AclSharing() : folder_(std::filesystem::temp_directory_path() / fmt::format("canopy-sharing-{}", ::getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~AclSharing() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  static uint64_t used() {
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS);
    return total - free;
  }
  const std::filesystem::path folder_;
};

TEST_F(AclSharing, KillsLeaveNothingAndNobodyWaits) {
  const char* wanted = std::getenv("CANOPY_TEST_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 60;
  const char* given = std::getenv("CANOPY_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("[ seed     ] CANOPY_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const std::string file = folder_ / "board";
  std::ofstream(file) << std::string(sizeof(Board), '\0');
  Board* const board = map_board(file);
  ASSERT_NE(board, nullptr);
  const uint64_t used_before = used();
  std::vector<std::unique_ptr<SecondProcess>> programs(kPrograms);
  const auto begin = [&](size_t at) {
    programs[at] = std::make_unique<SecondProcess>("shares_for_ever", std::vector<std::pair<std::string, std::string>>{{kBoardFile, file}});
    EXPECT_EQ(programs[at]->ask(fmt::format("{} {}", at, random())), "begun");
  };
  for (size_t at = 0; at < kPrograms; ++at) {
    begin(at);
  }
  for (int i = 0; i < kills; ++i) {
    // The moment is random, not the end of a wait for anything.
    const timespec moment{0, static_cast<long>(random() % 25'000'000)};
    ::nanosleep(&moment, nullptr);
    const size_t at = random() % kPrograms;
    programs[at]->kill();
    begin(at);
    ASSERT_EQ(board->wrong.load(), 0) << "kill " << i;
  }
  programs.clear();
  uint64_t longest = 0, imports = 0, copies = 0, refusals = 0, waits = 0, failed = 0;
  for (const Board::Place& place : board->places) {
    longest = std::max(longest, place.longest_ns.load());
    imports += place.imports;
    copies += place.copies;
    refusals += place.refusals;
    waits += place.waits;
    failed += place.waits_that_failed;
  }
  std::printf("[ workload ] %d kills, %llu imports, %llu copies, %llu refused, %llu events, %llu lost, longest step %.1f ms\n", kills,
              static_cast<unsigned long long>(imports), static_cast<unsigned long long>(copies),
              static_cast<unsigned long long>(refusals), static_cast<unsigned long long>(waits), static_cast<unsigned long long>(failed),
              static_cast<double>(longest) / 1e6);
  EXPECT_LT(longest, kMostWaitNs);
  EXPECT_GT(copies, static_cast<uint64_t>(kills) / 4) << "the workload must get somewhere";
  EXPECT_GT(waits, static_cast<uint64_t>(kills) / 4);
  EXPECT_EQ(used(), used_before);
  ::munmap(board, sizeof(Board));
}

TEST_F(AclSharing, LargeAllocationsPastTheLimitOfDescriptorsEndWithACodeAndTheLimit) {
  const std::string spec = folder_ / "spec.json";
  std::ofstream(spec) << R"({"canopy_spec": 1, "name": "large", "count": 1,
    "npu": {"soc": "TestNPU", "vector_cores": 1, "aicpu_cores": 1, "hbm": "16G"}})";
  SecondProcess program("allocates_until_it_fails", {{"CANOPY_SOC_SPEC", spec}, {"CANOPY_HOST_TABLE", folder_ / "table"}});
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
