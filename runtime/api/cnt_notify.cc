// acl_rt.h: counting notifies.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

constexpr auto kCounter = Notify::Kind::counter;

static_assert(static_cast<int>(NotifyChange::set) == ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE);
static_assert(static_cast<int>(NotifyChange::add) == ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE);
static_assert(static_cast<int>(NotifyChange::bit_or) == ACL_RT_CNT_NOTIFY_RECORD_BIT_OR_MODE);
static_assert(static_cast<int>(NotifyChange::bit_and) == ACL_RT_CNT_NOTIFY_RECORD_BIT_AND_MODE);
static_assert(static_cast<int>(NotifyTest::below) == ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE);
static_assert(static_cast<int>(NotifyTest::equal) == ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE);
static_assert(static_cast<int>(NotifyTest::above) == ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE);
static_assert(static_cast<int>(NotifyTest::at_least) ==
              ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE);
static_assert(static_cast<int>(NotifyTest::has_bits) ==
              ACL_RT_CNT_NOTIFY_WAIT_EQUAL_WITH_BITMASK_MODE);

// Enumerators from C may hold anything.
bool known(aclrtCntNotifyRecordMode mode) {
  switch (mode) {
    case ACL_RT_CNT_NOTIFY_RECORD_SET_VALUE_MODE:
    case ACL_RT_CNT_NOTIFY_RECORD_ADD_MODE:
    case ACL_RT_CNT_NOTIFY_RECORD_BIT_OR_MODE:
    case ACL_RT_CNT_NOTIFY_RECORD_BIT_AND_MODE:
      return true;
  }
  return false;
}

bool known(aclrtCntNotifyWaitMode mode) {
  switch (mode) {
    case ACL_RT_CNT_NOTIFY_WAIT_LESS_MODE:
    case ACL_RT_CNT_NOTIFY_WAIT_EQUAL_MODE:
    case ACL_RT_CNT_NOTIFY_WAIT_BIGGER_MODE:
    case ACL_RT_CNT_NOTIFY_WAIT_BIGGER_OR_EQUAL_MODE:
    case ACL_RT_CNT_NOTIFY_WAIT_EQUAL_WITH_BITMASK_MODE:
      return true;
  }
  return false;
}

}  // namespace

extern "C" {

aclError aclrtCntNotifyCreate(aclrtCntNotify* cntNotify, uint64_t flag) {
  CANOPY_ACL_NOT_NULL(cntNotify);
  return guard_into(cntNotify, [&]() -> Result<void*> {
    if (flag != ACL_NOTIFY_DEFAULT && flag != ACL_NOTIFY_DEVICE_USE_ONLY) {
      return fail(Errc::invalid_argument,
                  "aclrtCntNotifyCreate: flag {:#x} is none of ACL_NOTIFY_*", flag);
    }
    CANOPY_ASSIGN(const int device, runtime().current_device());
    return runtime().notifies().create(device, kCounter);
  });
}

aclError aclrtCntNotifyDestroy(aclrtCntNotify cntNotify) {
  CANOPY_ACL_NOT_NULL(cntNotify);
  return guard([&] { return runtime().notifies().destroy(cntNotify, kCounter); });
}

aclError aclrtCntNotifyRecord(aclrtCntNotify cntNotify, aclrtStream stream,
                              aclrtCntNotifyRecordInfo* info) {
  CANOPY_ACL_NOT_NULL(cntNotify);
  CANOPY_ACL_NOT_NULL(info);
  return guard([&]() -> Result<> {
    if (!known(info->mode)) {
      return fail(Errc::invalid_argument,
                  "aclrtCntNotifyRecord: mode {} is no aclrtCntNotifyRecordMode",
                  static_cast<int>(info->mode));
    }
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(cntNotify, kCounter));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return found->record(*target, static_cast<NotifyChange>(info->mode), info->value);
  });
}

aclError aclrtCntNotifyWaitWithTimeout(aclrtCntNotify cntNotify, aclrtStream stream,
                                       aclrtCntNotifyWaitInfo* info) {
  CANOPY_ACL_NOT_NULL(cntNotify);
  CANOPY_ACL_NOT_NULL(info);
  return guard([&]() -> Result<> {
    if (!known(info->mode)) {
      return fail(Errc::invalid_argument,
                  "aclrtCntNotifyWaitWithTimeout: mode {} is no aclrtCntNotifyWaitMode",
                  static_cast<int>(info->mode));
    }
    if (info->isClear > 1) {
      return fail(Errc::invalid_argument,
                  "aclrtCntNotifyWaitWithTimeout: isClear {}, 0 or 1 is wanted", info->isClear);
    }
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(cntNotify, kCounter));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return found->wait(*target, static_cast<NotifyTest>(info->mode), info->value, info->isClear == 1, info->timeout);
  });
}

aclError aclrtCntNotifyReset(aclrtCntNotify cntNotify, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(cntNotify);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(cntNotify, kCounter));
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return found->record(*target, NotifyChange::set, 0);
  });
}

aclError aclrtCntNotifyGetId(aclrtCntNotify cntNotify, uint32_t* notifyId) {
  CANOPY_ACL_NOT_NULL(cntNotify);
  CANOPY_ACL_NOT_NULL(notifyId);
  return guard_into(notifyId, [&]() -> Result<uint32_t> {
    CANOPY_ASSIGN(Notify * found, runtime().notifies().find(cntNotify, kCounter));
    return found->id();
  });
}

}  // extern "C"
