// A double of what moves bytes between hosts.
#pragma once

#include "runtime/driver/driver.h"
#include "tests/unit/api/gate.h"
#include "tests/unit/api/memory_station.h"

#include <cstring>
#include <memory>
#include <vector>

namespace canopy::test {

// One memory "elsewhere", for whoever opens it.
class Elsewhere : public RemoteMemory {
 public:
  static constexpr size_t kBytes = size_t{2} << 20;

  Elsewhere() { Driver::current().value()->set_remote_memory(this); }
  ~Elsewhere() override { Driver::current().value()->set_remote_memory(nullptr); }

  Result<std::shared_ptr<void>> expose(std::shared_ptr<PhysicalMemory> memory, FabricHandle& handle) override {
    if (gone) {
      return fail(Errc::peer_lost, "the other host is gone");
    }
    handle.where[0] = std::byte{1};
    return std::static_pointer_cast<void>(memory);
  }
  Result<std::unique_ptr<RemoteRegion>> open(const FabricHandle&) override { return std::make_unique<Region>(*this); }

  std::vector<std::byte> memory = std::vector<std::byte>(kBytes);
  bool gone = false;

 private:
  struct Region : RemoteRegion {
    explicit Region(Elsewhere& all) : all(all) {}
    Result<> read(uint64_t offset, void* dst, uint64_t bytes) override {
      CANOPY_TRY(check());
      std::memcpy(dst, all.memory.data() + offset, bytes);
      return {};
    }
    Result<> write(uint64_t offset, const void* src, uint64_t bytes) override {
      CANOPY_TRY(check());
      std::memcpy(all.memory.data() + offset, src, bytes);
      return {};
    }
    Result<> check() const {
      if (all.gone) {
        return fail(Errc::peer_lost, "the other host is gone");
      }
      return {};
    }
    Elsewhere& all;
  };
};

// As a process of another host would have written it, of Elsewhere::kBytes.
inline aclrtMemFabricHandle foreign_handle(uint64_t flags = ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION) {
  aclrtDrvMemHandle handle = nullptr;
  const aclrtPhysicalMemProp prop = memory_on(0);
  EXPECT_EQ(aclrtMallocPhysical(&handle, Elsewhere::kBytes, &prop, 0), ACL_SUCCESS) << why();
  aclrtMemFabricHandle fabric{};
  EXPECT_EQ(aclrtMemExportToShareableHandleV2(handle, flags, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &fabric), ACL_SUCCESS) << why();
  fabric.data[16] ^= 0x55;  // of its boot id
  return fabric;
}

}  // namespace canopy::test
