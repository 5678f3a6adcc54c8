#include "runtime/core/mapped_memory.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

#include <memory>

namespace canopy {
namespace {

Result<VirtualMemory::Mapped> mapped_at(Driver& driver, const void* at, uint64_t bytes) {
  auto mapped = driver.virtual_memory().find(at);
  if (!mapped || mapped->base != at || mapped->bytes != bytes) {
    return fail(Errc::invalid_argument, "{} bytes at {} are not what was mapped{}", bytes, fmt::ptr(at),
                mapped ? fmt::format(": {} bytes at {} were", mapped->bytes, fmt::ptr(mapped->base)) : std::string());
  }
  return std::move(*mapped);
}

}  // namespace

Result<> map_memory(Runtime& runtime, void* at, uint64_t bytes, void* handle, bool granted) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(const std::shared_ptr<MemoryObject> object, runtime.memory_handles().object(handle));
  if (bytes != object->bytes()) {
    return fail(Errc::invalid_argument, "{} bytes to be mapped of {}: memory is mapped as a whole", bytes, object->bytes());
  }
  CANOPY_TRY(check_link(*driver, object->device(), object->user()));
  AccessRights rights;
  if (granted) {
    rights.grant(object->device(), Access::read_write);
    rights.grant(object->user(), Access::read_write);
  }
  return driver->virtual_memory().map(at, object, rights);
}

Result<> map_again(Runtime& runtime, void* dst, uint64_t bytes, void* src) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(const VirtualMemory::Mapped mapped, mapped_at(*driver, src, bytes));
  return driver->virtual_memory().map(dst, mapped.object, mapped.rights);
}

Result<> unmap_memory(Runtime& runtime, void* at) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  const auto mapped = driver->virtual_memory().find(at);
  FreeNote note(runtime.task_memory(), MemorySpan{at, mapped && mapped->base == at ? mapped->bytes : 0});
  CANOPY_TRY(driver->virtual_memory().unmap(at, note));
  return {};
}

Result<> set_access(Runtime& runtime, void* at, uint64_t bytes, std::span<const Grant> grants) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  CANOPY_ASSIGN(const VirtualMemory::Mapped mapped, mapped_at(*driver, at, bytes));
  for (const Grant& grant : grants) {
    if (grant.device >= 0) {
      CANOPY_TRY(driver->check_device(grant.device));
      CANOPY_TRY(check_link(*driver, mapped.object->device(), grant.device));
    }
  }
  return driver->virtual_memory().change_rights(mapped, grants, [&](bool less) {
    runtime.task_memory().note_free();  // tasks in queues look again
    if (less) {
      wait_for_uses({at, bytes});
    }
  });
}

Result<Access> get_access(Runtime& runtime, const void* address, int device) {
  CANOPY_ASSIGN(Driver * driver, runtime.driver());
  if (device >= 0) {
    CANOPY_TRY(driver->check_device(device));
  }
  const auto mapped = driver->virtual_memory().find(address);
  if (!mapped) {
    return fail(Errc::invalid_argument, "nothing is mapped at {} by aclrtMapMem", fmt::ptr(address));
  }
  return mapped->rights.of(device);
}

std::string text_of_address(uintptr_t address) {
  auto driver = Driver::current();
  const void* const at = reinterpret_cast<const void*>(address);
  if (!driver) {
    return "";
  }
  const auto range = (*driver)->find_memory(at);
  if (!range) {
    return (*driver)->virtual_memory().contains(at) ? "reserved addresses where nothing is mapped (any more)" : "";
  }
  if (range->remote) {
    return fmt::format("{} bytes at {} that are memory of another host: copies (aclrtMemcpy) reach it, kernels do not",
                       range->bytes, fmt::ptr(range->base));
  }
  if (range->mapped && range->rights.most() != Access::read_write) {
    return fmt::format("{} bytes at {} that were mapped, and that nobody may {}: aclrtMemSetAccess grants it", range->bytes,
                       fmt::ptr(range->base), range->rights.most() == Access::read ? "write" : "read or write");
  }
  return "";
}

}  // namespace canopy
