// acl_rt.h: variables of the device.
#include "runtime/core/symbol.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

aclError symbol_code(aclError code) {
  return code == ACL_ERROR_KERNEL_NOT_FOUND ? ACL_ERROR_RT_SYMBOL_NOT_FOUND
                                            : code;  // of Errc::not_found
}

// The variable is the device's end of the copy.
Result<> check_kind(aclrtMemcpyKind kind, aclrtMemcpyKind with_host) {
  if (kind == with_host || kind == ACL_MEMCPY_DEVICE_TO_DEVICE || kind == ACL_MEMCPY_DEFAULT) {
    return {};
  }
  return fail(Errc::invalid_argument,
              "copy kind {} does not fit a variable of the device at this end",
              static_cast<uint32_t>(kind));
}

}  // namespace

extern "C" {

aclError aclrtGetSymbolAddress(const void* symbol, void** devPtr) {
  CANOPY_ACL_NOT_NULL(symbol);
  CANOPY_ACL_NOT_NULL(devPtr);
  return guard_into(
      devPtr,
      [&] {
        return find_symbol(runtime(), symbol).map([](const Symbol& found) {
          return found.address;
        });
      },
      symbol_code);
}

aclError aclrtGetSymbolSize(const void* symbol, size_t* size) {
  CANOPY_ACL_NOT_NULL(symbol);
  CANOPY_ACL_NOT_NULL(size);
  return guard_into(
      size,
      [&] {
        return find_symbol(runtime(), symbol).map([](const Symbol& found) { return found.bytes; });
      },
      symbol_code);
}

aclError aclrtMemcpyFromSymbol(void* dst, size_t dstMax, const void* symbol, size_t count,
                               size_t offset, aclrtMemcpyKind kind) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(symbol);
  return guard(
      [&]() -> Result<> {
        CANOPY_TRY(check_kind(kind, ACL_MEMCPY_DEVICE_TO_HOST));
        return copy_from_symbol(runtime(), dst, dstMax, symbol, offset, count);
      },
      symbol_code);
}

aclError aclrtMemcpyFromSymbolAsync(void* dst, size_t dstMax, const void* symbol, size_t count,
                                    size_t offset, aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(dst);
  CANOPY_ACL_NOT_NULL(symbol);
  return guard(
      [&]() -> Result<> {
        CANOPY_TRY(check_kind(kind, ACL_MEMCPY_DEVICE_TO_HOST));
        return copy_from_symbol_on_stream(runtime(), dst, dstMax, symbol, offset, count, stream);
      },
      symbol_code);
}

aclError aclrtMemcpyToSymbol(const void* symbol, const void* src, size_t count, size_t offset,
                             aclrtMemcpyKind kind) {
  CANOPY_ACL_NOT_NULL(symbol);
  CANOPY_ACL_NOT_NULL(src);
  return guard(
      [&]() -> Result<> {
        CANOPY_TRY(check_kind(kind, ACL_MEMCPY_HOST_TO_DEVICE));
        return copy_to_symbol(runtime(), symbol, offset, src, count);
      },
      symbol_code);
}

aclError aclrtMemcpyToSymbolAsync(const void* symbol, const void* src, size_t count, size_t offset,
                                  aclrtMemcpyKind kind, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(symbol);
  CANOPY_ACL_NOT_NULL(src);
  return guard(
      [&]() -> Result<> {
        CANOPY_TRY(check_kind(kind, ACL_MEMCPY_HOST_TO_DEVICE));
        return copy_to_symbol_on_stream(runtime(), symbol, offset, src, count, stream);
      },
      symbol_code);
}

}  // extern "C"
