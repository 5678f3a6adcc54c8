// Which libfabric provider serves us, and what its order lets us leave out.
//
// Providers are judged by what they can do, never by their names: reliable endpoints with messages
// and RMA that reach other hosts, messages in order, and one way to know that puts have arrived.
// Two are refused unless the user names them: `sockets` (3 orders of magnitude slower than tcp
// here) and `net` (advertises what it answers with ENOSYS). Stateless; any thread.
#pragma once

#include "runtime/base/result.h"

#include <rdma/fabric.h>

#include <memory>
#include <string>
#include <string_view>

namespace canopy::transport::ofi {

struct FreeInfo {
  void operator()(fi_info* info) const { fi_freeinfo(info); }
};
using InfoPtr = std::unique_ptr<fi_info, FreeInfo>;

// What is asked for.
struct ProviderWish {
  std::string provider;  // "": any that is good enough
  // The address (numeric IPv4 or IPv6) or the name of the interface or domain; "": any. Providers
  // whose addresses are not IP are not bound to interfaces, and match every IP address.
  std::string interface;
  bool bound = false;  // then they match none
};

// What was got: each is checked in the returned attributes, not assumed from the request.
struct Guarantees {
  bool puts_in_order = false;       // a put arrives after the puts before it, whatever their size
  bool message_after_puts = false;  // a message arrives after the puts before it
  bool delivery = false;            // a put can complete at its arrival
  bool announce = false;            // a put can raise an event at the target

  // A put that completes at its arrival stands for all puts before it.
  bool flush_by_put() const { return puts_in_order && delivery; }
  // Every put must complete at its own arrival.
  bool deliver_each() const { return delivery && !puts_in_order && !message_after_puts; }
  bool can_flush() const { return delivery || message_after_puts; }
};

struct Provider {
  InfoPtr info;
  Guarantees guarantees;

  std::string_view name() const { return info->fabric_attr->prov_name; }
  bool wants(int mr_mode) const { return (info->domain_attr->mr_mode & mr_mode) != 0; }
};

// The first provider that fits, in libfabric's own order of preference; those with more guarantees
// first. Error: not_supported, with what was wanted and what there is.
Result<Provider> choose_provider(const ProviderWish& wish);

// The address as text ("10.77.0.2"), "" for formats that are not IP.
std::string ip_text(const void* address, uint32_t addr_format);

}  // namespace canopy::transport::ofi
