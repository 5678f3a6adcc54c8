// RandomProgram: a random task graph over four streams of two devices, queued through the acl interface
// and, at the same time, carried out one after another on plain arrays: the model.
//
// Every task touches whole regions of cells. The generator keeps, for each stream, how much of every
// other stream it has waited for, and queues a hand-over - an event, a notify, a word in memory - exactly
// where a task touches what an uncovered task of another stream touched. So the graph is free of races, the
// model has one answer, and a wait that passes too early shows as a wrong cell (and as a race under
// ThreadSanitizer).
#pragma once

#include "acl/acl.h"

#include <array>
#include <cstdint>
#include <deque>
#include <random>
#include <string>

namespace canopy::test {

class RandomProgram {
 public:
  static constexpr int kStreams = 4;  // two on each of devices 0 and 1
  static constexpr size_t kCells = 8;
  static constexpr size_t kRegions = 20;  // 8 on each device, 4 in pinned host memory

  explicit RandomProgram(uint64_t seed) : random_(seed) {}

  // REQUIRES: aclInit and peer access between devices 0 and 1 in both directions, nothing else queued.
  // Queues `tasks` tasks, waits for all, compares. "" or what is wrong.
  std::string run(uint32_t tasks);

 private:
  using Cells = std::array<uint64_t, kCells>;
  using Clock = std::array<uint32_t, kStreams>;  // tasks of each stream that are known to be over

  struct Region {
    uint64_t* memory = nullptr;
    Cells model{};
    int writer = -1;         // the stream that wrote it last
    uint32_t written_at = 0;  // that task's number in its stream
    Clock read_at{};         // the last reader of each stream, 0: none
  };
  struct Lane {
    aclrtContext context = nullptr;
    aclrtStream stream = nullptr;
    uint32_t queued = 0;
    Clock covers{};  // what its next task may rely on
  };
  struct HostWork {
    uint64_t* dst;
    const uint64_t* src;
    uint64_t factor;
  };

  void set_up();
  void tear_down();
  void one_task();
  void add_kernel(Lane& lane);
  void add_blocks_kernel(Lane& lane);
  void add_copy(Lane& lane);
  void add_fill(Lane& lane);
  void add_host_function(Lane& lane);
  void add_noise(Lane& lane);
  // Makes `lane`'s next task come after all that a read or write of the region must come after.
  void order_read(Lane& lane, const Region& region);
  void order_write(Lane& lane, const Region& region);
  void wait_for(Lane& lane, int stream, uint32_t task);
  void note_read(const Lane& lane, Region& region);
  void note_write(const Lane& lane, Region& region);
  std::string compare() const;
  // Remembers the first call that failed.
  void must(aclError code, const char* what);

  uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  int index_of(const Lane& lane) const { return static_cast<int>(&lane - lanes_.data()); }
  Region& any_region() { return regions_[draw(kRegions)]; }
  Region& other_region(const Region& than);
  bool pinned(const Region& region) const { return static_cast<size_t>(&region - regions_.data()) >= 16; }

  std::mt19937_64 random_;
  std::array<Lane, kStreams> lanes_;
  std::array<Region, kRegions> regions_;
  uint64_t* words_ = nullptr;  // of the hand-overs by value: one for each pair of streams
  uint64_t hand_overs_ = 0;
  std::deque<HostWork> host_work_;  // addresses stay valid
  std::string failure_;
};

}  // namespace canopy::test
