#include "transport/ofi/address.h"

#include <cstring>

namespace canopy::transport::ofi {
namespace {

struct Head {
  uint8_t format;
  uint8_t provider_bytes;
  uint8_t name_bytes;
  uint8_t padding[5];
  uint64_t server;
  uint64_t flush_base;
  uint64_t flush_key;
};
static_assert(sizeof(Head) == 32);

}  // namespace

std::string EndpointAddress::pack() const {
  const Head head{.format = kWireFormat,
                  .provider_bytes = static_cast<uint8_t>(provider.size()),
                  .name_bytes = static_cast<uint8_t>(name.size()),
                  .padding = {},
                  .server = server,
                  .flush_base = flush_base,
                  .flush_key = flush_key};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes += provider;
  bytes.append(reinterpret_cast<const char*>(name.data()), name.size());
  return bytes;
}

Result<EndpointAddress> EndpointAddress::unpack(std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof head) {
    return fail(Errc::parse, "ofi: an endpoint's address has {} bytes, at least {} are needed",
                bytes.size(), sizeof head);
  }
  std::memcpy(&head, bytes.data(), sizeof head);
  const size_t wanted = sizeof head + head.provider_bytes + head.name_bytes;
  if (head.format != kWireFormat || bytes.size() != wanted) {
    return fail(Errc::parse,
                "ofi: an endpoint's address of {} bytes in format {}; this build speaks format {} "
                "(do all processes run the same Canopy?)",
                bytes.size(), head.format, kWireFormat);
  }
  EndpointAddress address;
  address.provider = bytes.substr(sizeof head, head.provider_bytes);
  address.server = head.server;
  address.flush_base = head.flush_base;
  address.flush_key = head.flush_key;
  const auto* name = reinterpret_cast<const std::byte*>(bytes.data()) + wanted - head.name_bytes;
  address.name.assign(name, name + head.name_bytes);
  return address;
}

std::string RegionKey::pack() const {
  return std::string(reinterpret_cast<const char*>(this), sizeof *this);
}

Result<RegionKey> RegionKey::unpack(std::string_view bytes) {
  RegionKey key;
  if (bytes.size() != sizeof key) {
    return fail(Errc::parse, "ofi: a region's key has {} bytes, not {}", bytes.size(), sizeof key);
  }
  std::memcpy(&key, bytes.data(), sizeof key);
  return key;
}

}  // namespace canopy::transport::ofi
