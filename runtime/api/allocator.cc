// acl_rt_allocator.h: allocators of the user, kept per stream.
#include "runtime/api/guard.h"

#include "runtime/base/handle_table.h"

#include <memory>
#include <type_traits>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

static_assert(std::is_same_v<aclrtAllocatorAllocFunc, decltype(StreamAllocator::allocate)>);
static_assert(std::is_same_v<aclrtAllocatorFreeFunc, decltype(StreamAllocator::free)>);
static_assert(
    std::is_same_v<aclrtAllocatorAllocAdviseFunc, decltype(StreamAllocator::allocate_advised)>);
static_assert(
    std::is_same_v<aclrtAllocatorGetAddrFromBlockFunc, decltype(StreamAllocator::address_of)>);

// Leaked, like Runtime: threads may be inside at exit.
HandleTable<StreamAllocator>& descriptions() {
  static auto* table = new HandleTable<StreamAllocator>(7);
  return *table;
}

Result<StreamAllocator*> description(aclrtAllocatorDesc handle) {
  if (StreamAllocator* found = descriptions().find(handle)) {
    return found;
  }
  return fail(Errc::stale_handle, "{} is not a live allocator description", fmt::ptr(handle));
}

template <class Field>
aclError set_field(aclrtAllocatorDesc handle, Field StreamAllocator::*field, Field value) {
  return guard([&] {
    return description(handle).map([&](StreamAllocator* found) { found->*field = value; });
  });
}

Result<> check_complete(const StreamAllocator& allocator) {
  const char* missing = allocator.allocate == nullptr     ? "allocation"
                        : allocator.free == nullptr       ? "free"
                        : allocator.address_of == nullptr ? "address"
                                                          : nullptr;
  if (missing != nullptr) {
    return fail(Errc::invalid_argument,
                "aclrtAllocatorRegister: the description has no {} function", missing);
  }
  return {};
}

}  // namespace

extern "C" {

aclrtAllocatorDesc aclrtAllocatorCreateDesc(void) {
  void* handle = nullptr;
  guard([&]() -> Result<> {
    handle = descriptions().insert(std::make_unique<StreamAllocator>());
    if (handle == nullptr) {
      return fail(Errc::limit, "{} allocator descriptions are alive", descriptions().size());
    }
    return {};
  });
  return handle;
}

aclError aclrtAllocatorDestroyDesc(aclrtAllocatorDesc allocatorDesc) {
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  return guard([&]() -> Result<> {
    CANOPY_TRY(description(allocatorDesc));
    descriptions().remove(allocatorDesc);
    return {};
  });
}

aclError aclrtAllocatorSetObjToDesc(aclrtAllocatorDesc allocatorDesc, aclrtAllocator allocator) {
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  return set_field(allocatorDesc, &StreamAllocator::object, allocator);
}

aclError aclrtAllocatorSetAllocFuncToDesc(aclrtAllocatorDesc allocatorDesc,
                                          aclrtAllocatorAllocFunc func) {
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  CANOPY_ACL_NOT_NULL(func);
  return set_field(allocatorDesc, &StreamAllocator::allocate, func);
}

aclError aclrtAllocatorSetFreeFuncToDesc(aclrtAllocatorDesc allocatorDesc,
                                         aclrtAllocatorFreeFunc func) {
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  CANOPY_ACL_NOT_NULL(func);
  return set_field(allocatorDesc, &StreamAllocator::free, func);
}

aclError aclrtAllocatorSetAllocAdviseFuncToDesc(aclrtAllocatorDesc allocatorDesc,
                                                aclrtAllocatorAllocAdviseFunc func) {
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  return set_field(allocatorDesc, &StreamAllocator::allocate_advised, func);
}

aclError aclrtAllocatorSetGetAddrFromBlockFuncToDesc(aclrtAllocatorDesc allocatorDesc,
                                                     aclrtAllocatorGetAddrFromBlockFunc func) {
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  CANOPY_ACL_NOT_NULL(func);
  return set_field(allocatorDesc, &StreamAllocator::address_of, func);
}

aclError aclrtAllocatorRegister(aclrtStream stream, aclrtAllocatorDesc allocatorDesc) {
  CANOPY_ACL_NOT_NULL(stream);
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const StreamAllocator* found, description(allocatorDesc));
    CANOPY_TRY(check_complete(*found));
    StreamAllocator allocator = *found;
    allocator.description = allocatorDesc;
    return runtime().set_stream_allocator(stream, allocator);
  });
}

aclError aclrtAllocatorGetByStream(aclrtStream stream, aclrtAllocatorDesc* allocatorDesc,
                                   aclrtAllocator* allocator, aclrtAllocatorAllocFunc* allocFunc,
                                   aclrtAllocatorFreeFunc* freeFunc,
                                   aclrtAllocatorAllocAdviseFunc* allocAdviseFunc,
                                   aclrtAllocatorGetAddrFromBlockFunc* getAddrFromBlockFunc) {
  CANOPY_ACL_NOT_NULL(stream);
  CANOPY_ACL_NOT_NULL(allocatorDesc);
  CANOPY_ACL_NOT_NULL(allocator);
  CANOPY_ACL_NOT_NULL(allocFunc);
  CANOPY_ACL_NOT_NULL(freeFunc);
  CANOPY_ACL_NOT_NULL(allocAdviseFunc);
  CANOPY_ACL_NOT_NULL(getAddrFromBlockFunc);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const auto registered, runtime().stream_allocator(stream));
    const StreamAllocator found = registered.value_or(StreamAllocator{});
    *allocatorDesc = found.description;
    *allocator = found.object;
    *allocFunc = found.allocate;
    *freeFunc = found.free;
    *allocAdviseFunc = found.allocate_advised;
    *getAddrFromBlockFunc = found.address_of;
    return {};
  });
}

aclError aclrtAllocatorUnregister(aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(stream);
  return guard([&] { return runtime().remove_stream_allocator(stream); });
}

}  // extern "C"
