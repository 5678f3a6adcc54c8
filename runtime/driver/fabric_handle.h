// FabricHandle: the 128 bytes that name memory towards other hosts too.
//
//   0        8      16        32       48        56         60          64                  128
//   [ magic ][ id  ][ host    ][ table ][ bytes  ][ device  ][ part     ][ where: RemoteMemory's ]
//
// On the host, and with the host table, of its exporter, `id` alone counts; elsewhere RemoteMemory
// finds the memory by `where`. Elsewhere is also another part of the host, where those who use one
// have divided it.
#pragma once

#include "runtime/base/result.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace canopy {

class HostTable;

// Which host table a process shares with others: the same on one host only, also where boot ids cannot be read.
struct HostIdentity {
  std::array<uint64_t, 2> boot{};   // the system's boot id; 0: not known
  std::array<uint64_t, 2> table{};  // HostTable::identity()

  static HostIdentity of(const HostTable& table);
  bool operator==(const HostIdentity&) const = default;
};

struct FabricHandle {
  static constexpr uint64_t kMagic = 0x3142'4146'504e'43ull;  // "CNPFAB1"
  static constexpr size_t kWhereBytes = 64;

  uint64_t magic = kMagic;
  uint64_t id = 0;
  HostIdentity host;
  uint64_t bytes = 0;
  int32_t device = -1;  // as the exporter's host numbers it
  uint32_t part = 0;    // Driver::host_part()
  // Zeros: no other host can reach it.
  std::array<std::byte, kWhereBytes> where{};
};
static_assert(sizeof(FabricHandle) == 128);
static_assert(offsetof(FabricHandle, where) == 64);

}  // namespace canopy
