// SpscRing: a bounded queue between one producer and one consumer.
//
// The producer calls reserve(), fills the entry, publish(). The consumer calls front(), uses the
// entry in place, pop(). Either role may move between threads if the move itself synchronises (a
// lock, or the hand-over of a strand). Indices are free-running 32-bit counters, masked on use:
// tail - head is the fill level, full is == entries.
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/check.h"

#include <bit>
#include <cstdint>
#include <memory>

namespace canopy {

template <class T>
class SpscRing {
 public:
  // `first` is the starting value of both indices, for tests of the wrap-around.
  explicit SpscRing(uint32_t entries, uint32_t first = 0)
      : mask_(entries - 1), entries_(new T[entries]) {
    CHECK(std::has_single_bit(entries), "the number of ring entries must be a power of two");
    head_ = first;
    tail_ = first;
    producer_tail_ = first;
    producer_head_ = first;
    consumer_head_ = first;
    consumer_tail_ = first;
  }

  uint32_t capacity() const { return mask_ + 1; }

  // Producer: the next free entry, or null when the ring is full.
  T* reserve() {
    if (producer_tail_ - producer_head_ > mask_) [[unlikely]] {
      // Acquire: the consumer is done with the entry it gave back; pairs with pop().
      producer_head_ = load_acquire(&head_);
      if (producer_tail_ - producer_head_ > mask_) {
        return nullptr;
      }
    }
    return &entries_[producer_tail_ & mask_];
  }
  // Producer: publishes the entry that reserve() returned; pairs with the acquire in front().
  void publish() {
    store_release(&tail_, ++producer_tail_);
    prefetch_for_write(&entries_[producer_tail_ & mask_]);
  }

  // Consumer: the oldest entry, or null when the ring is empty.
  T* front() {
    if (consumer_head_ == consumer_tail_) {
      consumer_tail_ = load_acquire(&tail_);
      if (consumer_head_ == consumer_tail_) {
        return nullptr;
      }
    }
    return &entries_[consumer_head_ & mask_];
  }
  // Consumer: the same where the ring is known not to be empty, and to whom it is known has synchronised with publish():
  // the producer's line stays with the producer.
  T* next() { return &entries_[consumer_head_ & mask_]; }
  // Consumer: the one after it. REQUIRES: as next(), of two.
  const T* after_next() const { return &entries_[(consumer_head_ + 1) & mask_]; }
  // Consumer: gives the entry of front() or next() back to the producer.
  void pop() { store_release(&head_, ++consumer_head_); }

  // Consumer: asks the cache for the entry that comes `ahead` places behind the oldest. One that is not published yet is taken from
  // the producer, which is about to write it.
  void prefetch(uint32_t ahead) const { __builtin_prefetch(&entries_[(consumer_head_ + ahead) & mask_]); }

  // The entry of a free-running index. REQUIRES: published, and not reserved again meanwhile.
  const T& at(uint32_t index) const { return entries_[index & mask_]; }
  T& at(uint32_t index) { return entries_[index & mask_]; }

  // Any thread; a snapshot.
  uint32_t size() const { return load_acquire(&tail_) - load_acquire(&head_); }

 private:
  const uint32_t mask_;
  const std::unique_ptr<T[]> entries_;
  // Consumer's line: head is written by pop(), the cached tail spares reading the producer's line.
  alignas(kCacheLine) uint32_t head_;
  uint32_t consumer_head_;
  uint32_t consumer_tail_;
  // Producer's line.
  alignas(kCacheLine) uint32_t tail_;
  uint32_t producer_tail_;
  uint32_t producer_head_;
};

}  // namespace canopy
