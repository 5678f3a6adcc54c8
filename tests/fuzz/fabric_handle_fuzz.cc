// The 128 bytes of a FABRIC handle, which come from anywhere: what the handle says is refused with a sentence, or becomes
// memory that can be mapped, copied from within its bounds, and given back.
//
//   HOW8 (OFFSET8 SIZE8 BYTES) ...   patches of 128 bytes: bit 0 of HOW: of a handle that this host's processes export, else
//                                    of zeros; bit 1: of another host's; bit 2: something here reaches other hosts
#include "acl/acl.h"
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/driver/driver.h"
#include "tests/fuzz/input.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace canopy::fuzz {
namespace {

// Reaches everything, and holds what the runtime promises to whoever moves bytes: inside of the memory, always.
class Reach : public RemoteMemory {
 public:
  Result<std::shared_ptr<void>> expose(std::shared_ptr<PhysicalMemory> memory, FabricHandle&) override { return memory; }
  Result<std::unique_ptr<RemoteRegion>> open(const FabricHandle& handle) override {
    return std::make_unique<Region>(handle.bytes);
  }

 private:
  struct Region : RemoteRegion {
    explicit Region(uint64_t size) : size(size) {}
    Result<> read(uint64_t offset, void* dst, uint64_t bytes) override {
      check(offset, bytes);
      std::memset(dst, 7, bytes);
      return {};
    }
    Result<> write(uint64_t offset, const void*, uint64_t bytes) override {
      check(offset, bytes);
      return {};
    }
    void check(uint64_t offset, uint64_t bytes) const {
      CHECK(bytes <= size && offset <= size - bytes, "a copy stays inside of the memory that the handle tells of");
    }
    const uint64_t size;
  };
};

void must(aclError code) { CHECK(code == ACL_SUCCESS, "what was taken can be given back, and what is right is done"); }

class Site {
 public:
  Site() {
    must(aclInit(nullptr));
    must(aclrtSetDevice(0));
    aclrtPhysicalMemProp prop{};
    prop.memAttr = ACL_HBM_MEM_HUGE;
    prop.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    aclrtDrvMemHandle mine = nullptr;
    must(aclrtMallocPhysical(&mine, kPage, &prop, 0));
    must(aclrtMemExportToShareableHandleV2(mine, ACL_RT_VMM_EXPORT_FLAG_DISABLE_PID_VALIDATION,
                                           ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &genuine_));
    must(aclrtReserveMemAddress(&addresses_, kPage, 0, nullptr, 1));
  }

  void run(Input& input) {
    const uint8_t how = input.byte();
    FabricHandle start{};
    std::memset(static_cast<void*>(&start), 0, sizeof start);
    if ((how & 1) != 0) {
      std::memcpy(static_cast<void*>(&start), &genuine_, sizeof start);
    }
    start.host.boot[0] ^= (how & 2) != 0 ? 0x55 : 0;
    start.where[0] = (how & 2) != 0 ? std::byte{1} : std::byte{0};
    aclrtMemFabricHandle handle{};
    std::memcpy(&handle, &start, sizeof handle);
    while (!input.empty()) {
      const size_t at = input.byte() % sizeof handle;
      const std::string_view patch = input.bytes(input.byte());
      std::memcpy(reinterpret_cast<char*>(&handle) + at, patch.data(), std::min(patch.size(), sizeof handle - at));
    }
    Driver::current().value()->set_remote_memory((how & 4) != 0 ? &reach_ : nullptr);
    import(handle);
    int32_t pid = 1;
    (void)aclrtMemSetPidToShareableHandleV2(&handle, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &pid, 1);
    while (aclGetRecentErrMsg() != nullptr) {
    }
  }

 private:
  static constexpr size_t kPage = size_t{2} << 20;

  void import(aclrtMemFabricHandle& handle) {
    aclrtDrvMemHandle got = nullptr;
    if (aclrtMemImportFromShareableHandleV2(&handle, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0, &got) != ACL_SUCCESS) {
      const char* const said = aclGetRecentErrMsg();
      CHECK(said != nullptr && *said != 0, "a refusal says why");
      for (const char* c = said; *c != 0; ++c) {
        CHECK((*c >= ' ' && *c <= '~') || *c == '\n', "and can be printed");
      }
      return;
    }
    if (aclrtMapMem(addresses_, kPage, 0, got, 0) == ACL_SUCCESS) {
      char bytes[64];
      char* const end = static_cast<char*>(addresses_) + kPage;
      must(aclrtMemcpy(bytes, sizeof bytes, addresses_, sizeof bytes, ACL_MEMCPY_DEVICE_TO_HOST));
      must(aclrtMemcpy(end - sizeof bytes, sizeof bytes, bytes, sizeof bytes, ACL_MEMCPY_HOST_TO_DEVICE));
      CHECK(aclrtMemcpy(bytes, sizeof bytes, end - 32, sizeof bytes, ACL_MEMCPY_DEVICE_TO_HOST) != ACL_SUCCESS,
            "a copy past the end is refused");
      must(aclrtUnmapMem(addresses_));
    }
    must(aclrtFreePhysical(got));
  }

  aclrtMemFabricHandle genuine_{};
  void* addresses_ = nullptr;
  Reach reach_;
};

}  // namespace
}  // namespace canopy::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  static auto* const site = new fuzz::Site;  // for as long as the executors
  fuzz::Input input(data, bytes);
  site->run(input);
  return 0;
}
