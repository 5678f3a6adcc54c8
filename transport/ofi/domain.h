// Domain: the opened provider - fabric, domain, address vector - and the registration of memory
// with it, in whichever of libfabric's memory modes the provider wants.
//
// Thread-safe: libfabric objects are (FI_THREAD_SAFE), and the only state of ours is a counter.
#pragma once

#include "runtime/base/result.h"
#include "transport/ofi/fabric_handle.h"
#include "transport/ofi/provider.h"

#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>

namespace canopy::transport::ofi {

// Registered memory; the registration ends with the object.
struct Registration {
  FabricHandle<fid_mr> mr;
  uint64_t key = 0;
  // What a peer adds to an offset: the address here when the provider addresses memory virtually.
  uint64_t base = 0;

  void* descriptor() const { return mr ? fi_mr_desc(mr.get()) : nullptr; }
};

enum class Access : uint8_t {
  local,  // a source of puts and messages, a buffer for gets
  remote  // peers read and write it, and it is local too
};

class Domain {
 public:
  static Result<std::unique_ptr<Domain>> open(Provider provider);

  const Provider& provider() const { return provider_; }
  const fi_info& info() const { return *provider_.info; }
  fid_fabric* fabric() const { return fabric_.get(); }
  fid_domain* domain() const { return domain_.get(); }
  fid_av* addresses() const { return addresses_.get(); }
  bool needs_local_registration() const { return provider_.wants(FI_MR_LOCAL); }

  // `endpoint` is the one that uses the memory, or through which peers do: some providers bind the
  // two. REQUIRES: the endpoint is enabled, and outlives the registration.
  Result<Registration> register_memory(std::span<std::byte> memory, Access access,
                                       fid_ep* endpoint);
  // The handle under which operations reach the endpoint with this name.
  Result<fi_addr_t> insert_address(std::span<const std::byte> name);

 private:
  explicit Domain(Provider provider) : provider_(std::move(provider)) {}

  Provider provider_;
  FabricHandle<fid_fabric> fabric_;
  FabricHandle<fid_domain> domain_;
  FabricHandle<fid_av> addresses_;
  // Keys that we choose, where the provider lets us. Relaxed: only uniqueness matters.
  std::atomic<uint64_t> next_key_{1};
};

}  // namespace canopy::transport::ofi
