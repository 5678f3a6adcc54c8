#include "transport/ofi/provider.h"

#include "transport/ofi/fabric_error.h"

#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace canopy::transport::ofi {
namespace {

// The interface version that the code is written to.
constexpr uint32_t kApi = FI_VERSION(1, 14);
constexpr int kMrModes =
    FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;
constexpr uint64_t kWaw = FI_ORDER_WAW;
constexpr uint64_t kSaw = FI_ORDER_SAW;
constexpr uint64_t kSas = FI_ORDER_SAS;

// What is asked for, the best first. Messages are executed in the order in which they were sent, so
// SAS is always among it.
struct Request {
  uint64_t order;
  uint64_t op_flags;
};
constexpr std::array kRequests = {
    Request{kSas | kSaw | kWaw, FI_DELIVERY_COMPLETE},
    Request{kSas | kSaw, FI_DELIVERY_COMPLETE},
    Request{kSas | kSaw, 0},
    Request{kSas, FI_DELIVERY_COMPLETE},
};

InfoPtr hints_for(const Request& request, const ProviderWish& wish) {
  InfoPtr hints(fi_allocinfo());
  if (hints == nullptr) {
    return hints;
  }
  hints->caps = FI_MSG | FI_RMA;
  if (wish.provider.empty()) {
    hints->caps |= FI_REMOTE_COMM;  // leaves out those that stay on the host
  } else {
    hints->fabric_attr->prov_name = ::strdup(wish.provider.c_str());
  }
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->mr_mode = kMrModes;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  // A provider's own progress thread costs a factor of 2 to 3 in small latencies (2026-11, tcp);
  // ours runs only while nobody polls.
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->tx_attr->msg_order = request.order;
  hints->rx_attr->msg_order = request.order;
  hints->tx_attr->op_flags = request.op_flags;
  return hints;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool is_refused(std::string_view name) {
  return starts_with(name, "sockets") || name == "net" || starts_with(name, "net;");
}

bool reaches(const fi_info& info, const ProviderWish& wish) {
  const std::string& interface = wish.interface;
  if (interface.empty()) {
    return true;
  }
  const bool is_ip = info.addr_format == FI_SOCKADDR_IN || info.addr_format == FI_SOCKADDR_IN6;
  if (info.domain_attr->name != nullptr && interface == info.domain_attr->name) {
    return !is_ip || info.src_addr != nullptr;
  }
  if (!is_ip) {
    return !wish.bound && interface.find_first_of(".:") != std::string::npos;  // not a name: an IP address
  }
  return info.src_addr != nullptr && ip_text(info.src_addr, info.addr_format) == interface;
}

Guarantees guarantees_of(const fi_info& info, const Request& request) {
  const uint64_t order = info.tx_attr->msg_order & info.rx_attr->msg_order;
  Guarantees got;
  got.puts_in_order =
      (order & kWaw) != 0 && info.ep_attr->max_order_waw_size >= info.ep_attr->max_msg_size;
  got.message_after_puts = (order & kSaw) != 0;
  got.delivery = (request.op_flags & FI_DELIVERY_COMPLETE) != 0;
  got.announce = info.domain_attr->cq_data_size > 0;
  return got;
}

bool is_good_enough(const fi_info& info, const Request& request) {
  constexpr uint64_t kCaps = FI_MSG | FI_RMA;
  const uint64_t order = info.tx_attr->msg_order & info.rx_attr->msg_order;
  return (info.caps & kCaps) == kCaps && info.ep_attr->type == FI_EP_RDM && (order & kSas) != 0 &&
         (info.domain_attr->mr_mode & ~kMrModes) == 0 &&
         (info.mode & ~(FI_CONTEXT | FI_CONTEXT2)) == 0 && info.ep_attr->max_msg_size > 0 &&
         guarantees_of(info, request).can_flush();
}

}  // namespace

std::string ip_text(const void* address, uint32_t addr_format) {
  char text[INET6_ADDRSTRLEN] = "";
  if (addr_format == FI_SOCKADDR_IN) {
    ::inet_ntop(AF_INET, &static_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (addr_format == FI_SOCKADDR_IN6) {
    ::inet_ntop(AF_INET6, &static_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  }
  return text;
}

Result<Provider> choose_provider(const ProviderWish& wish) {
  std::string refused;
  for (const Request& request : kRequests) {
    const InfoPtr hints = hints_for(request, wish);
    if (hints == nullptr) {
      return fail(Errc::no_memory, "ofi: no memory for a question to libfabric");
    }
    fi_info* list = nullptr;
    if (const int err = fi_getinfo(kApi, nullptr, nullptr, 0, hints.get(), &list); err != 0) {
      if (err != -FI_ENODATA) {
        return fail_fi(err, "ofi: libfabric cannot list its providers");
      }
      continue;
    }
    const InfoPtr all(list);
    for (const fi_info* info = list; info != nullptr; info = info->next) {
      const std::string_view name = info->fabric_attr->prov_name;
      if (!is_good_enough(*info, request) || !reaches(*info, wish) ||
          (wish.provider.empty() && is_refused(name))) {
        refused += fmt::format(" {}/{}", name, info->domain_attr->name);
        continue;
      }
      Provider provider{InfoPtr(fi_dupinfo(info)), guarantees_of(*info, request)};
      if (provider.info == nullptr) {
        return fail(Errc::no_memory, "ofi: no memory for the description of provider {}", name);
      }
      // It was asked for to see who can; each operation says for itself whether it wants it.
      provider.info->tx_attr->op_flags &= ~FI_DELIVERY_COMPLETE;
      return provider;
    }
  }
  return fail(Errc::not_supported,
              "ofi: no libfabric provider{}{}{}{} has messages, RMA, order and a way to know that "
              "puts arrived; seen and refused:{}",
              wish.provider.empty() ? "" : " called ", wish.provider,
              wish.interface.empty() ? "" : " on interface ", wish.interface,
              refused.empty() ? " none" : refused);
}

}  // namespace canopy::transport::ofi
