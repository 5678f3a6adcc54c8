// PeerBell: how other processes tell this one that words which it watches have changed. Lies in memory
// that they share.
//
//   0            8                     16
//   [ news      ][ bell               ]
//
// A word belongs to one of 64 buckets, by a number that all sides know. Who has changed a word raises its
// bucket's bit and rings; the owner takes the bits and looks at the words it watches in these buckets.
// So a change costs one atomic and, while the owner sleeps, one futex wake, whatever the number of
// words; and nobody needs to know what the owner watches. Bits raised for nothing are harmless.
#pragma once

#include "runtime/base/doorbell.h"

#include <atomic>
#include <cstdint>

namespace canopy {

struct PeerBell {
  uint64_t news = 0;
  Doorbell bell;

  static constexpr uint64_t bit_of(uint64_t number) { return uint64_t{1} << (number % 64); }

  // REQUIRES: the word was changed by an atomic read-modify-write, or a store that is released.
  void ring(uint64_t bits) {
    // Not where the bits are up already? No: the owner may have taken them before it saw this word.
    // acq_rel: publishes the word to who takes the bits; and, being locked on x86 as every
    // read-modify-write, orders the word before the look at who sleeps.
    std::atomic_ref(news).fetch_or(bits, std::memory_order_acq_rel);
    bell.ring(BellScope::host);
  }
  bool has_news() const { return load_relaxed(&news) != 0; }
  // The bits raised since the last call. Acquire: the words behind them are as their changers left them.
  uint64_t take() { return std::atomic_ref(news).exchange(0, std::memory_order_acquire); }
};
static_assert(sizeof(PeerBell) == 16);

}  // namespace canopy
