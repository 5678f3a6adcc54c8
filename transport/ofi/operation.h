// Operation: what a context remembers of something it posted and that has not completed, and the
// pool that lends them.
//
// Not thread-safe, but for lent(): the owner of the pool holds its baton.
#pragma once

#include "transport/base/ticket.h"
#include "transport/ofi/endpoint.h"
#include "transport/ofi/posted.h"
#include "transport/ofi/wire.h"

#include <cstddef>
#include <memory>
#include <vector>

namespace canopy::transport::ofi {

// The bytes that an operation can carry itself: small puts, whose source is then reusable at once,
// and messages.
inline constexpr size_t kCopyBytes = 256;
static_assert(kCopyBytes >= kLongestMessage);

enum class OperationKind : uint8_t {
  free,
  piece,   // a put, a get or the put of a flush, at the provider; or one piece of a large one
  parent,  // a large put or get, of several pieces
  request  // waits for the reply to a message
};

struct Operation : Posted {
  OperationKind what = OperationKind::free;
  bool counted = false;  // a quiet waits for it, in generation `generation` of its lane
  bool is_put = false;
  bool at_provider = false;  // cannot be lent anew before the provider gives it back
  uint32_t index = 0;
  uint32_t serial = 0;  // changes with every lending, so that a late reply finds nobody
  int peer = -1;        // -1: nobody waits for it any more
  uint32_t generation = 0;
  uint32_t pieces_left = 0;  // of a parent
  Ticket* ticket = nullptr;
  uint64_t* old = nullptr;  // of a request: where the old value goes
  Operation* parent = nullptr;
  FabricHandle<fid_mr> source;  // a registration for this operation only
  void* copy_descriptor = nullptr;
  alignas(16) std::byte copy[kCopyBytes];
};

class OperationPool {
 public:
  explicit OperationPool(size_t limit) : limit_(limit) {}

  // Where copies need registration, chunks are registered through this endpoint as they are made.
  void register_through(Domain& domain, fid_ep* endpoint);
  // Gives the registrations up; before the endpoint closes.
  void unregister() { registrations_.clear(); }

  // Null when `limit` are lent: back-pressure.
  Operation* take(OperationKind what, int peer);
  void give_back(Operation* operation);
  // Sends a message: by inject where it fits, else in an operation of the pool. The provider's
  // word: 0, -FI_EAGAIN, or an error.
  ssize_t transmit(Endpoint& endpoint, fi_addr_t to, int peer, const void* message, size_t nbytes);
  // How many are lent. A hint for other threads: orders nothing.
  uint32_t lent() const { return load_relaxed(&lent_); }
  // The request that a reply's token belongs to; null when nobody waits for it.
  Operation* find(uint64_t token);
  static uint64_t token_of(const Operation& operation) {
    return uint64_t{operation.serial} << 32 | (operation.index + 1);
  }

  template <class Visit>
  void for_each_lent(Visit&& visit) {
    for (const auto& chunk : chunks_) {
      for (size_t i = 0; i < kChunk; ++i) {
        if (chunk[i].what != OperationKind::free) {
          visit(chunk[i]);
        }
      }
    }
  }

 private:
  static constexpr size_t kChunk = 64;
  bool grow();

  const size_t limit_;
  Domain* domain_ = nullptr;
  fid_ep* endpoint_ = nullptr;
  std::vector<std::unique_ptr<Operation[]>> chunks_;
  std::vector<Registration> registrations_;
  std::vector<Operation*> free_;
  uint32_t lent_ = 0;
};

}  // namespace canopy::transport::ofi
