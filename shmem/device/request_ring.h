// RequestRing: what the blocks on one core of a device ask to be done to far PEs, in their order.
//
//   head            posted             tail
//    v                v                  v
//   [ in flight      ][ to be posted    ][ free ...
//
// One producer, the core; one consumer at a time, whoever drains (KernelRequests serialises them).
// Tickets, old values and small sources lie in the entry, not on the block's stack: a block that
// ends because another one of its kernel has failed leaves nothing behind that a transport would
// write to. So an entry with a ticket stays until that is settled. Indices are free-running 32-bit
// counters, masked on use.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/check.h"
#include "transport/base/transport.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace canopy::shmem {

struct Request {
  enum class Kind : uint8_t { put, get, amo, signal, fence, quiet };
  static constexpr size_t kCarried = 16;  // the widest scalar

  Kind kind = Kind::put;
  bool tracked = false;  // `ticket` counts; otherwise it completes at quiet
  bool carries = false;  // the source is `data`
  transport::Ticket ticket;
  transport::Target at;   // of a quiet: region is the number of the transport
  transport::Amo amo{};
  transport::Signal update{};
  void* local = nullptr;  // source or destination
  uint64_t nbytes = 0;
  uint64_t old = 0;
  const char* routine = "";
  alignas(16) std::byte data[kCarried] = {};
};

class RequestRing {
 public:
  // REQUIRES: `entries` is a power of two. `first` is the starting value of the indices, for tests.
  explicit RequestRing(uint32_t entries, uint32_t first = 0)
      : mask_(entries - 1),
        entries_(new Request[entries]),
        head_(first),
        posted_(first),
        tail_(first) {
    CHECK(std::has_single_bit(entries), "the number of ring entries must be a power of two");
  }

  // Producer: the next free entry, or null when the ring is full. Acquire: the consumer is done
  // with the entry; pairs with retire().
  Request* reserve() {
    return tail_ - load_acquire(&head_) > mask_ ? nullptr : &entries_[tail_ & mask_];
  }
  // Producer: hands over the entry that reserve() returned; pairs with the acquire in next().
  void publish() { store_release(&tail_, tail_ + 1); }

  // Consumer: the oldest entry that is not posted yet; null when there is none.
  Request* next() { return posted_ == load_acquire(&tail_) ? nullptr : &entries_[posted_ & mask_]; }
  // Consumer: the entry of next() is posted. Release: to a transport; pairs with posted().
  void advance() { store_release(&posted_, posted_ + 1); }
  // Consumer: gives back the posted entries at the front that are settled. `settled(entry)` is
  // called once for each tracked one.
  template <class Settled>
  void retire(Settled&& settled) {
    uint32_t head = head_;
    while (head != posted_) {
      const Request& entry = entries_[head & mask_];
      if (entry.tracked && !entry.ticket.settled()) {
        break;
      }
      if (entry.tracked) {
        settled(entry);
      }
      ++head;
    }
    // Release: the entries may be filled again; pairs with reserve().
    store_release(&head_, head);
  }

  // Any thread: true while an entry is not given back. A snapshot.
  bool busy() const { return load_acquire(&tail_) != load_acquire(&head_); }
  // Any thread: how many entries were handed over, and whether that many have been posted.
  uint32_t handed_over() const { return load_acquire(&tail_); }
  bool posted(uint32_t count) const {
    return static_cast<int32_t>(load_acquire(&posted_) - count) >= 0;
  }
  bool full() const { return load_acquire(&tail_) - load_acquire(&head_) > mask_; }

 private:
  const uint32_t mask_;
  const std::unique_ptr<Request[]> entries_;
  alignas(kCacheLine) uint32_t head_;  // the consumer's line
  uint32_t posted_;
  alignas(kCacheLine) uint32_t tail_;  // the producer's
};

}  // namespace canopy::shmem
