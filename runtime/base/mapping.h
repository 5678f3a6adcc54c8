// Mapping: owns one range of address space (mmap), move-only; unmaps in the destructor.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace canopy {

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping() { reset(); }

  // Reserves `bytes` of address space without memory behind it, aligned to `alignment` (a power of
  // two, at least a page). Touching it faults.
  static Result<Mapping> reserve(size_t bytes, size_t alignment);
  // The same at `address`, which must be free: Errc::busy when it is not.
  static Result<Mapping> reserve_at(uintptr_t address, size_t bytes);
  // Maps `bytes` of `fd` from `offset`, shared, readable and writable, at an address of the
  // kernel's choice.
  static Result<Mapping> shared(const UniqueFd& fd, size_t bytes, uint64_t offset = 0);
  static Result<Mapping> anonymous(size_t bytes);

  // Places `bytes` of `fd` over [base()+at, +bytes) of this reservation. REQUIRES: page-aligned,
  // inside the mapping.
  Result<> place(size_t at, const UniqueFd& fd, size_t bytes, uint64_t offset = 0);
  // `protection`: PROT_NONE, or PROT_READ with or without PROT_WRITE. REQUIRES: as place().
  Result<> protect(size_t at, size_t bytes, int protection);
  // Gives [at, +bytes) back to being reserved address space.
  Result<> vacate(size_t at, size_t bytes);

  std::byte* base() const { return static_cast<std::byte*>(base_); }
  size_t bytes() const { return bytes_; }
  explicit operator bool() const { return base_ != nullptr; }
  bool contains(const void* p) const {
    // One compare: below base wraps to a huge number.
    return reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(base_) < bytes_;
  }
  void reset();

 private:
  Mapping(void* base, size_t bytes) : base_(base), bytes_(bytes) {}
  void* base_ = nullptr;
  size_t bytes_ = 0;
};

// A memfd of `bytes`, close-on-exec, sealed against growing and shrinking: whoever imports it cannot
// truncate it under us. `name` shows in /proc/PID/maps.
Result<UniqueFd> sealed_memfd(const char* name, size_t bytes);
// Whether a file of this process may have `bytes` (ulimit -f): more than that is a signal that ends it, not an error.
bool file_size_allowed(uint64_t bytes);
// Nobody can make the file shorter, so that no mapping of it is cut off.
bool is_sealed(const UniqueFd& fd);

size_t page_size();

}  // namespace canopy
