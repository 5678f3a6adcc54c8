// RandomProgram: a random task graph over four streams of two devices, queued through the acl
// interface and, at the same time, carried out one after another on plain arrays: the model.
//
// Every task touches whole regions of cells. The generator keeps, for each stream, how much of
// every other stream it has waited for, and queues a hand-over (hand_over.h) exactly where a task
// touches what an uncovered task of another stream touched. So the graph is free of races, the
// model has one answer, and a wait that passes too early shows as a wrong cell (and as a race under
// ThreadSanitizer).
//
// Gates hold streams back for a while, so that others really wait for them. What the host has
// waited for it compares at once. Failing kernels leave an error that the stream's next
// synchronisation must tell.
#pragma once

#include "acl/acl.h"
#include "tests/unit/core/hand_over.h"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace canopy::test {

// A pool has room for twice the blocks that a program holds, so that blocks are used again soon.
inline constexpr size_t kBlockBytes = 512 << 10;
inline constexpr size_t kPoolBytes = 4 * kBlockBytes;

// What programs share, made by the test.
struct Surroundings {
  uint64_t report_thread;             // serves streams of device 0
  std::array<aclrtMemPool, 2> pools;  // of each device, of kPoolBytes; may insert waits
};

class RandomProgram {
 public:
  static constexpr int kStreams = 4;  // two on each of devices 0 and 1
  static constexpr size_t kCells = 8;
  static constexpr size_t kRegions = 20;  // 8 on each device, 4 in pinned host memory

  RandomProgram(uint64_t seed, const Surroundings& around)
      : seed_(seed), random_(seed), around_(around) {}

  // REQUIRES: aclInit and peer access between devices 0 and 1 in both directions.
  // Queues `tasks` tasks, waits for all, compares. "" or what is wrong. A stream that does not end
  // ends the test program.
  std::string run(uint32_t tasks);

 private:
  using Cells = std::array<uint64_t, kCells>;
  using Clock = std::array<uint32_t, kStreams>;  // tasks of each stream that are known to be over

  struct Region {
    uint64_t* memory = nullptr;
    Cells model{};
    int device = -1;          // -1: pinned host memory
    bool pooled = false;      // a block of the device's pool, which moves
    int writer = -1;          // the stream that wrote it last
    uint32_t written_at = 0;  // that task's number in its stream
    Clock read_at{};          // the last reader of each stream, 0: none
  };
  struct Lane {
    aclrtContext context = nullptr;
    aclrtStream stream = nullptr;
    int device = 0;
    bool reports = false;  // its functions of the host run on the report thread
    uint32_t queued = 0;
    aclError error_due = ACL_SUCCESS;  // of its next synchronisation
    Clock covers{};                    // what its next task may rely on
  };
  struct HostWork {
    uint64_t* dst;
    const uint64_t* src;
    uint64_t factor;
  };

  // ---- random_program.cc
  void set_up(uint32_t tasks);
  void set_up_regions();
  void tear_down();
  void one_task();
  void one_side_show();
  // Makes `lane`'s next task come after all that a read or write of the region must come after.
  void order_read(Lane& lane, const Region& region);
  void order_write(Lane& lane, const Region& region);
  void wait_for(Lane& lane, int stream, uint32_t task);
  void note_read(const Lane& lane, Region& region);
  void note_write(const Lane& lane, Region& region);
  // Compares the regions whose last writer is over, by what the host has waited for.
  void compare();
  // Remembers the first call that failed.
  void must(aclError code, const char* what) { must(ACL_SUCCESS, code, what); }
  void must(aclError wanted, aclError code, const char* what);

  // ---- random_tasks.cc
  void add_kernel(Lane& lane);
  void add_blocks_kernel(Lane& lane);
  void add_failing_kernel(Lane& lane);
  void add_copy(Lane& lane);
  void add_copy_of_rows(Lane& lane);
  void add_fill(Lane& lane);
  void add_reduction(Lane& lane);
  void add_host_function(Lane& lane);
  void add_move(Lane& lane);

  // ---- random_waits.cc
  // Order nobody relies on, queries, waits of the host, gates, priorities.
  void add_noise(Lane& lane);
  void hold(Lane& lane);
  void open_gates();
  void synchronize(Lane& lane);
  void rest();
  void await_event(Lane& lane);
  void read_to_pageable(Lane& lane);
  void note_host_waited(const Lane& lane, uint32_t task);
  // Of what the host waits for: ends the test program when it does not come.
  void in_time(aclError code, const char* what) const;

  uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  size_t index_of(const Lane& lane) const { return static_cast<size_t>(&lane - lanes_.data()); }
  HandOverEnd end_of(const Lane& lane) const { return {lane.context, lane.stream, index_of(lane)}; }
  Region& any_region() { return regions_[draw(kRegions)]; }
  Region& other_region(const Region& than);
  Region& region_of(int device) { return regions_[static_cast<size_t>(device) * 8 + draw(8)]; }

  const uint64_t seed_;
  std::mt19937_64 random_;
  const Surroundings& around_;
  std::array<Lane, kStreams> lanes_;
  std::array<Region, kRegions> regions_;
  uint64_t* words_ = nullptr;
  std::optional<WordArea> word_area_;
  std::optional<HandOver> hand_over_;
  uint64_t hand_overs_ = 0;
  std::deque<HostWork> host_work_;  // addresses stay valid
  std::vector<uint64_t*> gates_;    // words that hold a stream until they are set
  uint32_t gates_since_ = 0;        // tasks since the first of them
  Clock host_covers_{};             // what the host has waited for
  std::string failure_;
};

}  // namespace canopy::test
