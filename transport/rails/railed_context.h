// RailedContext: a sequence of operations over several rails. All that is ordered goes over the
// first one; a large put or get is cut into chunks, and each rail takes the next when it has room.
//
//   put, get   below StripeOptions::least_bytes, or to a peer without further rails: the first rail's
//   stripes    complete - ticket, quiet, fence, signal - when every chunk has arrived, so a put's
//              source stays untouched until then: a chunk whose rail fails is sent again
//   signal     accepted behind stripes to its peer, and sent when they have arrived
//   fence      puts and amos to a peer with stripes under way get Errc::again until they have arrived;
//              the stripes of a later put go when what the first rail carried before has arrived
//
// Threads: any thread calls anything; the mutex serialises. While nothing is striped it is not
// taken: one relaxed load says so. (Relaxed: a thread sees its own posts, and those of others when
// it was told of them by something that orders.)
#pragma once

#include "runtime/base/cache_line.h"
#include "runtime/base/waiter.h"
#include "transport/rails/transfer.h"

#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <set>

namespace canopy::transport::rails {

class RailedTransport;

class RailedContext final : public Context {
 public:
  // `first` is the first rail's context; `owned` the same, when it is this context's own.
  RailedContext(RailedTransport& transport, Context& first, std::unique_ptr<Context> owned);
  ~RailedContext() override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, const Signal& update) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override;
  void rest() override { first_.rest(); }
  std::string trouble(int peer) const override { return first_.trouble(peer); }

  // ---- the transport's
  // Something is striped, or waits for it. A hint: orders nothing.
  bool busy() const { return load_relaxed(&busy_) != 0; }
  // How often somebody moved the stripes on. A hint: orders nothing.
  uint64_t turns() const { return load_relaxed(&turns_); }
  int work();
  std::mutex& mutex() { return mutex_; }
  // REQUIRES for the following: the caller holds mutex().
  bool has_stripes_in(int peer, RegionId region) const;
  // The rail carries nothing of this context any more; adds the peers to which it carried puts.
  void strand(const Rail& rail, std::set<int>& puts_to);
  // Nothing of what the rail carried can arrive any more: to `peer`, or what it got from anywhere.
  void resend(const Rail& rail, int peer);
  void resend_gets(const Rail& rail);

 private:
  // railed_context.cc: posting
  Result<> stripe(bool is_put, const Target& at, std::byte* local, size_t nbytes, Ticket* done);
  // Null: there are none for this region.
  std::shared_ptr<const std::vector<Way>> ways_to(const Target& at);
  Lane& lane_of(int peer);
  tl::unexpected<Error> again() const;
  void update_busy();

  // railed_order.cc: what waits for stripes
  enum class Kinds : uint8_t { puts, puts_and_gets };
  bool stripes_before(int peer, uint64_t seq, Kinds kinds) const;
  bool signals_before(int peer, uint64_t seq) const;
  bool held(int peer);
  void push_signals();
  void push_quiets();
  void note_failure(int peer, uint64_t seq, Errc code);

  // railed_progress.cc
  int pump();
  void sweep_losses();
  void collect(uint64_t now);
  // True: nothing is left to do about it.
  bool is_over(Chunk& chunk, uint64_t now);
  void arrived(Chunk& chunk, uint64_t now);
  void ask_for_arrival(Chunk& chunk);
  void watch_silence(uint64_t now);
  void feed(uint64_t now);
  bool start(Transfer& transfer);
  void feed(Transfer& transfer, uint64_t now);
  // The loads of the rails that may carry it.
  std::vector<Load*> loads_for(const Transfer& transfer);
  bool post_chunk(Transfer& transfer, Load& load, Transfer::Piece piece, uint64_t now);
  void finish_transfers();
  void resend_if(const Rail& rail, FunctionRef<bool(const Transfer&)> which);
  Context& over(const RailPtr& rail) { return rail == nullptr ? first_ : *rail->transport; }

  RailedTransport& transport_;
  std::unique_ptr<Context> owned_;
  Context& first_;
  // Fences so far; relaxed, as the head says.
  std::atomic<uint64_t> fences_{0};
  uint32_t busy_ = 0;
  uint64_t turns_ = 0;

  std::mutex mutex_;  // guards what follows
  uint64_t next_seq_ = 1;
  uint64_t last_pump_ns_ = 0;
  uint32_t seen_losses_ = 0;
  int settled_ = 0;  // in this pump
  std::map<int, Lane> lanes_;
  std::list<Transfer> transfers_;
  std::list<Chunk> chunks_;
  std::deque<LateSignal> signals_;
  std::list<LateQuiet> quiets_;
};

}  // namespace canopy::transport::rails
