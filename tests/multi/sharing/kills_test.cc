// kill -9 at random moments of processes that share memory all the time: nobody waits for the dead, capacity comes back,
// and /dev/shm holds the host table only.
//
//   CANOPY_TEST_KILLS (200), CANOPY_TEST_SEED
#include "tests/multi/sharing/site.h"
#include "tests/multi/sharing/small_shm.h"
#include "tests/multi/sharing/step_time.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <vector>

namespace canopy {
namespace {

using namespace test;

constexpr size_t kProcesses = 4;
constexpr size_t kObjects = 4;          // that each shares at most
constexpr size_t kHeld = 8;             // that each has imported at most
constexpr uint64_t kMostWaitNs = 2'000'000'000;
constexpr int kKillsPerLook = 5;
constexpr uint64_t kStampBits = 0x5A5A'0000'0000'0000;

// In memory that all of them see.
struct Board {
  struct Place {
    std::atomic<uint64_t> ids[kObjects];
    StepTime time;
    std::atomic<uint64_t> imports, refusals, told;
  };
  Place places[kProcesses];
  std::atomic<uint32_t> wrong;  // 1 + the Errc of a call that must not fail so; ~0: wrong content
};

class Worker {
 public:
  Worker(Board& board, size_t me, uint64_t seed) : board_(board), mine_(board.places[me]), random_(seed) {}

  void run() {
    for (uint64_t step = 0;; ++step) {
      mine_.time.begin();
      const size_t at = random_() % kObjects;
      switch (random_() % 5) {
        case 0:
          share(at);
          break;
        case 1:
          end(at);
          break;
        case 2:
        case 3:
          import();
          break;
        default:
          if (!held_.empty()) {
            held_.erase(held_.begin() + static_cast<ptrdiff_t>(random_() % held_.size()));
          }
          break;
      }
      mine_.time.end();
    }
  }

 private:
  void share(size_t at) {
    end(at);
    auto object = stamped_memory(*site_.table, kStampBits | at);
    if (!object) {
      allow_only(object.error().code, {Errc::no_memory});
      return;
    }
    if (auto id = site_.sharing->share(std::move(*object))) {
      shared_[at] = *id;
      mine_.ids[at] = *id;
    } else {
      allow_only(id.error().code, {});
    }
  }
  void end(size_t at) {
    mine_.ids[at] = 0;
    if (const uint64_t id = std::exchange(shared_[at], 0); id != 0) {
      site_.sharing->end(id);
    }
  }
  void import() {
    const size_t who = random_() % kProcesses;
    const size_t at = random_() % kObjects;
    const uint64_t id = board_.places[who].ids[at];
    if (id == 0 || &board_.places[who] == &mine_) {
      return;
    }
    auto got = site_.sharing->import(ObjectKind::memory, {id, {}}, [this] { ++mine_.told; });
    if (!got) {
      ++mine_.refusals;
      allow_only(got.error().code, {Errc::peer_lost, Errc::stale_handle, Errc::closed});
      return;
    }
    ++mine_.imports;
    if (stamp_of(*got).value_or(0) != (kStampBits | at)) {
      board_.wrong = ~0u;
    }
    got->fd.reset();
    if (held_.size() == kHeld) {
      held_.erase(held_.begin());
    }
    held_.push_back(std::move(*got));
  }
  void allow_only(Errc code, std::initializer_list<Errc> expected) {
    if (std::find(expected.begin(), expected.end(), code) == expected.end()) {
      board_.wrong = 1 + static_cast<uint32_t>(code);
    }
  }
  Board& board_;
  Board::Place& mine_;
  std::mt19937_64 random_;
  Site site_;
  uint64_t shared_[kObjects] = {};
  std::vector<Import> held_;
};

void kill_at_random_moments() {
  const char* wanted = std::getenv("CANOPY_TEST_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 200;
  const char* given = std::getenv("CANOPY_TEST_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("[ seed     ] CANOPY_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);  // one of the callers leaves by _exit
  std::mt19937_64 random(seed);
  const PrivateTable path;
  auto table = HostTable::open();
  ASSERT_TRUE(table) << error_text::newest();
  void* const shared = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  Board& board = *new (shared) Board{};

  std::vector<std::unique_ptr<ChildProcess>> workers(kProcesses);
  const auto begin = [&](size_t at) {
    workers[at] = std::make_unique<ChildProcess>([&board, at, own = random()](Line&) { Worker(board, at, own).run(); });
  };
  std::vector<StepTime*> times;
  for (size_t at = 0; at < kProcesses; ++at) {
    begin(at);
    times.push_back(&board.places[at].time);
  }
  for (int i = 0; i < kills; ++i) {
    // The moment is random, not the end of a wait for anything.
    const timespec moment{0, static_cast<long>(random() % 25'000'000)};
    ::nanosleep(&moment, nullptr);
    const size_t at = random() % kProcesses;
    workers[at]->kill();
    board.places[at].time.was_killed();
    begin(at);
    ASSERT_EQ(board.wrong.load(), 0u) << "kill " << i;
    // Who waits for the dead would soon be killed itself: from time to time all must come out of what they are in.
    if (i % kKillsPerLook == 0) {
      ASSERT_TRUE(all_move_on(times, std::chrono::nanoseconds(kMostWaitNs))) << "kill " << i;
    }
  }
  // Those who are left: killed all at once.
  workers.clear();
  uint64_t longest = 0, imports = 0, refusals = 0, told = 0;
  for (const Board::Place& place : board.places) {
    longest = std::max(longest, place.time.so_far());
    imports += place.imports;
    refusals += place.refusals;
    told += place.told;
  }
  std::printf("[ workload ] %d kills, %llu imports, %llu refused, %llu told of a loss, longest call %.1f ms\n", kills,
              static_cast<unsigned long long>(imports), static_cast<unsigned long long>(refusals),
              static_cast<unsigned long long>(told), static_cast<double>(longest) / 1e6);
  std::fflush(stdout);
  EXPECT_LT(longest, kMostWaitNs);
  EXPECT_GT(imports, static_cast<uint64_t>(kills)) << "the workload must get somewhere";
  EXPECT_EQ((*table)->used_bytes(0), 0u);
  EXPECT_TRUE((*table)->reserve(0, kCapacity, kCapacity)) << error_text::newest();
  (*table)->release(0, kCapacity);
  EXPECT_EQ((*table)->owners().size(), 1u);
  const std::string name = std::filesystem::path(path.path()).filename();
  for (const std::string& found : files_in_shm()) {
    EXPECT_TRUE(found == name || found.find(std::to_string(::getpid())) == std::string::npos) << found;
  }
  ::munmap(shared, sizeof(Board));
}

TEST(SharingKills, LeaveNothingAndNobodyWaits) { kill_at_random_moments(); }

TEST(SharingKills, TheSameWith1024Descriptors) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few{1024, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  kill_at_random_moments();
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(SharingKills, TheSameWithASmallDevShm) { in_small_dev_shm(kill_at_random_moments); }

}  // namespace
}  // namespace canopy
