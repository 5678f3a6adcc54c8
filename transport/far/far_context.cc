#include "transport/far/far_context.h"

namespace canopy::transport::far {

Result<Context*> FarContext::context_to(int peer) {
  CANOPY_ASSIGN(Transport * network, transport_.network_to(peer));
  if (Context* context = open()) [[likely]] {
    return context;
  }
  std::lock_guard lock(mutex_);
  if (owned_ == nullptr) {
    CANOPY_ASSIGN(owned_, network->open_context());
    context_.store(owned_.get(), std::memory_order_release);  // pairs with open()
  }
  return owned_.get();
}

Result<> FarContext::post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) {
  CANOPY_ASSIGN(Context * context, context_to(to.peer));
  return context->post_put(to, src, nbytes, done);
}

Result<> FarContext::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  CANOPY_ASSIGN(Context * context, context_to(from.peer));
  return context->post_get(dst, from, nbytes, done);
}

Result<> FarContext::post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) {
  CANOPY_ASSIGN(Context * context, context_to(at.peer));
  return context->post_amo(at, operation, old, done);
}

Result<> FarContext::signal(const Target& at, const Signal& update) {
  CANOPY_ASSIGN(Context * context, context_to(at.peer));
  return context->signal(at, update);
}

void FarContext::fence() {
  if (Context* context = open()) {
    context->fence();
  }
}

Result<> FarContext::post_quiet(int peer, Ticket* done) {
  CANOPY_ASSIGN(const bool posted, transport_.may_have_posted(peer));
  Context* context = open();
  if (posted && context != nullptr) {
    return context->post_quiet(peer, done);
  }
  settle(done, Errc::ok);
  return {};
}

int FarContext::progress() {
  Context* context = open();
  return context != nullptr ? context->progress() : 0;
}

}  // namespace canopy::transport::far
