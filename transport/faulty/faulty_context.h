// FaultyContext: a sequence of operations on its way into an inner context, held and mixed as the
// plan says, but never against the contract (transport.h):
//
//   may not leave before what came earlier in this context
//   put, amo     fences with all that they wait for
//   signal       the same, and the puts to its peer
//   fence        puts, amos and signals
//   quiet        everything to its peer
//
// An operation that has left is the inner context's, with its ticket. Any thread may call; one
// mutex per context, under which the inner context is called.
#pragma once

#include "transport/base/transport.h"
#include "transport/faulty/faults.h"

#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace canopy::transport {

struct HeldOperation {
  enum class Kind : uint8_t { put, get, amo, signal, fence, quiet };
  Kind kind = Kind::put;
  Target at;  // of a quiet: the peer alone
  const void* src = nullptr;
  void* dst = nullptr;
  size_t nbytes = 0;
  Amo amo{};
  uint64_t* old = nullptr;
  Signal update{};
  Ticket* ticket = nullptr;
  uint64_t due = 0;  // the poll at which it may leave
};

class FaultyContext final : public Context {
 public:
  FaultyContext(Faults& faults, Context& inner);
  // The same for an inner context that goes with it.
  FaultyContext(Faults& faults, std::unique_ptr<Context> inner);
  ~FaultyContext() override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* source_done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, const Signal& update) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override;
  void rest() override { inner_.rest(); }
  std::string trouble(int peer) const override;

  // Whether something for that region has not left yet.
  bool holds(int peer, RegionId region);

  // progress() for the pump: does not count as somebody's polling.
  int move_on();

 private:
  using Kind = HeldOperation::Kind;

  // Refused with Errc::again, failed, lost, held, or passed on.
  Result<> post(HeldOperation operation);
  Result<> hand_over(const HeldOperation& operation);
  Result<> hand_over_to_inner(const HeldOperation& operation);
  bool may_leave(size_t index) const;
  // Of held_, which may leave now; held_.size() when there is none.
  size_t choose();
  int release();
  void sweep_lost();
  void fail_later(const HeldOperation& operation, Errc code);
  Errc take_failure(int peer);

  Faults& faults_;
  const std::unique_ptr<Context> owned_;
  Context& inner_;
  std::mutex mutex_;  // guards the rest, and the use of inner_ for what was held
  FaultRandom random_;
  uint64_t clock_ = 0;  // polls
  uint32_t seen_losses_ = 0;
  std::vector<HeldOperation> held_;
  std::map<int, Errc> failed_;  // by peer: what had no ticket, for the next quiet
};

}  // namespace canopy::transport
