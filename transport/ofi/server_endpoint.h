// ServerEndpoint: where peers reach us. Their puts and gets need no code of ours; their messages
// are executed by the Server and answered.
//
// It is apart from the endpoints of our contexts because it must be able to wake a sleeping thread:
// a queue with a file descriptor costs every operation that goes through it some 15 % over tcp
// (2026-11), which those who poll for their own operations need not pay.
//
// Threads: any; the baton serialises.
#pragma once

#include "transport/ofi/baton.h"
#include "transport/ofi/endpoint.h"
#include "transport/ofi/operation.h"
#include "transport/ofi/registry.h"
#include "transport/ofi/server.h"

#include <memory>
#include <vector>

namespace canopy::transport::ofi {

class ServerEndpoint {
 public:
  static Result<std::unique_ptr<ServerEndpoint>> open(Domain& domain, const Registry& registry,
                                                      ContextId id);
  ~ServerEndpoint();

  // Serves what has come; returns how much, 0 while another thread serves.
  int serve();

  Baton& baton() { return baton_; }
  Endpoint& endpoint() { return *endpoint_; }

 private:
  ServerEndpoint(Domain& domain, const Registry& registry, ContextId id);
  int poll(bool& arrived);
  void on_error();
  void on_message(RecvSlot& slot, size_t nbytes);
  void answer(RecvSlot& slot);

  Domain& domain_;
  const Registry& registry_;
  const bool puts_announce_themselves_;

  Baton baton_;  // guards everything below
  Server server_;
  OperationPool replies_;
  std::vector<RecvSlot*> unanswered_;
  std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace canopy::transport::ofi
