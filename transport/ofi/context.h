// OfiContext: the posting side over one libfabric endpoint of its own.
//
// How completion and order come about (see also lane.h):
//   put     libfabric's default completion says only that the source is reusable. The first put to
//   a
//           clean lane asks for a completion at its arrival, and so is its own flush; what follows
//           while it is out goes cheaply and makes the lane dirty.
//   quiet   one flush per dirty lane - a put of 8 bytes that completes at its arrival, behind the
//           others, where puts keep their order; else a message - then waits for what is counted.
//   fence   nothing, where the provider's order holds; otherwise later posts are held back.
//   amo, signal  messages, executed by the target's Server with the CPU.
//
// Threads: any thread calls anything; the baton serialises. Tickets are settled under the baton.
#pragma once

#include "transport/base/transport.h"
#include "transport/ofi/baton.h"
#include "transport/ofi/endpoint.h"
#include "transport/ofi/lane.h"
#include "transport/ofi/operation.h"
#include "transport/ofi/registry.h"

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

namespace canopy::transport::ofi {

// A region of a peer that is being closed. Held by every context that has something under way to
// that peer; the last to let go settles the ticket. Thread-safe.
class Closing {
 public:
  explicit Closing(Ticket* done) : done_(done) {}
  Closing(const Closing&) = delete;
  ~Closing() { settle(done_, worst_.load(std::memory_order_relaxed)); }
  // Relaxed: the last release of the shared_ptr orders it with the destructor.
  void fail_with(Errc code) { worst_.store(code, std::memory_order_relaxed); }

 private:
  Ticket* const done_;
  std::atomic<Errc> worst_{Errc::ok};
};

// A quiet that waits for lanes.
struct PendingQuiet {
  Ticket* ticket = nullptr;
  int lanes = 0;
  Errc worst = Errc::ok;
  std::shared_ptr<Closing>
      closing;  // not the program's: the failures of what had no ticket are not its own
};

class OfiContext final : public Context {
 public:
  static Result<std::unique_ptr<OfiContext>> open(Domain& domain, Registry& registry);
  // Called first thing in the destructor.
  void on_close(std::function<void(OfiContext&)> call) { closing_ = std::move(call); }
  ~OfiContext() override;

  Result<> post_put(const Target& to, const void* src, size_t nbytes, Ticket* source_done) override;
  Result<> post_get(void* dst, const Target& from, size_t nbytes, Ticket* done) override;
  Result<> post_amo(const Target& at, const Amo& operation, uint64_t* old, Ticket* done) override;
  Result<> signal(const Target& at, const Signal& update) override;
  void fence() override;
  Result<> post_quiet(int peer, Ticket* done) override;
  int progress() override;
  std::string trouble(int peer) const override { return registry_.trouble(peer); }

  // progress() for the transport's own thread, which leaves alone whoever polls for itself: does
  // nothing when somebody did since the last call.
  int serve();
  // How often somebody else polled. A hint: orders nothing.
  uint64_t polls() const { return load_relaxed(&polls_); }
  // Something is under way, or was refused and waits for room. A hint: orders nothing.
  bool busy() const {
    return operations_.lent() != 0 || load_relaxed(&refused_) != 0 || load_relaxed(&owes_) != 0;
  }
  // Called after an operation was posted that completes later.
  void on_post(std::function<void()> call) { posted_ = std::move(call); }
  Baton& baton() { return baton_; }

  // For regions that are being closed; REQUIRES: the caller holds the baton.
  // Whether a transfer to or from `peer` is not all posted yet.
  bool has_pieces_for(int peer) const { return large_.parent != nullptr && large_.at.peer == peer; }
  // Lets go of `closing` when all that was posted to `peer` before is remotely complete.
  void drain(int peer, const std::shared_ptr<Closing>& closing);
  // Ends the registrations of what is under way, which never completes then.
  void unregister_sources();

 private:
  // A checked target.
  struct Route {
    const RemotePeer* peer;
    const RemoteWindow* window;
    Lane* lane;
  };
  // A put or get above the provider's largest message, of which not all pieces are posted. One at a
  // time: until then everything else is back-pressure.
  struct Large {
    Operation* parent = nullptr;  // null: there is none
    Target at;
    std::byte* local = nullptr;
    size_t left = 0;
    void* descriptor = nullptr;
    uint64_t flags = 0;
  };
  enum class Direction : uint8_t { put, get };

  OfiContext(Domain& domain, Registry& registry);

  // context.cc: posting
  Result<Route> route_to(const Target& target, size_t nbytes, size_t alignment);
  Lane& lane_of(int peer);
  void activate(int peer, Lane& lane);
  ssize_t rma(Direction direction, const Route& route, uint64_t offset, std::byte* local,
              size_t nbytes, void* descriptor, Operation* operation, uint64_t flags);
  Result<> post_rma(Direction direction, const Route& route, const Target& at, std::byte* local,
                    size_t nbytes, Ticket* done, bool deliver);
  Result<void*> descriptor_for(std::byte* local, size_t nbytes, Operation& operation);
  void count(Operation& operation, Lane& lane);
  // Back-pressure, or the loss of the peer.
  tl::unexpected<Error> refused(ssize_t err, int peer, const char* what);
  tl::unexpected<Error> again();
  // context_messages.cc
  // Either accepted, or Errc::again, or the peer is lost.
  Result<> send(int peer, const RemotePeer& to, const void* message, size_t nbytes);
  Result<> greet(int peer, const RemotePeer& to, Lane& lane);
  Result<> send_request(int peer, const Route& route, Request& request, uint64_t* old, Ticket* done,
                        bool wants_reply);

  // context_order.cc: fence, quiet, losses
  bool held(Lane& lane, int peer, bool is_put);
  void request_flush(int peer, Lane& lane);
  void push_flushes(int peer, Lane& lane);
  bool push_put_flush(int peer, Lane& lane);
  bool push_message_flush(int peer, Lane& lane);
  PendingQuiet& new_quiet(Ticket* done, std::shared_ptr<Closing> closing);
  void join(int peer, Lane& lane, PendingQuiet& quiet);
  void notify(Lane& lane);
  void leave(PendingQuiet& quiet);
  void lose(int peer, Errc code, std::string_view sentence);
  void lose_everybody(Errc code, std::string_view sentence);
  void sync_losses();
  void sweep(int peer, Lane& lane, Errc code);

  // context_progress.cc: completions
  // Gives the baton back.
  int poll_and_tell();
  int poll();
  void on_error();
  void on_operation(Operation& operation, Errc code);
  void complete(Operation& operation, Errc code);
  void on_reply(const RecvSlot& slot, size_t nbytes);
  void push_large();
  void resume();

  Domain& domain_;
  Registry& registry_;
  const ContextId id_;
  const Guarantees given_;
  const size_t inject_bytes_;
  const size_t most_bytes_;
  std::function<void(OfiContext&)> closing_;
  std::function<void()> posted_;

  Baton baton_;  // guards everything below
  OperationPool operations_;
  std::deque<Lane> lanes_;    // by peer; stays where it is while it grows
  std::vector<int> active_;   // peers whose lanes are not clean
  std::vector<int> stalled_;  // peers with a flush due
  std::deque<PendingQuiet> quiets_;
  std::vector<PendingQuiet*> free_quiets_;
  Large large_;
  std::vector<std::byte> name_;  // where replies reach us
  uint32_t seen_losses_ = 0;
  uint32_t refused_ = 0;       // the last post was: back-pressure
  uint32_t owes_ = 0;          // stalled_ is not empty: to be tried again, whoever waits
  uint64_t polls_ = 0;         // by others than the transport's thread
  uint64_t polls_served_ = 0;  // when serve() last looked; the transport's thread's
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace canopy::transport::ofi
