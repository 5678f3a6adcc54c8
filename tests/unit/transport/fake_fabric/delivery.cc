// The double's endpoints, the target's half: moves what has come, in any order that is allowed, and
// tells who is to be told. Runs only while the target looks at its queue, as with manual progress.
#include "tests/unit/transport/fake_fabric/objects.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace canopy::fake_fabric {

void push(Queue& queue, Event event) {
  const bool is_event = event.error != 0 || event.entry.flags != 0;
  if (is_event) {
    queue.events.push_back(std::move(event));
  }
  if (queue.wake) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(queue.wake.get(), &one, sizeof one);
  }
}

namespace {

// Whether the later of two items of one sender may go first.
bool may_overtake(const Item& earlier, const Item& later) {
  const uint64_t order = state().behaviour.order;
  if (earlier.traffic == Traffic::get || later.traffic == Traffic::get) {
    return true;
  }
  if (later.traffic == Traffic::put) {
    return earlier.traffic == Traffic::message || (order & FI_ORDER_WAW) == 0;
  }
  return (order & (earlier.traffic == Traffic::put ? FI_ORDER_SAW : FI_ORDER_SAS)) == 0;
}

bool may_go(const Endpoint& endpoint, size_t index) {
  const Item& item = endpoint.inbox[index];
  if (item.traffic == Traffic::message && endpoint.receives.empty()) {
    return false;
  }
  for (size_t i = 0; i < index; ++i) {
    if (endpoint.inbox[i].from == item.from && !may_overtake(endpoint.inbox[i], item)) {
      return false;
    }
  }
  return true;
}

// The memory that an item names, or null with what the sender gets to hear.
std::byte* memory_of(const Endpoint& target, const Item& item) {
  const auto& regions = target.domain->regions;
  const auto found = regions.find(item.key);
  if (found == regions.end()) {
    blame("a remote key does not exist");
    return nullptr;
  }
  const Region& region = *found->second;
  const int mode = state().behaviour.mr_mode;
  const uint64_t base =
      (mode & FI_MR_VIRT_ADDR) != 0 ? reinterpret_cast<uintptr_t>(region.base) : 0;
  const uint64_t offset = item.address - base;
  const uint64_t wanted = item.traffic == Traffic::put ? FI_REMOTE_WRITE : FI_REMOTE_READ;
  if (offset > region.bytes || item.bytes > region.bytes - offset) {
    blame("a remote address lies outside of its region");
  } else if ((region.access & wanted) == 0) {
    blame("remote memory was not registered for this access");
  } else if ((mode & FI_MR_ENDPOINT) != 0 && (region.bound != &target || !region.enabled)) {
    blame("remote memory is not bound to the endpoint through which it is reached");
  } else {
    return region.base + offset;
  }
  return nullptr;
}

void move(Endpoint& target, Item& item) {
  int error = 0;
  if (item.traffic == Traffic::message) {
    const Receive into = target.receives.front();
    target.receives.pop_front();
    std::memcpy(into.buffer, item.data.data(), std::min(item.data.size(), into.bytes));
    push(*target.receive, Event{{into.context, FI_RECV | FI_MSG, item.data.size()}, 0, ""});
  } else if (std::byte* at = memory_of(target, item); at == nullptr) {
    error = FI_EACCES;
  } else if (item.traffic == Traffic::put) {
    // As the wire does: aligned words arrive whole.
    if (item.bytes == sizeof(uint64_t) && reinterpret_cast<uintptr_t>(at) % sizeof(uint64_t) == 0) {
      uint64_t word;
      std::memcpy(&word, item.data.data(), sizeof word);
      std::atomic_ref(*reinterpret_cast<uint64_t*>(at)).store(word, std::memory_order_release);
    } else {
      std::memcpy(at, item.data.data(), item.bytes);
    }
    if (item.announce) {
      push(*target.receive,
           Event{{nullptr, FI_REMOTE_WRITE | FI_REMOTE_CQ_DATA, item.bytes}, 0, ""});
    }
  } else {
    std::memcpy(item.local, at, item.bytes);
  }
  --item.from->out;
  if (item.context != nullptr || error != 0) {
    push(*item.from->transmit, Event{{item.context, FI_SEND, item.bytes},
                                     error,
                                     error != 0 ? "the target refuses the access" : ""});
  }
}

ssize_t read_queue(fid_cq* cq, void* out, size_t count) {
  std::lock_guard lock(state().mutex);
  auto* queue = reinterpret_cast<Queue*>(cq);
  for (Endpoint* endpoint : queue->endpoints) {
    deliver(*endpoint);
  }
  if (queue->events.empty()) {
    return -FI_EAGAIN;
  }
  auto* entries = static_cast<fi_cq_msg_entry*>(out);
  size_t got = 0;
  while (got < count && !queue->events.empty() && queue->events.front().error == 0) {
    const Event& event = queue->events.front();
    for (Endpoint* endpoint : queue->endpoints) {
      endpoint->contexts.erase(event.entry.op_context);
    }
    entries[got++] = event.entry;
    queue->events.pop_front();
  }
  return got == 0 ? -FI_EAVAIL : static_cast<ssize_t>(got);
}

ssize_t read_error(fid_cq* cq, fi_cq_err_entry* out, uint64_t) {
  std::lock_guard lock(state().mutex);
  auto* queue = reinterpret_cast<Queue*>(cq);
  if (queue->events.empty() || queue->events.front().error == 0) {
    return -FI_EAGAIN;
  }
  const Event event = queue->events.front();
  queue->events.pop_front();
  queue->words = event.words;
  for (Endpoint* endpoint : queue->endpoints) {
    endpoint->contexts.erase(event.entry.op_context);
  }
  *out = {};
  out->op_context = event.entry.op_context;
  out->err = event.error;
  out->prov_errno = 4242;
  out->err_data = queue->words.data();
  return 1;
}

const char* words_of(fid_cq*, int, const void* data, char*, size_t) {
  return static_cast<const char*>(data);
}

}  // namespace

void deliver(Endpoint& endpoint) {
  if (state().frozen) {
    return;
  }
  // Not all at once, so that there is time in which things are under way.
  for (auto left = 1 + state().random() % 8; left > 0 && !endpoint.inbox.empty(); --left) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < endpoint.inbox.size() && i < 32; ++i) {
      if (may_go(endpoint, i)) {
        ready.push_back(i);
      }
    }
    if (ready.empty()) {
      return;
    }
    const size_t chosen = ready[state().random() % ready.size()];
    Item item = std::move(endpoint.inbox[chosen]);
    endpoint.inbox.erase(endpoint.inbox.begin() + static_cast<ptrdiff_t>(chosen));
    move(endpoint, item);
  }
}

fi_ops_cq queue_operations = {.size = sizeof(fi_ops_cq),
                              .read = read_queue,
                              .readfrom = nullptr,
                              .readerr = read_error,
                              .sread = nullptr,
                              .sreadfrom = nullptr,
                              .signal = nullptr,
                              .strerror = words_of};

}  // namespace canopy::fake_fabric
