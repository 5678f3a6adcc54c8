// acl_rt.h: what a stream is set to, and settings to make one with.
#include "runtime/api/guard.h"

#include <cstring>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<> set_failure_mode(Stream& stream, uint64_t mode) {
  if (mode != ACL_CONTINUE_ON_FAILURE && mode != ACL_STOP_ON_FAILURE) {
    return fail(Errc::invalid_argument, "stream {}: failure mode {} is none", stream.id(), mode);
  }
  if (stream.model() != nullptr) {
    return fail(Errc::not_supported, "stream {} is bound to a model: such streams have no failure mode", stream.id());
  }
  return stream.context().set_failure_mode(stream, mode == ACL_STOP_ON_FAILURE);
}

Result<> set_switch(const Stream& stream, const char* what, std::atomic<uint32_t>& place,
                    uint32_t value) {
  if (value > 1) {
    return fail(Errc::invalid_argument, "stream {}: {} is 0 or 1, not {}", stream.id(), what,
                value);
  }
  place.store(value, std::memory_order_relaxed);
  return {};
}

Result<> set_overflow_switch(Stream& stream, uint32_t value) {
  CANOPY_TRY(set_switch(stream, "the overflow switch", stream.settings().overflow_switch, value));
  acl::runtime().have_launches_ask_streams();
  return {};
}

Result<> set_priority(Stream& stream, uint32_t priority) {
  if (priority >= Strand::kPriorities) {
    return fail(Errc::invalid_argument, "stream {}: priority {} is not 0 to {}", stream.id(),
                priority, Strand::kPriorities - 1);
  }
  stream.set_priority(static_cast<uint8_t>(priority));
  return {};
}

Result<> set_attribute(Stream& stream, aclrtStreamAttr attribute,
                       const aclrtStreamAttrValue& value) {
  StreamSettings& settings = stream.settings();
  switch (attribute) {
    case ACL_STREAM_ATTR_FAILURE_MODE:
      return set_failure_mode(stream, value.failureMode);
    case ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK:
      return set_overflow_switch(stream, value.overflowSwitch);
    case ACL_STREAM_ATTR_USER_CUSTOM_TAG:
      settings.custom_tag.store(value.userCustomTag, std::memory_order_relaxed);
      return {};
    case ACL_STREAM_ATTR_CACHE_OP_INFO:
      return set_switch(stream, "the switch for cached operator information",
                        settings.cache_op_info, value.cacheOpInfoSwitch);
    case ACL_STREAM_ATTR_PRIORITY:
      return set_priority(stream, value.streamPriority);
  }
  return fail(Errc::invalid_argument, "stream {}: attribute {} is none", stream.id(),
              static_cast<int>(attribute));
}

Result<aclrtStreamAttrValue> attribute_of(Stream& stream, aclrtStreamAttr attribute) {
  aclrtStreamAttrValue value = {};
  StreamSettings& settings = stream.settings();
  switch (attribute) {
    case ACL_STREAM_ATTR_FAILURE_MODE:
      value.failureMode = settings.failure_mode.load(std::memory_order_relaxed) == 1
                              ? ACL_STOP_ON_FAILURE
                              : ACL_CONTINUE_ON_FAILURE;
      return value;
    case ACL_STREAM_ATTR_FLOAT_OVERFLOW_CHECK:
      value.overflowSwitch = settings.overflow_switch.load(std::memory_order_relaxed);
      return value;
    case ACL_STREAM_ATTR_USER_CUSTOM_TAG:
      value.userCustomTag = settings.custom_tag.load(std::memory_order_relaxed);
      return value;
    case ACL_STREAM_ATTR_CACHE_OP_INFO:
      value.cacheOpInfoSwitch = settings.cache_op_info.load(std::memory_order_relaxed);
      return value;
    case ACL_STREAM_ATTR_PRIORITY:
      value.streamPriority = stream.priority();
      return value;
  }
  return fail(Errc::invalid_argument, "stream {}: attribute {} is none", stream.id(),
              static_cast<int>(attribute));
}

template <class Field>
Result<> set_option(Field* field, const char* name, const void* value, size_t bytes) {
  if (bytes != sizeof(Field)) {
    return fail(Errc::invalid_argument,
                "aclrtSetStreamConfigOpt: the value of {} has {} bytes, {} were given", name,
                sizeof(Field), bytes);
  }
  std::memcpy(field, value, bytes);
  return {};
}

}  // namespace

extern "C" {

aclrtStreamConfigHandle* aclrtCreateStreamConfigHandle(void) {
  return acl::new_handle<aclrtStreamConfigHandle>();
}

aclError aclrtDestroyStreamConfigHandle(aclrtStreamConfigHandle* handle) {
  CANOPY_ACL_NOT_NULL(handle);
  delete handle;
  return ACL_SUCCESS;
}

aclError aclrtSetStreamConfigOpt(aclrtStreamConfigHandle* handle, aclrtStreamConfigAttr attr,
                                 const void* attrValue, size_t valueSize) {
  CANOPY_ACL_NOT_NULL(handle);
  CANOPY_ACL_NOT_NULL(attrValue);
  return guard([&]() -> Result<> {
    switch (attr) {
      case ACL_RT_STREAM_WORK_ADDR_PTR:
        return set_option(&handle->workptr, "ACL_RT_STREAM_WORK_ADDR_PTR", attrValue, valueSize);
      case ACL_RT_STREAM_WORK_SIZE:
        return set_option(&handle->workSize, "ACL_RT_STREAM_WORK_SIZE", attrValue, valueSize);
      case ACL_RT_STREAM_FLAG: {
        // Programs keep flags in 32 bits, as aclrtCreateStreamWithConfig takes them; the field
        // has 64.
        if (uint32_t flags = 0; valueSize == sizeof flags) {
          CANOPY_TRY(set_option(&flags, "ACL_RT_STREAM_FLAG", attrValue, valueSize));
          handle->flag = flags;
          return {};
        }
        return set_option(&handle->flag, "ACL_RT_STREAM_FLAG", attrValue, valueSize);
      }
      case ACL_RT_STREAM_PRIORITY:
        return set_option(&handle->priority, "ACL_RT_STREAM_PRIORITY", attrValue, valueSize);
    }
    return fail(Errc::invalid_argument, "aclrtSetStreamConfigOpt: option {} is none",
                static_cast<int>(attr));
  });
}

aclError aclrtStreamGetPriority(aclrtStream stream, uint32_t* priority) {
  CANOPY_ACL_NOT_NULL(priority);
  return guard_into(priority, [&] {
    return runtime().live_stream(stream).map([](Stream* s) { return s->priority(); });
  });
}

aclError aclrtStreamGetFlags(aclrtStream stream, uint32_t* flags) {
  CANOPY_ACL_NOT_NULL(flags);
  return guard_into(flags, [&] {
    return runtime().live_stream(stream).map([](Stream* s) { return s->flags(); });
  });
}

aclError aclrtSetStreamFailureMode(aclrtStream stream, uint64_t mode) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return set_failure_mode(*found, mode);
  });
}

aclError aclrtSetStreamAttribute(aclrtStream stream, aclrtStreamAttr stmAttrType,
                                 aclrtStreamAttrValue* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return set_attribute(*found, stmAttrType, *value);
  });
}

aclError aclrtGetStreamAttribute(aclrtStream stream, aclrtStreamAttr stmAttrType,
                                 aclrtStreamAttrValue* value) {
  CANOPY_ACL_NOT_NULL(value);
  return guard_into(value, [&]() -> Result<aclrtStreamAttrValue> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return attribute_of(*found, stmAttrType);
  });
}

aclError aclrtSetStreamOverflowSwitch(aclrtStream stream, uint32_t flag) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return set_overflow_switch(*found, flag);
  });
}

aclError aclrtGetStreamOverflowSwitch(aclrtStream stream, uint32_t* flag) {
  CANOPY_ACL_NOT_NULL(flag);
  return guard_into(flag, [&]() -> Result<uint32_t> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return found->settings().overflow_switch.load(std::memory_order_relaxed);
  });
}

}  // extern "C"
