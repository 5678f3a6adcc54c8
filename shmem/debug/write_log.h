// WriteLog: the newest operations by which a PE has written to others (or to itself), so that a wait that
// never ends can say who last wrote the word it waits for. Debug mode only.
//
// Each PE writes a ring of its own, at one offset of every user area: near PEs load it, far ones fetch it.
// Not seen: plain stores through shmem_ptr, what collectives and aclrtMemcpy write, and what is older than
// kRecords operations. Times of different hosts are as good as their clocks agree.
//
// add(): any thread, also blocks of kernels. Reading: any thread of any PE, at any time.
#pragma once

#include "runtime/base/cache_line.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace canopy::shmem {

struct Write {
  enum class Value : uint32_t { none, bytes, operand };

  uint64_t offset = 0;  // in the user area of the PE that was written
  uint64_t bytes = 0;
  int32_t pe = 0;
  Value kind = Value::none;
  uint64_t value = 0;
  uint64_t unix_ns = 0;
  char routine[64] = {};

  bool touches(uint64_t from, uint64_t count) const { return offset < from + count && from < offset + bytes; }
};

struct WriteLog {
  static constexpr size_t kRecords = 512;

  struct alignas(kCacheLine) Record {
    uint64_t number = 0;  // 0: being written; else of the operation, from 1 on
    Write write;
  };

  alignas(kCacheLine) uint64_t begun = 0;  // operations so far
  Record records[kRecords];

  void add(const Write& newest);
};
static_assert(sizeof(WriteLog::Record) == 2 * kCacheLine);

// The newest writes in copies of logs: to `bytes` at `offset` of `pe`, and to the same place of any other PE.
struct NewestWrites {
  NewestWrites(uint64_t at, uint64_t count, int pe) : offset(at), bytes(count), target(pe) {}
  struct Found {
    int writer;
    Write write;
  };
  void look_at(const WriteLog& log, int writer);

  const uint64_t offset;
  const uint64_t bytes;
  const int target;
  std::optional<Found> there;
  std::optional<Found> elsewhere;
};

}  // namespace canopy::shmem
