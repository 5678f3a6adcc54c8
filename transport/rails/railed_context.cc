#include "transport/rails/railed_context.h"

#include "runtime/base/clock.h"
#include "transport/rails/railed_transport.h"

#include <algorithm>

namespace canopy::transport::rails {
namespace {

// Of one context, not complete; more are back-pressure. Each is at least least_bytes long.
constexpr size_t kMostTransfers = 64;
constexpr size_t kMostSignals = 1024;
// Chunks begin at whole pages of the transfer.
constexpr size_t kChunkUnit = 4096;

// Two for each rail, so that the last ones end at about the same time.
size_t chunk_of(size_t nbytes, size_t rails, const StripeOptions& options) {
  const size_t wanted =
      std::clamp(nbytes / (2 * rails), options.smallest_chunk, options.largest_chunk);
  return options.smallest_chunk < kChunkUnit ? wanted
                                             : (wanted + kChunkUnit - 1) / kChunkUnit * kChunkUnit;
}

}  // namespace

RailedContext::RailedContext(RailedTransport& transport, Context& first,
                             std::unique_ptr<Context> owned)
    : transport_(transport), owned_(std::move(owned)), first_(first) {}

RailedContext::~RailedContext() {
  if (owned_ == nullptr) {
    for (const Chunk& chunk : chunks_) {  // the transport's own; nobody else is left
      if (chunk.rail != nullptr) {
        chunk.rail->transport.reset();  // before the tickets that it knows
      }
    }
    return;
  }
  // Who closes a context has waited for what it posted; who has not must not leave tickets of ours
  // to a rail. What fails ends by the keeper's hand.
  const auto clear = [this] {
    work();
    std::lock_guard holding(mutex_);
    return std::none_of(chunks_.begin(), chunks_.end(),
                        [](const Chunk& chunk) { return chunk.rail != nullptr; });
  };
  if (busy()) {
    wait_until(clear, nullptr, BellScope::process, Deadline::never(), [] {
      return std::string("a context is closed while stripes of it are under way");
    });
  }
  transport_.forget(*this);
  owned_.reset();  // before the tickets of chunks that it may still know
}

Lane& RailedContext::lane_of(int peer) { return lanes_[peer]; }

tl::unexpected<Error> RailedContext::again() const {
  return tl::unexpected<Error>(Error{Errc::again, 0, std::source_location::current()});
}

void RailedContext::update_busy() {
  const auto waits = [](const auto& entry) {
    return entry.second.hold != 0 || entry.second.failed != Errc::ok;
  };
  const bool busy = !transfers_.empty() || !chunks_.empty() || !signals_.empty() ||
                    !quiets_.empty() || std::any_of(lanes_.begin(), lanes_.end(), waits);
  store_release(&busy_, busy ? 1u : 0u);  // as Doorbell::ring() asks of who rings it
}

std::shared_ptr<const std::vector<Way>> RailedContext::ways_to(const Target& at) {
  auto ways = transport_.ways_to(at.peer);
  const auto reaches = [&](const Way& way) {
    return !way.rail->failed.load(std::memory_order_relaxed) &&
           std::binary_search(way.regions.begin(), way.regions.end(), at.region);
  };
  if (ways == nullptr || std::none_of(ways->begin(), ways->end(), reaches)) {
    return nullptr;
  }
  return ways;
}

Result<> RailedContext::post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) {
  const bool large = nbytes >= transport_.options().least_bytes;
  if (!busy() && !large) [[likely]] {
    return first_.post_put(to, src, nbytes, done);
  }
  std::unique_lock holding(mutex_);
  if (held(to.peer)) {
    return again();
  }
  if (large) {
    if (auto ways = ways_to(to)) {
      lane_of(to.peer).ways = std::move(ways);
      return stripe(true, to, static_cast<std::byte*>(const_cast<void*>(src)), nbytes, done);
    }
  }
  update_busy();
  holding.unlock();
  return first_.post_put(to, src, nbytes, done);
}

Result<> RailedContext::post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) {
  if (nbytes >= transport_.options().least_bytes) {
    std::lock_guard holding(mutex_);
    if (auto ways = ways_to(from)) {
      lane_of(from.peer).ways = std::move(ways);
      return stripe(false, from, static_cast<std::byte*>(dst), nbytes, done);
    }
  }
  return first_.post_get(dst, from, nbytes, done);
}

Result<> RailedContext::stripe(bool is_put, const Target& at, std::byte* local, size_t nbytes,
                               Ticket* done) {
  CANOPY_TRY(transport_.check(at, nbytes, 1));
  if (transport_.loss_code(at.peer) != Errc::ok) {
    return fail(Errc::peer_lost, "ofi: peer {} is lost: {}", at.peer, first_.trouble(at.peer));
  }
  if (transfers_.size() >= kMostTransfers) {
    return again();
  }
  const Lane& lane = lane_of(at.peer);
  Transfer& transfer = transfers_.emplace_back();
  transfer.seq = next_seq_++;
  transfer.is_put = is_put;
  transfer.at = at;
  transfer.local = local;
  transfer.nbytes = nbytes;
  transfer.chunk = chunk_of(nbytes, lane.ways->size() + 1, transport_.options());
  transfer.ticket = done;
  if (is_put && lane.ordered_at != fences_.load(std::memory_order_relaxed)) {
    transfer.start = Transfer::Start::wait;
  }
  if (start(transfer)) {
    feed(transfer, monotonic_ns());
  }
  update_busy();
  transport_.notice();
  return {};
}

Result<> RailedContext::post_amo(const Target& at, const Amo& operation, uint64_t* old,
                                 Ticket* done) {
  if (busy()) [[unlikely]] {
    std::lock_guard holding(mutex_);
    if (held(at.peer)) {
      return again();
    }
  }
  return first_.post_amo(at, operation, old, done);
}

Result<> RailedContext::signal(const Target& at, const Signal& update) {
  if (!busy()) [[likely]] {
    return first_.signal(at, update);
  }
  std::lock_guard holding(mutex_);
  if (!stripes_before(at.peer, next_seq_, Kinds::puts) && !signals_before(at.peer, next_seq_)) {
    return held(at.peer) ? Result<>(again()) : first_.signal(at, update);
  }
  if (update.width != 4 && update.width != 8) {
    return fail(Errc::invalid_argument, "ofi: a signal has 4 or 8 bytes, not {}", update.width);
  }
  CANOPY_TRY(transport_.check(at, update.width, update.width));
  if (signals_.size() >= kMostSignals) {
    return again();
  }
  signals_.push_back({next_seq_++, at, update});
  return {};
}

int RailedContext::progress() {
  const int completed = first_.progress();
  return busy() ? completed + work() : completed;
}

}  // namespace canopy::transport::rails
