// Site: what a process needs to share device memory, below the acl interface: a place in a host table of the test's
// own, and a Sharing. A board in memory that all processes of a test see tells them each other's numbers.
#pragma once

#include "runtime/base/mapping.h"
#include "runtime/driver/host_table.h"
#include "runtime/driver/physical_memory.h"
#include "runtime/driver/sharing.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>

namespace canopy::test {

struct Site {
  std::unique_ptr<HostTable> table;
  std::unique_ptr<Sharing> sharing;

  Site() {
    if (auto opened = HostTable::open()) {
      table = std::move(*opened);
      sharing = std::make_unique<Sharing>(*table);
    }
  }
};

// Points the processes of a test at a host table of their own; gone with the object.
class PrivateTable {
 public:
  PrivateTable() : path_(fmt::format("/dev/shm/canopy-sharing-multi-{}", ::getpid())) {
    ::setenv("CANOPY_HOST_TABLE", path_.c_str(), 1);
  }
  ~PrivateTable() {
    ::unlink(path_.c_str());
    ::unsetenv("CANOPY_HOST_TABLE");
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// Memory of device 0, shared as long as `owner` of the export lives; its first word is `stamp`.
inline constexpr uint64_t kCapacity = 64 * kGranule;
inline Result<Export> stamped_memory(HostTable& table, uint64_t stamp) {
  CANOPY_ASSIGN(PhysicalMemory memory, PhysicalMemory::allocate(table, 0, kGranule, kCapacity));
  CANOPY_ASSIGN(Mapping map, Mapping::shared(memory.fd(), kGranule));
  *reinterpret_cast<uint64_t*>(map.base()) = stamp;
  auto fd = memory.shared_fd();
  return Export{.fd = std::move(fd), .bytes = kGranule, .device = 0, .secret = {}, .pids = {},
                .owner = std::make_shared<PhysicalMemory>(std::move(memory))};
}

inline Result<uint64_t> stamp_of(const Import& import) {
  CANOPY_ASSIGN(Mapping map, Mapping::shared(import.fd, import.bytes, import.offset));
  return *reinterpret_cast<const uint64_t*>(map.base());
}

}  // namespace canopy::test
