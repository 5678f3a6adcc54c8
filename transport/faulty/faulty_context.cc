#include "transport/faulty/faulty_context.h"

#include <algorithm>

namespace canopy::transport {
namespace {

constexpr const char* kNames[] = {"put", "get", "amo", "signal", "fence", "quiet"};

// Without a sentence: whoever is refused asks again.
tl::unexpected<Error> again() {
  return tl::unexpected<Error>(Error{Errc::again, 0, std::source_location::current()});
}

}  // namespace

FaultyContext::FaultyContext(Faults& faults, Context& inner)
    : faults_(faults), inner_(inner), random_(faults.random_for_context()) {}

FaultyContext::FaultyContext(Faults& faults, std::unique_ptr<Context> inner)
    : faults_(faults),
      owned_(std::move(inner)),
      inner_(*owned_),
      random_(faults.random_for_context()) {}

FaultyContext::~FaultyContext() {
  faults_.held.fetch_sub(held_.size(), std::memory_order_relaxed);  // relaxed: a hint for the pump
}

Result<> FaultyContext::post_put(const Target& to, const void* src, size_t nbytes,
                                 Ticket* source_done) {
  CANOPY_TRY(faults_.check(to, nbytes, 1));
  return post({.kind = Kind::put, .at = to, .src = src, .nbytes = nbytes, .ticket = source_done});
}

Result<> FaultyContext::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  CANOPY_TRY(faults_.check(from, nbytes, 1));
  return post({.kind = Kind::get, .at = from, .dst = dst, .nbytes = nbytes, .ticket = done});
}

Result<> FaultyContext::post_amo(const Target& at, const Amo& operation, uint64_t* old,
                                 Ticket* done) {
  if (operation.width != 4 && operation.width != 8) {
    return fail(Errc::invalid_argument, "{}: an amo has 4 or 8 bytes, not {}", faults_.name(),
                operation.width);
  }
  CANOPY_TRY(faults_.check(at, operation.width, operation.width));
  return post({.kind = Kind::amo, .at = at, .amo = operation, .old = old, .ticket = done});
}

Result<> FaultyContext::signal(const Target& at, const Signal& update) {
  if (update.width != 4 && update.width != 8) {
    return fail(Errc::invalid_argument, "{}: a signal has 4 or 8 bytes, not {}", faults_.name(),
                update.width);
  }
  CANOPY_TRY(faults_.check(at, update.width, update.width));
  return post({.kind = Kind::signal, .at = at, .update = update});
}

void FaultyContext::fence() { (void)post({.kind = Kind::fence, .at = {.peer = kAllPeers}}); }

Result<> FaultyContext::post_quiet(int peer, Ticket* done) {
  CANOPY_TRY(faults_.check_peer(peer));
  return post({.kind = Kind::quiet, .at = {.peer = peer}, .ticket = done});
}

std::string FaultyContext::trouble(int peer) const {
  std::string text = faults_.trouble(peer);
  return text.empty() ? inner_.trouble(peer) : text;
}

Result<> FaultyContext::post(HeldOperation operation) {
  const FaultPlan& plan = faults_.plan();
  const bool is_operation = operation.kind < Kind::fence;
  if (operation.at.peer != kAllPeers && faults_.losses() != 0) {
    if (const std::string why = faults_.trouble(operation.at.peer); !why.empty()) {
      return fail(Errc::peer_lost, "{}", why);
    }
  }
  std::unique_lock lock(mutex_);
  // A fence cannot be refused.
  if (operation.kind != Kind::fence &&
      (held_.size() >= plan.window || (plan.again != 0 && random_.below(100) < plan.again))) {
    return again();
  }
  if (is_operation) {
    switch (faults_.fate_of(operation.at, kNames[static_cast<size_t>(operation.kind)])) {
      case Faults::Fate::fine:
        break;
      case Faults::Fate::fails:
        fail_later(operation, Errc::io);
        return {};
      case Faults::Fate::drops:
        fail_later(operation, Errc::peer_lost);
        lock.unlock();
        faults_.lose(operation.at.peer, fmt::format("{}: the connection to peer {} broke",
                                                    faults_.name(), operation.at.peer));
        return {};
    }
  }
  if (!plan.holds() && held_.empty()) {
    return hand_over(operation);
  }
  operation.due = clock_ + random_.below(plan.delay + 1);
  held_.push_back(operation);
  // Release: the pump that sees it sees the operation; pairs with the mutex it takes. The bell is
  // for when it sleeps.
  faults_.held.fetch_add(1, std::memory_order_release);
  faults_.bell.ring(BellScope::process);
  return {};
}

Result<> FaultyContext::hand_over(const HeldOperation& operation) {
  Result<> posted = hand_over_to_inner(operation);
  const bool writes =
      operation.kind == Kind::put || operation.kind == Kind::amo || operation.kind == Kind::signal;
  if (posted && writes && faults_.delivered) {
    faults_.delivered(operation.at.peer);
  }
  return posted;
}

Result<> FaultyContext::hand_over_to_inner(const HeldOperation& o) {
  switch (o.kind) {
    case Kind::put:
      return inner_.post_put(o.at, o.src, o.nbytes, o.ticket);
    case Kind::get:
      return inner_.post_get(o.dst, o.at, o.nbytes, o.ticket);
    case Kind::amo:
      return inner_.post_amo(o.at, o.amo, o.old, o.ticket);
    case Kind::signal:
      return inner_.signal(o.at, o.update);
    case Kind::fence:
      inner_.fence();
      return {};
    case Kind::quiet:
      if (const Errc code = take_failure(o.at.peer); code != Errc::ok) {
        settle(o.ticket, code);
        return {};
      }
      return inner_.post_quiet(o.at.peer, o.ticket);
  }
  return {};
}

bool FaultyContext::may_leave(size_t index) const {
  const HeldOperation& o = held_[index];
  if (!faults_.plan().reorder) {
    return index == 0;
  }
  for (size_t i = 0; i < index; ++i) {
    const HeldOperation& before = held_[i];
    const bool same_peer = before.at.peer == o.at.peer;
    const bool writes =
        before.kind == Kind::put || before.kind == Kind::amo || before.kind == Kind::signal;
    const bool after_fence = before.kind == Kind::fence;
    bool waits = false;
    switch (o.kind) {
      case Kind::get:
        break;
      case Kind::put:
      case Kind::amo:
        waits = after_fence;
        break;
      case Kind::signal:
        waits = after_fence || (before.kind == Kind::put && same_peer);
        break;
      case Kind::fence:
        waits = writes || after_fence;
        break;
      case Kind::quiet:
        waits = !after_fence && before.kind != Kind::quiet && (same_peer || o.at.peer == kAllPeers);
        break;
    }
    if (waits) {
      return false;
    }
  }
  return true;
}

size_t FaultyContext::choose() {
  size_t chosen = held_.size();
  uint64_t seen = 0;
  for (size_t i = 0; i < held_.size(); ++i) {
    if (held_[i].due > clock_ || !may_leave(i)) {
      continue;
    }
    if (!faults_.plan().reorder) {
      return i;
    }
    // Each of those that may leave with the same chance, in one pass.
    if (random_.below(++seen) == 0) {
      chosen = i;
    }
  }
  return chosen;
}

int FaultyContext::release() {
  int released = 0;
  for (size_t i = choose(); i < held_.size(); i = choose()) {
    const HeldOperation operation = held_[i];
    if (const Result<> posted = hand_over(operation); !posted) {
      if (posted.error().code == Errc::again) {
        break;
      }
      fail_later(operation, posted.error().code);
    }
    held_.erase(held_.begin() + static_cast<ptrdiff_t>(i));
    faults_.held.fetch_sub(1, std::memory_order_relaxed);  // relaxed: a hint for the pump
    ++released;
  }
  return released;
}

int FaultyContext::progress() {
  faults_.polls.fetch_add(1, std::memory_order_relaxed);  // relaxed: a hint for the pump
  return move_on();
}

bool FaultyContext::holds(int peer, RegionId region) {
  std::lock_guard lock(mutex_);
  return std::any_of(held_.begin(), held_.end(), [&](const HeldOperation& operation) {
    return operation.kind < Kind::fence && operation.at.peer == peer &&
           operation.at.region == region;
  });
}

int FaultyContext::move_on() {
  int released = 0;
  if (std::unique_lock lock(mutex_, std::try_to_lock); lock) {
    ++clock_;
    sweep_lost();
    released = release();
  }
  return released + inner_.progress();
}

void FaultyContext::fail_later(const HeldOperation& operation, Errc code) {
  if (operation.ticket != nullptr) {
    operation.ticket->settle(code);
  } else {
    failed_[operation.at.peer] = code;
  }
}

Errc FaultyContext::take_failure(int peer) {
  const auto found = peer == kAllPeers ? failed_.begin() : failed_.find(peer);
  if (found == failed_.end()) {
    return Errc::ok;
  }
  const Errc code = found->second;
  failed_.erase(found);
  return code;
}

// What waits for a lost peer fails.
void FaultyContext::sweep_lost() {
  const uint32_t losses = faults_.losses();
  if (losses == seen_losses_) [[likely]] {
    return;
  }
  seen_losses_ = losses;
  for (const int peer : faults_.lost()) {
    const size_t before = held_.size();
    std::erase_if(held_, [&](const HeldOperation& operation) {
      const bool lost = operation.kind != Kind::fence && operation.at.peer == peer;
      if (lost) {
        fail_later(operation, Errc::peer_lost);
      }
      return lost;
    });
    faults_.held.fetch_sub(before - held_.size(), std::memory_order_relaxed);  // a hint, as above
  }
}

}  // namespace canopy::transport
