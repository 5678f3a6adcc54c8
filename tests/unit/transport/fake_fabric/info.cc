// The double's half of fi_getinfo: what the provider says about itself.
#include "tests/unit/transport/fake_fabric/objects.h"

#include <cstdlib>
#include <cstring>

namespace canopy::fake_fabric {
namespace {

template <class T>
T* fresh() {
  return static_cast<T*>(std::calloc(1, sizeof(T)));
}

template <class T>
void copy_into(T* to, const T* from) {
  if (from != nullptr) {
    *to = *from;
  }
}

char* copy_of(const char* text) { return text == nullptr ? nullptr : ::strdup(text); }

fi_info* blank() {
  auto* info = fresh<fi_info>();
  info->tx_attr = fresh<fi_tx_attr>();
  info->rx_attr = fresh<fi_rx_attr>();
  info->ep_attr = fresh<fi_ep_attr>();
  info->domain_attr = fresh<fi_domain_attr>();
  info->fabric_attr = fresh<fi_fabric_attr>();
  return info;
}

bool can(const fi_info& hints, const Behaviour& behaviour) {
  const bool orders = (hints.tx_attr->msg_order & ~behaviour.order) == 0;
  const bool delivers =
      (hints.tx_attr->op_flags & FI_DELIVERY_COMPLETE) == 0 || behaviour.delivery_complete;
  const bool modes =
      (behaviour.mr_mode & ~hints.domain_attr->mr_mode) == 0 && (behaviour.mode & ~hints.mode) == 0;
  const char* name = hints.fabric_attr->prov_name;
  return orders && delivers && modes && (name == nullptr || behaviour.provider == name);
}

}  // namespace
}  // namespace canopy::fake_fabric

using namespace canopy::fake_fabric;

extern "C" {

fi_info* fi_dupinfo(const fi_info* from) {
  fi_info* info = blank();
  if (from == nullptr) {
    return info;
  }
  const fi_info parts = *info;
  *info = *from;
  info->next = nullptr;
  info->tx_attr = parts.tx_attr;
  info->rx_attr = parts.rx_attr;
  info->ep_attr = parts.ep_attr;
  info->domain_attr = parts.domain_attr;
  info->fabric_attr = parts.fabric_attr;
  copy_into(info->tx_attr, from->tx_attr);
  copy_into(info->rx_attr, from->rx_attr);
  copy_into(info->ep_attr, from->ep_attr);
  copy_into(info->domain_attr, from->domain_attr);
  copy_into(info->fabric_attr, from->fabric_attr);
  info->domain_attr->name = copy_of(from->domain_attr->name);
  info->fabric_attr->prov_name = copy_of(from->fabric_attr->prov_name);
  info->fabric_attr->name = copy_of(from->fabric_attr->name);
  return info;
}

void fi_freeinfo(fi_info* info) {
  while (info != nullptr) {
    fi_info* next = info->next;
    std::free(info->domain_attr->name);
    std::free(info->fabric_attr->prov_name);
    std::free(info->fabric_attr->name);
    std::free(info->tx_attr);
    std::free(info->rx_attr);
    std::free(info->ep_attr);
    std::free(info->domain_attr);
    std::free(info->fabric_attr);
    std::free(info);
    info = next;
  }
}

int fi_getinfo(uint32_t, const char*, const char*, uint64_t, const fi_info* hints, fi_info** out) {
  std::lock_guard lock(state().mutex);
  const Behaviour& behaviour = state().behaviour;
  if (!can(*hints, behaviour)) {
    return -FI_ENODATA;
  }
  fi_info* info = blank();
  info->caps = hints->caps;
  info->mode = behaviour.mode;
  info->addr_format = FI_ADDR_PSMX;
  info->ep_attr->type = FI_EP_RDM;
  info->ep_attr->max_msg_size = behaviour.max_msg;
  info->ep_attr->max_order_waw_size = (behaviour.order & FI_ORDER_WAW) != 0 ? SIZE_MAX : 0;
  info->tx_attr->msg_order = behaviour.order;
  info->tx_attr->op_flags = hints->tx_attr->op_flags;
  info->tx_attr->inject_size = behaviour.inject;
  info->tx_attr->size = behaviour.depth;
  info->rx_attr->msg_order = behaviour.order;
  info->rx_attr->size = behaviour.depth;
  info->domain_attr->mr_mode = behaviour.mr_mode;
  info->domain_attr->mr_key_size = sizeof(uint64_t);
  info->domain_attr->cq_data_size = behaviour.cq_data ? sizeof(uint64_t) : 0;
  info->domain_attr->av_type = FI_AV_TABLE;
  info->domain_attr->name = ::strdup(behaviour.domain.c_str());
  info->fabric_attr->prov_name = ::strdup(behaviour.provider.c_str());
  *out = info;
  return 0;
}

const char* fi_strerror(int number) { return std::strerror(number); }

}  // extern "C"
