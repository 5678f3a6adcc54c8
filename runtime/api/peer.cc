// acl_rt.h: peers. Access, atomics over a link, memory that is mapped ahead.
#include "runtime/api/guard.h"
#include "runtime/core/memory.h"

#include "acl/rt/peer.h"

#include <span>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

namespace {

// Kernels are code of the host, and so are their atomics. Floating-point ones, and those of copy
// engines, are no single instructions here.
constexpr uint32_t kOfIntegers =
    ACL_RT_ATOMIC_CAPABILITY_SIGNED | ACL_RT_ATOMIC_CAPABILITY_UNSIGNED |
    ACL_RT_ATOMIC_CAPABILITY_SCALAR8 | ACL_RT_ATOMIC_CAPABILITY_SCALAR16 |
    ACL_RT_ATOMIC_CAPABILITY_SCALAR32 | ACL_RT_ATOMIC_CAPABILITY_SCALAR64;

Result<uint32_t> capabilities_of(int operation) {
  if ((operation >= ACL_RT_ATOMIC_OPERATION_INTEGER_ADD &&
       operation <= ACL_RT_ATOMIC_OPERATION_CAS) ||
      (operation >= ACL_RT_ATOMIC_OPERATION_SIMD_SCALAR_ADD &&
       operation <= ACL_RT_ATOMIC_OPERATION_SIMD_SCALAR_EXCH)) {
    return kOfIntegers;
  }
  if ((operation >= ACL_RT_ATOMIC_OPERATION_FLOAT_ADD &&
       operation <= ACL_RT_ATOMIC_OPERATION_FLOAT_MAX) ||
      (operation >= ACL_RT_ATOMIC_OPERATION_DMA_ADD &&
       operation <= ACL_RT_ATOMIC_OPERATION_DMA_MAX)) {
    return 0;
  }
  return fail(Errc::invalid_argument, "{} is no atomic operation", operation);
}

// Where `works` is false there are none.
Result<> tell(uint32_t* capabilities, const aclrtAtomicOperation* operations, uint32_t count,
              bool works) {
  if (count == 0) {
    return fail(Errc::invalid_argument, "atomic capabilities of 0 operations");
  }
  for (const aclrtAtomicOperation operation : std::span(operations, count)) {
    CANOPY_TRY(capabilities_of(operation));  // all or nothing
  }
  for (uint32_t i = 0; i < count; ++i) {
    CANOPY_ASSIGN(const uint32_t can, capabilities_of(operations[i]));
    capabilities[i] = works ? can : 0;
  }
  return {};
}

Result<> check_pair(const Driver& driver, int device, int peer) {
  CANOPY_TRY(driver.check_device(device));
  CANOPY_TRY(driver.check_device(peer));
  if (device == peer) {
    return fail(Errc::invalid_argument, "device {}: a peer is another device", device);
  }
  return {};
}

}  // namespace

extern "C" {

aclError aclrtDeviceCanAccessPeer(int32_t* canAccessPeer, int32_t deviceId, int32_t peerDeviceId) {
  CANOPY_ACL_NOT_NULL(canAccessPeer);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(check_pair(*driver, deviceId, peerDeviceId));
    *canAccessPeer = PeerAccess::possible(driver->machine(), deviceId, peerDeviceId) ? 1 : 0;
    return {};
  });
}

aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId, uint32_t flags) {
  return guard([&]() -> Result<> {
    if (flags != 0) {
      return fail(Errc::invalid_argument, "aclrtDeviceEnablePeerAccess: flags must be 0, not {}",
                  flags);
    }
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_ASSIGN(const int device, runtime().current_device());
    CANOPY_TRY(check_pair(*driver, device, peerDeviceId));
    CANOPY_TRY(driver->reports().check_usable(device));
    CANOPY_TRY(driver->reports().check_usable(peerDeviceId));
    CANOPY_TRY(driver->reports().check_link(device, peerDeviceId));
    return runtime().peers().enable(driver->machine(), device, peerDeviceId);
  });
}

aclError aclrtDeviceDisablePeerAccess(int32_t peerDeviceId) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_ASSIGN(const int device, runtime().current_device());
    CANOPY_TRY(check_pair(*driver, device, peerDeviceId));
    return runtime().peers().disable(device, peerDeviceId);
  });
}

aclError aclrtDevicePeerAccessStatus(int32_t deviceId, int32_t peerDeviceId, int32_t* status) {
  CANOPY_ACL_NOT_NULL(status);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(check_pair(*driver, deviceId, peerDeviceId));
    *status = runtime().peers().enabled(deviceId, peerDeviceId) ? 1 : 0;
    return {};
  });
}

aclError aclrtDeviceGetHostAtomicCapabilities(uint32_t* capabilities,
                                              const aclrtAtomicOperation* operations,
                                              const uint32_t count, int32_t deviceId) {
  CANOPY_ACL_NOT_NULL(capabilities);
  CANOPY_ACL_NOT_NULL(operations);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(driver->check_device(deviceId));
    return tell(capabilities, operations, count, true);
  });
}

aclError aclrtDeviceGetP2PAtomicCapabilities(uint32_t* capabilities,
                                             const aclrtAtomicOperation* operations,
                                             const uint32_t count, int32_t srcDeviceId,
                                             int32_t dstDeviceId) {
  CANOPY_ACL_NOT_NULL(capabilities);
  CANOPY_ACL_NOT_NULL(operations);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(check_pair(*driver, srcDeviceId, dstDeviceId));
    // What is staged through the host is copied, not touched.
    const bool direct =
        driver->machine().link(srcDeviceId, dstDeviceId).path == topology::PeerPath::direct;
    return tell(capabilities, operations, count, direct);
  });
}

// Device memory has one address for all devices of the process from its allocation on: what is left
// of this call are its rules.
aclError aclrtMemP2PMap(void* devPtr, size_t size, int32_t dstDevId, uint64_t flags) {
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard([&]() -> Result<> {
    if (flags != 0 || size == 0) {
      return fail(Errc::invalid_argument,
                  "aclrtMemP2PMap: {} bytes, flags {}: some bytes and 0 are wanted", size, flags);
    }
    CANOPY_ASSIGN(const MemoryRange range, device_range(runtime(), "devPtr", devPtr, size));
    if (range.kind != MemoryKind::device) {
      return fail(Errc::invalid_argument, "aclrtMemP2PMap: {} belongs to no device",
                  fmt::ptr(devPtr));
    }
    CANOPY_ASSIGN(Driver * driver, runtime().driver());
    CANOPY_TRY(check_pair(*driver, range.device, dstDevId));
    if (!runtime().peers().enabled(range.device, dstDevId) &&
        !runtime().peers().enabled(dstDevId, range.device)) {
      return fail(Errc::no_permission, "aclrtMemP2PMap: devices {} and {}: {}", range.device, dstDevId,
                  PeerAccess::remedy(driver->machine(), range.device, dstDevId));
    }
    return {};
  });
}

}  // extern "C"
