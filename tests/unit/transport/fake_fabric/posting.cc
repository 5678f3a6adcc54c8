// The double's endpoints, the sender's half: checks what is posted, and puts it on its way.
#include "tests/unit/transport/fake_fabric/objects.h"

#include <algorithm>
#include <cstring>

namespace canopy::fake_fabric {
namespace {

// What the three kinds of calls have in common.
struct Post {
  Endpoint* from;
  Traffic traffic;
  fi_addr_t to;
  const void* buffer;
  size_t bytes;
  void* descriptor;
  void* context;  // null for injects
  uint64_t flags;
  uint64_t address = 0;
  uint64_t key = 0;
};

bool describes(const Endpoint& endpoint, const void* descriptor, const void* buffer, size_t bytes) {
  for (const auto& [key, region] : endpoint.domain->regions) {
    if (region == descriptor) {
      const auto* at = static_cast<const std::byte*>(buffer);
      return at >= region->base && at + bytes <= region->base + region->bytes;
    }
  }
  return false;
}

// 0, or what the call returns.
ssize_t check(const Post& post, bool inject) {
  const Behaviour& behaviour = state().behaviour;
  Endpoint& from = *post.from;
  if (from.refused < behaviour.refuse || from.out >= behaviour.depth) {
    ++from.refused;
    ++state().counts.refusals;
    return -FI_EAGAIN;
  }
  from.refused = 0;
  if (post.bytes > behaviour.max_msg) {
    blame("more than the largest message is posted");
    return -FI_EMSGSIZE;
  }
  if (inject && post.bytes > behaviour.inject) {
    blame("more than the inject limit is injected");
    return -FI_EINVAL;
  }
  if (!inject && (behaviour.mr_mode & FI_MR_LOCAL) != 0 && post.bytes > 0 &&
      !describes(from, post.descriptor, post.buffer, post.bytes)) {
    blame("a local buffer has no descriptor");
    return -FI_EINVAL;
  }
  if (post.to >= from.vector->names.size()) {
    blame("an address is used that was never inserted");
    return -FI_EINVAL;
  }
  if (post.context != nullptr && !from.contexts.insert(post.context).second) {
    blame("the context of an operation that is still out is used again");
    return -FI_EINVAL;
  }
  return 0;
}

void note(const Post& post) {
  Counts& counts = state().counts;
  if (post.traffic == Traffic::message) {
    ++counts.messages;
  } else if (post.traffic == Traffic::put) {
    ++counts.puts;
    counts.delivered_puts += (post.flags & FI_DELIVERY_COMPLETE) != 0 ? 1 : 0;
  }
}

ssize_t send_off(const Post& post, bool inject) {
  std::lock_guard lock(state().mutex);
  if (const ssize_t err = check(post, inject); err != 0) {
    return err;
  }
  note(post);
  Endpoint& from = *post.from;
  if (post.context != nullptr && state().behaviour.mode != 0) {
    std::memset(post.context, 0xEE, sizeof(fi_context2));  // it is the provider's now
  }
  const auto found = state().endpoints.find(from.vector->names[post.to]);
  auto& failure = state().failure[static_cast<int>(post.traffic)];
  if (failure || found == state().endpoints.end()) {
    Event event = failure ? *failure : Event{{}, FI_ECONNREFUSED, "nobody listens there"};
    failure.reset();
    event.entry.op_context = post.context;
    push(*from.transmit, std::move(event));
    return 0;
  }
  Item item{};
  item.traffic = post.traffic;
  item.from = &from;
  item.announce = (post.flags & FI_REMOTE_CQ_DATA) != 0;
  item.key = post.key;
  item.address = post.address;
  item.bytes = post.bytes;
  if (post.traffic == Traffic::get) {
    item.local = static_cast<std::byte*>(const_cast<void*>(post.buffer));
  } else {
    const auto* bytes = static_cast<const std::byte*>(post.buffer);
    item.data.assign(bytes, bytes + post.bytes);
  }
  const bool completes = (post.flags & FI_COMPLETION) != 0;
  const bool at_arrival = post.traffic == Traffic::get || (post.flags & FI_DELIVERY_COMPLETE) != 0;
  if (completes && at_arrival) {
    item.context = post.context;
  } else if (completes) {
    // Only the source is free: nothing has moved.
    push(*from.transmit, Event{{post.context, FI_SEND, post.bytes}, 0, ""});
  } else {
    from.contexts.erase(post.context);
  }
  ++from.out;
  found->second->inbox.push_back(std::move(item));
  if (found->second->receive->wake) {
    push(*found->second->receive, {});
  }
  return 0;
}

Endpoint* of(fid_ep* ep) { return reinterpret_cast<Endpoint*>(ep); }

ssize_t send_message(fid_ep* ep, const fi_msg* m, uint64_t flags) {
  return send_off({of(ep), Traffic::message, m->addr, m->msg_iov->iov_base, m->msg_iov->iov_len,
                   m->desc != nullptr ? m->desc[0] : nullptr, m->context, flags},
                  false);
}

ssize_t inject_message(fid_ep* ep, const void* buffer, size_t bytes, fi_addr_t to) {
  return send_off({of(ep), Traffic::message, to, buffer, bytes, nullptr, nullptr, 0}, true);
}

ssize_t receive(fid_ep* ep, void* buffer, size_t bytes, void* descriptor, fi_addr_t,
                void* context) {
  std::lock_guard lock(state().mutex);
  Endpoint& endpoint = *of(ep);
  if (endpoint.receives.size() >= state().behaviour.depth) {
    return -FI_EAGAIN;
  }
  if ((state().behaviour.mr_mode & FI_MR_LOCAL) != 0 &&
      !describes(endpoint, descriptor, buffer, bytes)) {
    blame("a receive buffer has no descriptor");
    return -FI_EINVAL;
  }
  endpoint.receives.push_back({buffer, bytes, context});
  return 0;
}

ssize_t rma(fid_ep* ep, const fi_msg_rma* m, uint64_t flags, Traffic traffic) {
  return send_off({of(ep), traffic, m->addr, m->msg_iov->iov_base, m->msg_iov->iov_len,
                   m->desc != nullptr ? m->desc[0] : nullptr, m->context, flags, m->rma_iov->addr,
                   m->rma_iov->key},
                  false);
}

ssize_t read_message(fid_ep* ep, const fi_msg_rma* m, uint64_t flags) {
  return rma(ep, m, flags, Traffic::get);
}

ssize_t write_message(fid_ep* ep, const fi_msg_rma* m, uint64_t flags) {
  return rma(ep, m, flags, Traffic::put);
}

ssize_t inject_write(fid_ep* ep, const void* buffer, size_t bytes, fi_addr_t to, uint64_t address,
                     uint64_t key) {
  return send_off({of(ep), Traffic::put, to, buffer, bytes, nullptr, nullptr, 0, address, key},
                  true);
}

ssize_t inject_write_data(fid_ep* ep, const void* buffer, size_t bytes, uint64_t, fi_addr_t to,
                          uint64_t address, uint64_t key) {
  return send_off(
      {of(ep), Traffic::put, to, buffer, bytes, nullptr, nullptr, FI_REMOTE_CQ_DATA, address, key},
      true);
}

}  // namespace

fi_ops_msg message_operations = {
    .size = sizeof(fi_ops_msg), .recv = receive, .sendmsg = send_message, .inject = inject_message};
fi_ops_rma rma_operations = {.size = sizeof(fi_ops_rma),
                             .readmsg = read_message,
                             .writemsg = write_message,
                             .inject = inject_write,
                             .injectdata = inject_write_data};

}  // namespace canopy::fake_fabric
