#include "transport/base/blocking.h"

namespace canopy::transport {
namespace {

// Posts what takes a ticket, and waits for it.
template <class Post>
Result<> post_and_wait(Context& context, int peer, const char* what, Wait wait, Post&& post) {
  Ticket ticket;
  CANOPY_TRY(post_patiently(context, wait, [&] { return post(&ticket); }));
  if (!ticket.settled()) {
    wait([&] {
      context.progress();
      return ticket.settled();
    });
  }
  if (const Errc code = ticket.error(); code != Errc::ok) {
    if (peer == kAllPeers) {
      return fail(code, "{} failed for at least one peer", what);
    }
    return fail(code, "{} failed: {}", what, context.trouble(peer));
  }
  return {};
}

}  // namespace

Result<> put(Context& context, const Target& to, const void* src, size_t nbytes, Wait wait) {
  return post_and_wait(context, to.peer, "put", wait,
                       [&](Ticket* t) { return context.post_put(to, src, nbytes, t); });
}

Result<> get(Context& context, void* dst, const Target& from, size_t nbytes, Wait wait) {
  return post_and_wait(context, from.peer, "get", wait,
                       [&](Ticket* t) { return context.post_get(dst, from, nbytes, t); });
}

Result<uint64_t> amo(Context& context, const Target& at, const Amo& operation, Wait wait) {
  uint64_t old = 0;
  CANOPY_TRY(post_and_wait(context, at.peer, "atomic operation", wait,
                           [&](Ticket* t) { return context.post_amo(at, operation, &old, t); }));
  return old;
}

Result<> signal(Context& context, const Target& at, const Signal& update, Wait wait) {
  return post_patiently(context, wait, [&] { return context.signal(at, update); });
}

Result<> quiet(Context& context, int peer, Wait wait) {
  return post_and_wait(context, peer, "quiet", wait,
                       [&](Ticket* t) { return context.post_quiet(peer, t); });
}

Result<> open_region(Transport& transport, int peer, const PeerRegion& region, Wait wait) {
  return post_patiently(transport, wait, [&] { return transport.open_region(peer, region); });
}

Result<> close_region(Transport& transport, int peer, RegionId id, Wait wait) {
  return post_and_wait(transport, peer, "what was under way to a closed region", wait,
                       [&](Ticket* t) { return transport.close_region(peer, id, t); });
}

}  // namespace canopy::transport
