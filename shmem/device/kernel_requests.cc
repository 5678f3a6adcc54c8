#include "shmem/device/kernel_requests.h"

#include "runtime/base/env.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"
#include "runtime/base/waiter.h"
#include "shmem/sync/wait.h"
#include "shmem/world/far_paths.h"
#include "shmem/world/op_counts.h"
#include "shmem/world/world.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstring>

namespace canopy::shmem {
namespace {

using Kind = Request::Kind;

std::atomic<uint64_t> next_id{1};

// Entries of a ring: CANOPY_REQUEST_RING, rounded up to a power of two.
uint32_t ring_entries() {
  const int64_t wanted = env::integer("CANOPY_REQUEST_RING").value_or(256);
  return std::bit_ceil(static_cast<uint32_t>(std::clamp<int64_t>(wanted, 1, 1 << 20)));
}

// The ring of the core that this thread ran a block of last.
struct Cached {
  uint64_t owner = 0;
  uint64_t core = 0;
  RequestRing* ring = nullptr;
};
thread_local Cached t_cached;

}  // namespace

KernelRequests::KernelRequests(World& world, FarPaths& far)
    : world_(world),
      far_(far),
      id_(next_id.fetch_add(1, std::memory_order_relaxed)),  // relaxed: only to be unique
      entries_(ring_entries()) {}

KernelRequests::~KernelRequests() {
  thread_.request_stop();
  bell_.ring(BellScope::process);
}

RequestRing& KernelRequests::my_ring() {
  const uint64_t core = kernel_side().core();
  if (t_cached.owner == id_ && t_cached.core == core) [[likely]] {
    return *t_cached.ring;
  }
  std::lock_guard lock(mutex_);
  std::unique_ptr<RequestRing>& ring = rings_[core];
  if (ring == nullptr) {
    ring = std::make_unique<RequestRing>(entries_);
    // Release: pairs with the acquire in drain(), which then takes the mutex.
    n_rings_.fetch_add(1, std::memory_order_release);
  }
  t_cached = {id_, core, ring.get()};
  return *ring;
}

Request& KernelRequests::reserve(RequestRing& ring, const char* routine) {
  Request* entry = ring.reserve();
  if (entry == nullptr) [[unlikely]] {
    count_op(Op::ring_full, true);
    wait_in_kernel(
        [&] {
          far_.progress();
          return !ring.full();
        },
        "room in the request ring");
    entry = ring.reserve();
  }
  *entry = Request{.routine = routine};
  return *entry;
}

bool KernelRequests::has_thread() {
  if (started_.load(std::memory_order_acquire)) [[likely]] {
    return true;
  }
  std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {
    if (!start_thread(&thread_, "requests of kernels", [this](const std::stop_token& stop) { run(stop); })) {
      const std::string why = error_text::take_newest();
      if (!std::exchange(told_of_no_thread_, true)) {
        log(LogLevel::warn, "{}; kernels wait until their requests have been posted", why);
      }
      return false;
    }
    ::pthread_setname_np(thread_.native_handle(), "canopy-requests");
    // Release: pairs with the load above.
    started_.store(true, std::memory_order_release);
  }
  return true;
}

void KernelRequests::publish(RequestRing& ring) {
  ring.publish();
  if (has_thread()) [[likely]] {
    bell_.ring(BellScope::process);
    return;
  }
  const uint32_t count = ring.handed_over();
  wait_in_kernel(
      [&] {
        far_.progress();
        return ring.posted(count);
      },
      "a request to be posted");
}

void KernelRequests::publish_and_wait(RequestRing& ring, const Request& request) {
  ring.publish();
  wait(request);
}

void KernelRequests::wait(const Request& request) {
  wait_in_kernel(
      [&] {
        if (!request.ticket.settled()) {
          far_.progress();
        }
        return request.ticket.settled();
      },
      request.routine);
  if (const Errc code = request.ticket.error(); code != Errc::ok) {
    world_.far_failed(request.at.peer, request.routine, code);
  }
}

void KernelRequests::put(const transport::Target& to, const void* source, uint64_t nbytes, bool nbi,
                         const char* routine) {
  RequestRing& ring = my_ring();
  Request& request = reserve(ring, routine);
  request.kind = Kind::put;
  request.at = to;
  request.nbytes = nbytes;
  if (nbytes <= Request::kCarried) {
    std::memcpy(request.data, source, nbytes);
    request.carries = true;
    request.tracked = true;
    publish(ring);
    return;
  }
  request.local = const_cast<void*>(source);
  request.tracked = !nbi;
  nbi ? publish(ring) : publish_and_wait(ring, request);
}

void KernelRequests::get(void* dest, const transport::Target& from, uint64_t nbytes, bool nbi,
                         const char* routine) {
  RequestRing& ring = my_ring();
  Request& request = reserve(ring, routine);
  request.kind = Kind::get;
  request.at = from;
  request.local = dest;
  request.nbytes = nbytes;
  request.tracked = !nbi;
  nbi ? publish(ring) : publish_and_wait(ring, request);
}

uint64_t KernelRequests::amo(const transport::Target& at, const transport::Amo& operation,
                             const char* routine) {
  RequestRing& ring = my_ring();
  Request& request = reserve(ring, routine);
  request.kind = Kind::amo;
  request.at = at;
  request.amo = operation;
  request.tracked = true;
  publish_and_wait(ring, request);
  return request.old;
}

void KernelRequests::signal(const transport::Target& at, const transport::Signal& update,
                            const char* routine) {
  RequestRing& ring = my_ring();
  Request& request = reserve(ring, routine);
  request.kind = Kind::signal;
  request.at = at;
  request.update = update;
  publish(ring);
}

void KernelRequests::fence(const char* routine) {
  RequestRing& ring = my_ring();
  reserve(ring, routine).kind = Kind::fence;
  publish(ring);
}

void KernelRequests::quiet(const char* routine) {
  RequestRing& ring = my_ring();
  for (size_t number = 0; number < far_.transports().size(); ++number) {
    Request& request = reserve(ring, routine);
    request.kind = Kind::quiet;
    request.at = {transport::kAllPeers, static_cast<transport::RegionId>(number), 0};
    request.tracked = true;
    publish_and_wait(ring, request);
  }
}

Result<> KernelRequests::post(Request& request) {
  transport::Ticket* ticket = request.tracked ? &request.ticket : nullptr;
  if (request.kind == Kind::fence) {
    far_.fence();
    return {};
  }
  if (request.kind == Kind::quiet) {
    return far_.transports()[request.at.region]->post_quiet(transport::kAllPeers, ticket);
  }
  transport::Transport& way = *far_.way_to(request.at.peer);
  switch (request.kind) {
    case Kind::put:
      return way.post_put(request.at, request.carries ? request.data : request.local,
                          request.nbytes, ticket);
    case Kind::get:
      return way.post_get(request.local, request.at, request.nbytes, ticket);
    case Kind::amo:
      return way.post_amo(request.at, request.amo, request.tracked ? &request.old : nullptr,
                          ticket);
    default:
      return way.signal(request.at, request.update);
  }
}

void KernelRequests::drain() {
  // Acquire: pairs with my_ring().
  const uint32_t n_rings = n_rings_.load(std::memory_order_acquire);
  if (n_rings == 0) [[likely]] {
    return;
  }
  std::unique_lock draining(draining_, std::try_to_lock);
  if (!draining) {
    return;
  }
  if (drained_.size() != n_rings) {
    std::lock_guard lock(mutex_);
    drained_.clear();
    for (const auto& [core, ring] : rings_) {
      drained_.push_back(ring.get());
    }
  }
  for (RequestRing* ring : drained_) {
    drain_ring(*ring);
  }
}

std::vector<KernelRequests::Mark> KernelRequests::marks() {
  std::vector<Mark> marks;
  // Acquire: pairs with my_ring().
  if (n_rings_.load(std::memory_order_acquire) == 0) [[likely]] {
    return marks;
  }
  std::lock_guard lock(mutex_);
  for (const auto& [core, ring] : rings_) {
    const uint32_t count = ring->handed_over();
    if (!ring->posted(count)) {
      marks.push_back({ring.get(), count});
    }
  }
  return marks;
}

bool KernelRequests::posted(const std::vector<Mark>& marks) {
  return std::all_of(marks.begin(), marks.end(),
                     [](const Mark& mark) { return mark.ring->posted(mark.count); });
}

void KernelRequests::drain_ring(RequestRing& ring) {
  while (Request* request = ring.next()) {
    if (const Result<> posted = post(*request); !posted) {
      if (posted.error().code == Errc::again) {
        break;
      }
      if (!request->tracked) {
        world_.far_failed(request->at.peer, request->routine, posted.error().code);
      }
      request->ticket.settle(posted.error().code);
    }
    ring.advance();
  }
  ring.retire([this](const Request& entry) {
    // Nobody waits for what carries its data.
    if (entry.carries && entry.ticket.error() != Errc::ok) {
      world_.far_failed(entry.at.peer, entry.routine, entry.ticket.error());
    }
  });
}

bool KernelRequests::busy() {
  std::lock_guard lock(mutex_);
  return std::any_of(rings_.begin(), rings_.end(),
                     [](const auto& entry) { return entry.second->busy(); });
}

// Posts what blocks do not wait for; sleeps while there is nothing.
void KernelRequests::run(const std::stop_token& stop) {
  WaitPacer pacer;
  while (!stop.stop_requested()) {
    if (!busy()) {
      pacer.reset();
      bell_.sleep(BellScope::process, std::chrono::nanoseconds::max(),
                  [&] { return !busy() && !stop.stop_requested(); });
      continue;
    }
    far_.progress();
    if (pacer.step()) {
      pacer.drop_permit();
      bell_.sleep(BellScope::process, pacer.next_nap(), [&] { return !stop.stop_requested(); });
    }
  }
}

}  // namespace canopy::shmem
