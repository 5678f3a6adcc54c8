// acl_rt.h: words of device memory, written and waited for in stream order.
#include "runtime/core/value.h"

#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::runtime;

static_assert(static_cast<uint32_t>(ValueTest::at_least) == ACL_STREAM_WAIT_VALUE_GEQ);
static_assert(static_cast<uint32_t>(ValueTest::equal) == ACL_STREAM_WAIT_VALUE_EQ);
static_assert(static_cast<uint32_t>(ValueTest::some_bits) == ACL_STREAM_WAIT_VALUE_AND);
static_assert(static_cast<uint32_t>(ValueTest::some_zero) == ACL_STREAM_WAIT_VALUE_NOR);

extern "C" {

aclError aclrtValueWrite(void* devAddr, uint64_t value, uint32_t flag, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(devAddr);
  return guard([&]() -> Result<> {
    if (flag != 0) {
      return fail(Errc::invalid_argument, "aclrtValueWrite: flag {:#x}, 0 is wanted", flag);
    }
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return write_value(runtime(), devAddr, value, *target);
  });
}

aclError aclrtValueWait(void* devAddr, uint64_t value, uint32_t flag, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(devAddr);
  return guard([&]() -> Result<> {
    if (flag > ACL_STREAM_WAIT_VALUE_NOR) {
      return fail(Errc::invalid_argument,
                  "aclrtValueWait: flag {:#x} is none of ACL_STREAM_WAIT_VALUE_*", flag);
    }
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return wait_for_value(runtime(), devAddr, value, static_cast<ValueTest>(flag), *target);
  });
}

}  // extern "C"
