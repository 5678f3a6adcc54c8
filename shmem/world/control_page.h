// ControlPage: what the PEs of a host share about one of them, apart from its heap. One per PE, in
// a sealed memfd of its own, mapped by every local peer at the start of the PE's slot
// (slot_area.h).
//
//   line 0       identity: written once before it is shown to anybody
//   line 1       bell: whoever stores something that this PE may wait for rings it
//   line 2       life: leaving (written by the owner), death_report (claimed by whoever speaks
//                first)
//   line 3       cpu: which one the owner was on when it last began to wait
//   lines 4, 5   what the owner asked of the symmetric heap last, by parity of the request's number
//   the rest     where all PEs meet (sync/meeting.h)
//
// Plain integers, reached through the accessors of runtime/base/cache_line.h. The layout is between
// processes of one job, which run one build: `version` and `bytes` are compared at init.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/doorbell.h"
#include "shmem/sync/meeting.h"

#include <cstddef>
#include <cstdint>

namespace canopy::shmem {

// One request to the symmetric heap, for comparison with what the others asked (heap/agreement.h).
struct HeapRequest {
  uint64_t sequence = 0;
  uint32_t routine = 0;
  uint32_t kind = 0;
  uint64_t size = 0;  // free and realloc: the old block's offset is in `offset`
  uint64_t alignment = 0;
  uint64_t offset = 0;
};

struct ControlPage {
  static constexpr uint64_t kMagic = 0x43414E4F50595045;  // "CANOPYPE"
  static constexpr uint32_t kVersion = 4;

  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t bytes = 0;  // sizeof(ControlPage) of the owner's build
  uint64_t nonce = 0;  // the proof: known from the card, read through the mapping
  int32_t pid = 0;
  int32_t pe = 0;

  alignas(kCacheLine) Doorbell bell;

  alignas(kCacheLine) uint32_t leaving = 0;
  uint32_t death_report = 0;

  // A hint, and kept only where PEs outnumber CPUs.
  alignas(kCacheLine) uint32_t cpu = 0;

  struct alignas(kCacheLine) Request {
    HeapRequest request;
  };
  Request requests[2];

  Meeting meeting;
};
static_assert(sizeof(HeapRequest) <= kCacheLine);
static_assert(offsetof(ControlPage, bell) == 64 && offsetof(ControlPage, leaving) == 128);
static_assert(offsetof(ControlPage, cpu) == 192 && offsetof(ControlPage, requests) == 256);
static_assert(offsetof(ControlPage, meeting) == 384);
static_assert(sizeof(ControlPage) <= 4096, "one page on every architecture we run on");

}  // namespace canopy::shmem
