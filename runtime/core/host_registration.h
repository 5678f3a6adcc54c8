// HostRegistrations: the caller's own host memory that is registered with devices.
//
// Simulated devices reach all memory of the process, so MAPPED gives the address itself, and PINNED
// only changes how asynchronous copies treat the memory; nothing is locked. What is registered must
// be unregistered before it is unmapped. Thread-safe.
#pragma once

#include "runtime/base/result.h"
#include "runtime/driver/driver.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

namespace canopy {

class HostRegistrations {
 public:
  // [base, +bytes) must be mapped memory, on a boundary of 4 KiB, and not a device's. Errc::busy:
  // some of it is registered already, or is pinned already and `pinned` is wanted.
  Result<> add(Driver& driver, void* base, uint64_t bytes, bool mapped, bool pinned);
  // Errc::not_found when no registration starts at `base`.
  // `note` is over on success.
  Result<> remove(Driver& driver, void* base, FreeNote& note);
  // Whether `address` lies in a registered range; if so, which, and whether devices have an address for it.
  struct Found {
    void* base;
    uint64_t bytes;
    bool mapped;
  };
  std::optional<Found> find(const void* address) const;
  void clear(Driver& driver);

 private:
  struct Registration {
    uint64_t bytes;
    bool mapped;
    bool pinned;
  };
  mutable std::mutex mutex_;                  // guards ranges_
  std::map<uintptr_t, Registration> ranges_;  // by base; no two overlap
};

}  // namespace canopy
