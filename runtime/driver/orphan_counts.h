// OrphanCounts: memory whose process is gone, and which lives on because others had imported it, still counts on its
// device: at one of those who hold it.
//
// Which one, the host table's file decides: the name of the memory's file is a lock (HostTable::take_name()) that one
// process can hold. When that one lets go of the memory or dies, whoever notices makes news of it (DeviceBook::announce()),
// and all who hold such memory look() again. So nothing is listed that could be full or be left behind; between the death
// of who counted and the next look, some milliseconds after somebody has noticed it, the memory counts nowhere.
//
// Thread-safe. Not on the way of anything but ends of processes.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

namespace canopy {

class HostTable;

class OrphanCounts {
 public:
  // REQUIRES: `table` outlives it.
  explicit OrphanCounts(HostTable& table) : table_(table) {}
  OrphanCounts(const OrphanCounts&) = delete;

  // The process behind the memory file `inode`, of `bytes` on `device`, is gone, and we hold it, until end(). Several
  // imports of one file count once.
  void begin(uint64_t inode, int device, uint64_t bytes);
  void end(uint64_t inode);
  // Counts what nobody counts any more.
  void look();

 private:
  struct Held {
    int device;
    uint64_t bytes;
    uint32_t holders;
    bool counted;
  };
  void try_count(uint64_t inode, Held& held);

  HostTable& table_;
  std::mutex mutex_;  // guards held_
  std::map<uint64_t, Held> held_;
  std::atomic<uint32_t> uncounted_{0};  // of held_; relaxed: who looks too early is told again
};

}  // namespace canopy
