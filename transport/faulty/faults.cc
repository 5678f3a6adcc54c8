#include "transport/faulty/faults.h"

#include "runtime/base/log.h"

#include <signal.h>
#include <unistd.h>

namespace canopy::transport {
namespace {

// Different for each PE, and not close together for PEs that are.
uint64_t salted(uint64_t seed, int salt) {
  return FaultRandom(seed ^ (static_cast<uint64_t>(salt) + 1) * 0xD1342543DE82EF95u).next();
}

}  // namespace

Faults::Faults(const FaultPlan& plan, int salt, std::string name)
    : plan_(plan),
      salt_(salt),
      name_(std::move(name)),
      contexts_(FaultRandom(salted(plan.seed, salt)).next()) {
  FaultRandom points(salted(plan.seed, salt));
  const auto point = [&](uint64_t within) { return within == 0 ? 0 : 1 + points.below(within); };
  fail_at_ = point(plan.fail);
  drop_at_ = point(plan.drop);
  kill_at_ = point(plan.kill);
}

FaultRandom Faults::random_for_context() {
  std::lock_guard lock(mutex_);
  return FaultRandom(contexts_.next());
}

Faults::Fate Faults::fate_of(const Target& at, const char* what) {
  // Relaxed: a number for each operation, which orders nothing.
  const uint64_t number = operations_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!here() || (number != fail_at_ && number != drop_at_ && number != kill_at_)) [[likely]] {
    return Fate::fine;
  }
  const char* happens = number == kill_at_   ? "the process is killed"
                        : number == drop_at_ ? "the connection breaks"
                                             : "it fails";
  log(LogLevel::warn, "{}: operation {}, a {} to peer {} region {} offset {}: {} (replay: {})",
      name_, number, what, at.peer, at.region, at.offset, happens, plan_.text());
  if (number == kill_at_) {
    ::kill(::getpid(), SIGKILL);
  }
  return number == drop_at_ ? Fate::drops : Fate::fails;
}

void Faults::open(int peer, RegionId region, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  opened_[{peer, region}] = bytes;
}

void Faults::close(int peer, RegionId region) {
  std::lock_guard lock(mutex_);
  opened_.erase({peer, region});
}

uint64_t Faults::bytes_of(int peer, RegionId region) const {
  if (const auto known = peers_.find(peer); known != peers_.end()) {
    if (const auto found = known->second.find(region); found != known->second.end()) {
      return found->second;
    }
  }
  std::lock_guard lock(mutex_);
  const auto found = opened_.find({peer, region});
  return found == opened_.end() ? 0 : found->second;
}

Result<> Faults::check(const Target& at, size_t nbytes, size_t alignment) const {
  const uint64_t bytes = bytes_of(at.peer, at.region);
  if (bytes == 0) {
    return fail(Errc::not_found, "{}: peer {} has no region {} here", name_, at.peer, at.region);
  }
  if (at.offset > bytes || nbytes > bytes - at.offset) {
    return fail(Errc::out_of_range,
                "{}: peer {} region {}: {} bytes at offset {} leave its {} bytes", name_, at.peer,
                at.region, nbytes, at.offset, bytes);
  }
  // Regions begin at pages.
  if (at.offset % alignment != 0) {
    return fail(Errc::misaligned, "{}: peer {} region {}: offset {} is not a multiple of {}", name_,
                at.peer, at.region, at.offset, alignment);
  }
  return {};
}

Result<> Faults::check_peer(int peer) const {
  if (peer != kAllPeers && !peers_.contains(peer)) {
    return fail(Errc::not_found, "{}: there is no peer {} here", name_, peer);
  }
  return {};
}

void Faults::on_error(std::function<void(int, Errc, std::string_view)> call) {
  std::lock_guard lock(mutex_);
  on_error_ = std::move(call);
}

void Faults::lose(int peer, std::string_view why) {
  std::function<void(int, Errc, std::string_view)> call;
  {
    std::lock_guard lock(mutex_);
    if (!lost_.emplace(peer, why).second) {
      return;
    }
    call = on_error_;
    // Release: who sees the number finds the peer; pairs with losses().
    losses_.fetch_add(1, std::memory_order_release);
  }
  if (call) {
    call(peer, Errc::peer_lost, why);
  }
}

std::vector<int> Faults::lost() const {
  std::lock_guard lock(mutex_);
  std::vector<int> peers;
  for (const auto& [peer, why] : lost_) {
    peers.push_back(peer);
  }
  return peers;
}

std::string Faults::trouble(int peer) const {
  std::lock_guard lock(mutex_);
  const auto found = lost_.find(peer);
  return found == lost_.end() ? std::string() : found->second;
}

}  // namespace canopy::transport
