// FarPaths: the ways to those PEs that loads and stores do not reach. Owns their transports, and
// the rings by which kernels ask for operations on them.
//
// Set up at init and by collective calls; otherwise read only. progress() and everything below it
// may be called by any thread.
#pragma once

#include "shmem/context/pending_fetches.h"
#include "shmem/device/kernel_requests.h"
#include "transport/base/transport.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace canopy::shmem {

class FarPaths {
 public:
  // What a PE lets the others reach, as regions of its transports.
  static constexpr transport::RegionId kHostHeap = 0;
  static constexpr transport::RegionId kDeviceHeap = 1;
  static constexpr transport::RegionId kControlPage = 2;
  // What it lends to processes of other hosts (shmem/lending), from here on.
  static constexpr transport::RegionId kFirstLent = 8;

  FarPaths(World& world, int n_pes);
  ~FarPaths();

  // Where the heaps lie in a user area; device_bytes is 0 while there is no device heap.
  void set_layout(uint64_t host_bytes, uint64_t device_offset, uint64_t device_bytes);
  transport::Transport& add(std::unique_ptr<transport::Transport> transport);
  void set_way(int pe, transport::Transport& transport);

  const std::vector<std::unique_ptr<transport::Transport>>& transports() const {
    return transports_;
  }
  // Null when loads and stores are the way.
  transport::Transport* way_to(int pe) const { return ways_[static_cast<size_t>(pe)]; }
  // `nbytes` from `offset` of the user area of `pe` on; nothing when they do not lie in one heap.
  std::optional<transport::Target> locate(int pe, uint64_t offset, uint64_t nbytes) const;

  // Moves on what kernels asked for and what is under way.
  int progress();
  // The caller sleeps now.
  void rest();
  bool hears();
  void fence();
  KernelRequests& requests() { return requests_; }
  // Of the default context.
  PendingFetches& fetches() { return fetches_; }

 private:
  uint64_t host_bytes_ = 0;
  uint64_t device_offset_ = 0;
  uint64_t device_bytes_ = 0;
  std::vector<std::unique_ptr<transport::Transport>> transports_;
  std::vector<transport::Transport*> ways_;  // by PE
  PendingFetches fetches_;
  KernelRequests requests_;                  // last: its thread uses the rest
};

}  // namespace canopy::shmem
