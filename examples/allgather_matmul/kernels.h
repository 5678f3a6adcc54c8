// The kernels of allgather_matmul, and the one structure they take.
//
// A pass is one run over the data. The four kinds of pass are made of three kernels:
//
//     T_comm     exchange                 put + signal of every tile to every card, wait for all
//     T_compute  multiply                 every tile product, everything has arrived before
//     T_serial   exchange, then multiply  on one stream
//     T_fused    fused                    multiplies each tile as soon as its signal has arrived
#pragma once

#include "canopy/kernel.h"
#include "examples/allgather_matmul/partition.h"

#include <cstdint>

namespace agmm {

// What one rank's kernels work on. `a` and `arrived` are symmetric: the same offset in every card's
// heap.
struct Card {
  Partition part;
  uint32_t pe;
  uint32_t pushers;   // blocks that push; the others begin to multiply at once
  float* a;           // M x K: the rank's own row block is there from the start, the others arrive
  const float* b;     // K x cols: the rank's column block
  float* c;           // M x cols
  int32_t* arrived;   // one word per row tile: the number of the last pass in which it arrived
  uint64_t* tickets;  // one counter, zero when a kernel starts: how many pushes are taken
};

inline constexpr uint64_t kTicketBytes = sizeof(uint64_t);

// `pass` grows by one from pass to pass, so that a signal of an earlier pass satisfies no later
// wait.
__global__ __aicore__ void exchange(Card card, int32_t pass);
__global__ __aicore__ void multiply(Card card);
__global__ __aicore__ void fused(Card card, int32_t pass);

}  // namespace agmm
