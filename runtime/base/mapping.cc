#include "runtime/base/mapping.h"

#include "runtime/base/check.h"
#include "runtime/base/descriptor_limit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace canopy {

size_t page_size() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    reset();
    base_ = std::exchange(other.base_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void Mapping::reset() {
  if (base_ != nullptr) {
    ::munmap(base_, bytes_);
  }
  base_ = nullptr;
  bytes_ = 0;
}

Result<Mapping> Mapping::reserve(size_t bytes, size_t alignment) {
  // Over-reserve, then trim both ends: mmap itself only aligns to pages.
  const size_t total = bytes + alignment;
  void* raw = ::mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) {
    return fail_errno(Errc::no_memory, errno, "cannot reserve {} bytes of address space", total);
  }
  const uintptr_t start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (start + alignment - 1) & ~(alignment - 1);
  if (aligned != start) {
    ::munmap(raw, aligned - start);
  }
  const uintptr_t tail = aligned + bytes;
  if (start + total != tail) {
    ::munmap(reinterpret_cast<void*>(tail), start + total - tail);
  }
  return Mapping(reinterpret_cast<void*>(aligned), bytes);
}

Result<Mapping> Mapping::reserve_at(uintptr_t address, size_t bytes) {
  void* wanted = reinterpret_cast<void*>(address);
#if defined(__SANITIZE_THREAD__)
  // Elsewhere it ends the process instead of failing.
  constexpr uintptr_t kShadowed = 0x7e8000000000, kEnd = 0x800000000000;
  if (address < kShadowed || address >= kEnd || bytes > kEnd - address) {
    return fail(Errc::busy, "address {} is not one that ThreadSanitizer can follow", fmt::ptr(wanted));
  }
#endif
  void* raw = ::mmap(wanted, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (raw == MAP_FAILED) {
    return fail_errno(errno == EEXIST ? Errc::busy : Errc::no_memory, errno, "cannot reserve {} bytes of address space at {}",
                      bytes, fmt::ptr(wanted));
  }
  if (raw != wanted) {  // kernels before 4.17 take the address for a hint
    ::munmap(raw, bytes);
    return fail(Errc::busy, "address {} is not free for {} bytes", fmt::ptr(wanted), bytes);
  }
  return Mapping(raw, bytes);
}

Result<Mapping> Mapping::shared(const UniqueFd& fd, size_t bytes, uint64_t offset) {
  void* raw = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(),
                     static_cast<off_t>(offset));
  if (raw == MAP_FAILED) {
    return fail_errno(Errc::no_memory, errno, "cannot map {} bytes of fd {}", bytes, fd.get());
  }
#if defined(__SANITIZE_ADDRESS__)
  // In a child of fork the stack of a thread that it does not have may have been here, with its red zones.
  ASAN_UNPOISON_MEMORY_REGION(raw, bytes);
#endif
  return Mapping(raw, bytes);
}

Result<Mapping> Mapping::anonymous(size_t bytes) {
  void* raw = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) {
    return fail_errno(Errc::no_memory, errno, "cannot map {} bytes", bytes);
  }
  return Mapping(raw, bytes);
}

Result<> Mapping::place(size_t at, const UniqueFd& fd, size_t bytes, uint64_t offset) {
  CHECK(at + bytes <= bytes_, "place() must stay inside the reservation");
  void* raw = ::mmap(base() + at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd.get(),
                     static_cast<off_t>(offset));
  if (raw == MAP_FAILED) {
    return fail_errno(Errc::no_memory, errno, "cannot map {} bytes of fd {} at {}", bytes, fd.get(),
                      fmt::ptr(base() + at));
  }
  return {};
}

Result<> Mapping::protect(size_t at, size_t bytes, int protection) {
  CHECK(at + bytes <= bytes_, "protect() must stay inside the reservation");
  if (::mprotect(base() + at, bytes, protection) != 0) {
    return fail_errno(Errc::no_memory, errno, "cannot change what {} bytes at {} are good for", bytes, fmt::ptr(base() + at));
  }
  return {};
}

Result<> Mapping::vacate(size_t at, size_t bytes) {
  CHECK(at + bytes <= bytes_, "vacate() must stay inside the reservation");
  void* raw = ::mmap(base() + at, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (raw == MAP_FAILED) {
    return fail_errno(Errc::no_memory, errno, "cannot unmap {} bytes at {}", bytes,
                      fmt::ptr(base() + at));
  }
  return {};
}

Result<UniqueFd> sealed_memfd(const char* name, size_t bytes) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd && errno == EMFILE && raise_descriptor_limit()) {
    fd.reset(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  }
  if (!fd && (errno == EMFILE || errno == ENFILE)) {
    return fail_errno(Errc::no_memory, errno, "cannot create memory file '{}': raise the limit of descriptors (ulimit -n)", name);
  }
  if (!fd) {
    return fail_errno(Errc::no_memory, errno, "cannot create memory file '{}'", name);
  }
  if (!file_size_allowed(bytes)) {
    return fail_errno(Errc::no_memory, EFBIG, "cannot size memory file '{}' to {} bytes: raise the limit of file sizes (ulimit -f)",
                      name, bytes);
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return fail_errno(Errc::no_memory, errno, "cannot size memory file '{}' to {} bytes", name, bytes);
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return fail_errno(Errc::no_memory, errno, "cannot seal memory file '{}'", name);
  }
  return fd;
}

bool file_size_allowed(uint64_t bytes) {
  rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

bool is_sealed(const UniqueFd& fd) {
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);  // -1: no memory file
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

}  // namespace canopy
