// Posted: the head of everything whose address is given to libfabric as the context of a call, so
// that a completion leads back to what it completes.
#pragma once

#include <rdma/fabric.h>

#include <cstdint>

namespace canopy::transport::ofi {

enum class PostedKind : uint8_t { receive, operation };

struct Posted {
  // First: providers with FI_CONTEXT or FI_CONTEXT2 keep their own data here while it is posted.
  fi_context2 provider_data;
  PostedKind kind;
};

}  // namespace canopy::transport::ofi
