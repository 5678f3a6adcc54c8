// The collectives that move data, over a team: on return this PE's own dest is complete and its own source may be
// used again; others may still be inside. Sizes are in bytes and equal on all members, but for collect.
//
// dest and source are this PE's addresses of symmetric objects; anything else ends the job with a sentence.
//
// On a host data moves once: members write into each other's dest. Between hosts each byte travels once per host
// (broadcast, collect, reduce), and is spread there. Where more members than CPUs share a host, each waits once.
#pragma once

#include "shmem/team/team.h"

#include <cstddef>

namespace canopy::shmem {

// The active-set broadcast leaves the root's dest alone.
enum class RootDest : uint8_t { written, untouched };
void broadcast(Team& team, void* dest, const void* source, size_t bytes, int root, RootDest root_dest,
               const char* routine);

// Blocks of equal size, in the order of ranks.
void fcollect(Team& team, void* dest, const void* source, size_t bytes, const char* routine);
// Blocks of any size, this PE's has `bytes`, packed without gaps.
void collect(Team& team, void* dest, const void* source, size_t bytes, const char* routine);

// Block l of this PE's source becomes block `rank()` of member l's dest.
void alltoall(Team& team, void* dest, const void* source, size_t bytes, const char* routine);
// Element i of the same lies at i * stride, in elements of `element_bytes`; what lies between stays as it is.
struct Strided {
  ptrdiff_t dest;
  ptrdiff_t source;
  size_t element_bytes;
};
void alltoalls(Team& team, void* dest, const void* source, size_t nelems, const Strided& strides, const char* routine);

// accumulator[i] = accumulator[i] op in[i]
struct Operation {
  size_t element_bytes;
  void (*combine)(void* accumulator, const void* in, size_t nelems);
};
// Element by element over all members, in the order of ranks within a host; the same bits on every member.
// source may be dest.
void reduce(Team& team, void* dest, const void* source, size_t nelems, const Operation& op, const char* routine);
// Member i gets the sum of 0 .. i (inclusive) or 0 .. i-1, zeroes on the first. source may be dest.
enum class Scan : uint8_t { inclusive, exclusive };
void scan(Team& team, void* dest, const void* source, size_t nelems, const Operation& sum, Scan kind,
          const char* routine);

}  // namespace canopy::shmem
