// acl_rt.h: the three numberings of devices. The user's count what ASCEND_RT_VISIBLE_DEVICES
// leaves, from 0; logical and physical ids are those of the whole machine, and the same here.
#include "runtime/api/guard.h"

using namespace canopy;  // NOLINT: the C boundary
using acl::guard_into;
using acl::runtime;

namespace {

Result<int32_t> logical_of(int32_t user) {
  CANOPY_ASSIGN(const Driver* driver, runtime().driver());
  CANOPY_TRY(driver->check_device(user));
  return driver->machine().npu(user).logical_id();
}

Result<int32_t> user_of(int32_t logical) {
  CANOPY_ASSIGN(const Driver* driver, runtime().driver());
  const topology::Machine& machine = driver->machine();
  for (int id = 0; id < machine.count(); ++id) {
    if (machine.npu(id).logical_id() == logical) {
      return id;
    }
  }
  return fail(Errc::bad_device, "the process sees no device with the logical id {}", logical);
}

}  // namespace

extern "C" {

aclError aclrtGetLogicDevIdByUserDevId(const int32_t userDevid, int32_t* const logicDevId) {
  CANOPY_ACL_NOT_NULL(logicDevId);
  return guard_into(logicDevId, [&] { return logical_of(userDevid); });
}

aclError aclrtGetUserDevIdByLogicDevId(const int32_t logicDevId, int32_t* const userDevid) {
  CANOPY_ACL_NOT_NULL(userDevid);
  return guard_into(userDevid, [&] { return user_of(logicDevId); });
}

aclError aclrtGetLogicDevIdByPhyDevId(const int32_t phyDevId, int32_t* const logicDevId) {
  CANOPY_ACL_NOT_NULL(logicDevId);
  return guard_into(logicDevId,
                    [&] { return user_of(phyDevId); });  // the name is wrong, the result is kept
}

aclError aclrtGetPhyDevIdByLogicDevId(const int32_t logicDevId, int32_t* const phyDevId) {
  CANOPY_ACL_NOT_NULL(phyDevId);
  return guard_into(phyDevId, [&] { return logical_of(logicDevId); });  // a user's id, as above
}

aclError aclrtGetUserDevIdByPhyDevId(const int32_t phyDevId, int32_t* const userDevId) {
  CANOPY_ACL_NOT_NULL(userDevId);
  return guard_into(userDevId, [&] { return user_of(phyDevId); });
}

aclError aclrtGetPhyDevIdByUserDevId(const int32_t userDevId, int32_t* const phyDevId) {
  CANOPY_ACL_NOT_NULL(phyDevId);
  return guard_into(phyDevId, [&] { return logical_of(userDevId); });
}

}  // extern "C"
