// What endpoints tell each other about themselves, as bytes: the address of an OfiTransport and the
// keys of its regions.
#pragma once

#include "runtime/base/result.h"
#include "transport/ofi/wire.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace canopy::transport::ofi {

struct EndpointAddress {
  std::string provider;
  ContextId server = 0;
  uint64_t flush_base = 0;
  uint64_t flush_key = 0;
  std::vector<std::byte> name;  // libfabric's

  std::string pack() const;
  // Error: parse, with what is wrong.
  static Result<EndpointAddress> unpack(std::string_view bytes);
};

struct RegionKey {
  uint64_t base = 0;
  uint64_t key = 0;

  std::string pack() const;
  static Result<RegionKey> unpack(std::string_view bytes);
};

}  // namespace canopy::transport::ofi
