// Endpoint: one libfabric endpoint with its completion queue, enabled, and the buffers it receives
// messages into. Every context has one of its own, and so has the server.
//
// Not thread-safe: its owner holds its baton.
#pragma once

#include "transport/ofi/domain.h"
#include "transport/ofi/posted.h"
#include "transport/ofi/wire.h"

#include <rdma/fi_eq.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace canopy::transport::ofi {

// A receive buffer. While its message waits for the reply to go out, it stays away from the
// provider: so a target that cannot reply stops receiving, and nothing queues without limit.
struct RecvSlot : Posted {
  alignas(8) std::byte message[kLongestMessage];
  // Set while a reply waits for room.
  Reply reply;
  fi_addr_t reply_to = FI_ADDR_NOTAVAIL;
};

class Endpoint {
 public:
  // Whether a thread may sleep on its queue; costs every operation, see server_endpoint.h.
  enum class Wakes : uint8_t { no, yes };
  // How many operations may be outstanding follows from the provider's queue sizes.
  static Result<std::unique_ptr<Endpoint>> open(Domain& domain, Wakes wakes);

  fid_ep* ep() const { return ep_.get(); }
  fid_cq* cq() const { return cq_.get(); }
  // Becomes readable when there is something to progress (ask fi_trywait first); -1 when it was not
  // asked for or the provider has no such thing.
  int wait_fd() const { return wait_fd_; }
  Result<std::vector<std::byte>> name() const;
  size_t transmit_depth() const;
  size_t inject_bytes() const { return domain_.info().tx_attr->inject_size; }

  // What the queue has in place of a completion when fi_cq_read says FI_EAVAIL.
  struct Failure {
    Posted* posted;  // null: something that has no name
    int code;        // a positive FI_ number
    std::string text;
  };
  std::optional<Failure> take_error();

  // Gives a buffer back to the provider, now or, when it has no room, with a later repost().
  void give_back(RecvSlot& slot);
  void repost();

 private:
  explicit Endpoint(Domain& domain) : domain_(domain) {}
  Result<> open_queue(Wakes wakes);
  Result<> post_buffers();
  bool receive_into(RecvSlot& slot);

  Domain& domain_;
  size_t slots_ = 0;
  int wait_fd_ = -1;
  std::vector<RecvSlot*> unposted_;
  std::unique_ptr<RecvSlot[]> recv_;  // the endpoint's until it is closed
  FabricHandle<fid_cq> cq_;
  FabricHandle<fid_ep> ep_;
  Registration recv_memory_;  // empty where buffers need none
};

}  // namespace canopy::transport::ofi
