#include "runtime/device/wait_timer.h"

#include "runtime/base/clock.h"
#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <string>

namespace canopy {

bool WaitTimer::arm(Node* node) {
  std::lock_guard lock(lock_);
  heap_.push_back(node);
  sift_up(node, heap_.size() - 1);
  return node->slot == 0;  // the thread sleeps for a later one
}

Result<> WaitTimer::start_now() {
  std::lock_guard lock(start_mutex_);
  // Relaxed: written under the lock, or before it was taken by stop().
  if (started_.load(std::memory_order_relaxed) || stopping_.load(std::memory_order_relaxed)) {
    return {};
  }
  CANOPY_TRY(start_thread(&thread_, "the time limits of tasks", [this] { thread_main(); }));
  started_.store(true, std::memory_order_release);
  return {};
}

void WaitTimer::wake() { bell_.ring(BellScope::process); }

void WaitTimer::cancel(Node* node) {
  {
    std::lock_guard lock(lock_);
    if (node->slot != kIdle) {
      remove(node);
      return;
    }
  }
  // Acquire: what the node's function did; pairs with the release in thread_main(), a few
  // instructions away.
  wait_until([&] { return firing_.load(std::memory_order_acquire) != node; }, nullptr,
             BellScope::process, Deadline::never(),
             [] { return std::string("the end of a time limit"); });
}

void WaitTimer::stop() {
  // Release: pairs with the loads of thread_main().
  stopping_.store(true, std::memory_order_release);
  { std::lock_guard lock(start_mutex_); }  // a thread that somebody is starting is started now, and no other one will be
  bell_.ring(BellScope::process);
  if (thread_.joinable()) {
    thread_.join();
  }
}

size_t WaitTimer::armed() const {
  std::lock_guard lock(lock_);
  return heap_.size();
}

WaitTimer::Node* WaitTimer::take_due(uint64_t* next_ns) {
  std::lock_guard lock(lock_);
  *next_ns = ~0ull;
  if (heap_.empty()) {
    return nullptr;
  }
  Node* first = heap_.front();
  if (first->at_ns > monotonic_ns()) {
    *next_ns = first->at_ns;
    return nullptr;
  }
  remove(first);
  // Relaxed: under the lock, where cancel() has found the node or will not.
  firing_.store(first, std::memory_order_relaxed);
  return first;
}

void WaitTimer::thread_main() {
  pthread_setname_np(pthread_self(), "canopy-limits");
  while (!stopping_.load(std::memory_order_acquire)) {
    uint64_t next_ns;
    if (Node* due = take_due(&next_ns)) {
      due->expire(due);
      // Release: what the function did is visible to a cancel() that has waited for it.
      firing_.store(nullptr, std::memory_order_release);
      continue;
    }
    const auto limit = next_ns == ~0ull ? Deadline::never() : Deadline::at_ns(next_ns);
    bell_.sleep(BellScope::process, limit.left(monotonic_ns()), [&] {
      std::lock_guard lock(lock_);
      const uint64_t earliest = heap_.empty() ? ~0ull : heap_.front()->at_ns;
      return earliest >= next_ns && !stopping_.load(std::memory_order_acquire);
    });
  }
}

// ---- The heap. REQUIRES of all: lock_ held.

void WaitTimer::remove(Node* node) {
  const size_t slot = node->slot;
  Node* last = heap_.back();
  heap_.pop_back();
  node->slot = kIdle;
  if (last != node) {
    sift_up(last, slot);
    sift_down(last, last->slot);
  }
}

void WaitTimer::place(Node* node, size_t slot) {
  heap_[slot] = node;
  node->slot = static_cast<uint32_t>(slot);
}

void WaitTimer::sift_up(Node* node, size_t slot) {
  while (slot > 0 && heap_[(slot - 1) / 2]->at_ns > node->at_ns) {
    place(heap_[(slot - 1) / 2], slot);
    slot = (slot - 1) / 2;
  }
  place(node, slot);
}

void WaitTimer::sift_down(Node* node, size_t slot) {
  for (;;) {
    size_t child = 2 * slot + 1;
    if (child >= heap_.size()) {
      break;
    }
    if (child + 1 < heap_.size() && heap_[child + 1]->at_ns < heap_[child]->at_ns) {
      ++child;
    }
    if (heap_[child]->at_ns >= node->at_ns) {
      break;
    }
    place(heap_[child], slot);
    slot = child;
  }
  place(node, slot);
}

}  // namespace canopy
