// PendingFetches: results of nonblocking atomics that transports write as 8 bytes while the
// caller's variable has 4. They wait here, and the quiet of their context hands them out.
//
// One per context, for the default one too. Thread-safe.
#pragma once

#include "transport/base/ticket.h"

#include <cstdint>
#include <list>
#include <mutex>

namespace canopy::shmem {

class PendingFetches {
 public:
  struct Fetch {
    transport::Ticket ticket;
    uint64_t old = 0;
    uint32_t* result = nullptr;
  };

  // A place for one result; stays where it is until it was handed out.
  Fetch& add(uint32_t* result) {
    std::lock_guard lock(mutex_);
    Fetch& fetch = pending_.emplace_back();
    fetch.result = result;
    return fetch;
  }
  // Hands out what has arrived.
  void hand_out() {
    std::lock_guard lock(mutex_);
    // Not only from the front: another thread's may be under way there.
    pending_.remove_if([](const Fetch& fetch) {
      if (fetch.ticket.done()) {
        *fetch.result = static_cast<uint32_t>(fetch.old);
      }
      return fetch.ticket.settled();
    });
  }

 private:
  std::mutex mutex_;  // guards pending_; a transport writes old and ticket of an entry
  std::list<Fetch> pending_;
};

}  // namespace canopy::shmem
