// DeviceNews: what becomes of this process's work when somebody else has a device lost, clears that, or
// resets it (canopy smi).
//
// The process notices at its next call that submits, copies, allocates or synchronises: each of these
// compares two numbers. Who makes no call, because he sleeps in a synchronisation, is served by a thread that
// starts with the first device and sleeps until there are news, whatever the process does. A device that was
// reset drops all work of the process, as aclrtDeviceTaskAbort does, without asking the abort's callbacks.
// One that was lost does so, too, and its streams take no tasks until that is cleared: Errc::device_lost.
// Thread-safe.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/result.h"
#include "runtime/driver/host_table.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace canopy {

class DeviceReports;
class Runtime;

class DeviceNews {
 public:
  explicit DeviceNews(Runtime& runtime) : runtime_(runtime) {}

  // Whether there is something that look() has not seen. On the launch path. Relaxed: who launches while a device is
  // being lost may be in front of that.
  bool unseen() const {
    return load_relaxed(news_.load(std::memory_order_relaxed)) != seen_.load(std::memory_order_relaxed);
  }
  // Brings the process up to date, unless this thread is in a function that a stream has called, which could not wait
  // for the stream. REQUIRES: no lock of the runtime's is held.
  void look() {
    if (unseen()) [[unlikely]] {
      look_closely();
    }
  }
  // The device is about to be opened: what happened to it before is of no concern. `reports` stay for ever. Errc::limit: no
  // thread to watch it. REQUIRES: one call at a time.
  Result<> begin(const DeviceReports& reports, int device);
  // It is open: what has happened since begin(), while look() could not see the device, is looked at with the next call.
  void opened();
  // Errc::device_lost, as last looked.
  Result<> check(int device) const;
  bool lost(int device) const { return known_[static_cast<size_t>(device)].lost.load(std::memory_order_acquire); }

 private:
  struct Known {
    std::atomic<uint32_t> resets{0};
    std::atomic<bool> lost{false};  // release: pairs with lost()
  };
  void look_closely();
  void compare(const DeviceReports& reports, int device);
  Result<> start_watching(const DeviceReports& reports);
  void watch(const DeviceReports& reports);

  static constexpr uint32_t kNone = 0;
  Runtime& runtime_;
  std::atomic<const uint32_t*> news_{&kNone};  // of the host table, which stays; kNone before the first device
  std::atomic<uint32_t> seen_{0};
  std::atomic<uint32_t> opens_{0};
  std::mutex mutex_;  // one thread brings the process up to date
  std::array<Known, kMaxDevices> known_;
  bool watched_ = false;
};

}  // namespace canopy
