// Server: the target's side of messages. Executes atomic operations, signals and flushes with the
// CPU on our registered regions - so that they exclude everybody else's CPU atomics on the same
// word
// - and says what to reply.
//
// A message that does not fit (an unknown region, bytes outside of it, a width that does not exist)
// is dropped and answered with an error; it never touches memory.
//
// Not thread-safe: belongs to the ServerEndpoint, whose baton is held.
#pragma once

#include "transport/ofi/domain.h"
#include "transport/ofi/registry.h"
#include "transport/ofi/wire.h"

#include <optional>
#include <span>
#include <unordered_map>

namespace canopy::transport::ofi {

class Server {
 public:
  // `id` goes into every reply: who answers.
  Server(Domain& domain, const Registry& registry, ContextId id)
      : domain_(domain), registry_(registry), id_(id) {}

  struct Answer {
    Reply reply;
    fi_addr_t to;
  };
  // Executes one message. Nothing when no reply is due.
  std::optional<Answer> execute(std::span<const std::byte> message);

 private:
  void greet(std::span<const std::byte> message);
  Errc apply(const Request& request, uint64_t& old) const;
  // Where the word lies; null with the code when it may not be touched.
  std::byte* word(const Request& request, size_t width, Errc& code) const;

  Domain& domain_;
  const Registry& registry_;
  const ContextId id_;
  std::unordered_map<ContextId, fi_addr_t> senders_;
};

}  // namespace canopy::transport::ofi
