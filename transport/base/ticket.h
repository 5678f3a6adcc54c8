// Ticket: how the poster of an operation learns that it completed, without anybody blocking.
//
// The poster owns it and hands its address to a post_ call; whoever progresses the transport - any
// thread - settles it exactly once. It must stay where it is until it is settled. Which of the
// three completions it stands for is said by the call (transport.h).
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/result.h"

#include <cstdint>

namespace canopy::transport {

struct Ticket {
  uint32_t state = kPending;

  static constexpr uint32_t kPending = 0;
  static constexpr uint32_t kDone = 1;
  static constexpr uint32_t kFailed = 2;  // plus the Errc

  // Acquire: what the operation wrote (the buffer of a get, the old value of an amo) is visible to
  // whoever sees it settled; pairs with settle().
  bool settled() const { return load_acquire(&state) != kPending; }
  bool done() const { return load_acquire(&state) == kDone; }
  // ok while pending and when done.
  Errc error() const {
    const uint32_t seen = load_acquire(&state);
    return seen < kFailed ? Errc::ok : static_cast<Errc>(seen - kFailed);
  }

  // The transport's side. The last access to the ticket: its owner may be gone afterwards.
  void settle(Errc code) {
    // Release: pairs with settled(), done() and error().
    store_release(&state, code == Errc::ok ? kDone : kFailed + static_cast<uint32_t>(code));
  }
};

inline void settle(Ticket* ticket, Errc code) {
  if (ticket != nullptr) {
    ticket->settle(code);
  }
}

}  // namespace canopy::transport
