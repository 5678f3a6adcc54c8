// acl_rt.h: labels, and numbers of tasks.
#include "runtime/api/guard.h"
#include "runtime/core/submitters.h"
#include "runtime/graph/bound_streams.h"

#include <span>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

extern "C" {

aclError aclrtCreateLabel(aclrtLabel* label) {
  CANOPY_ACL_NOT_NULL(label);
  return guard_into(label, [&]() -> Result<void*> {
    CANOPY_ASSIGN(void* context, runtime().current_context_handle());
    return runtime().labels().create(context);
  });
}

aclError aclrtDestroyLabel(aclrtLabel label) {
  CANOPY_ACL_NOT_NULL(label);
  return guard([&] { return runtime().labels().destroy(label); });
}

aclError aclrtCreateLabelList(aclrtLabel* labels, size_t num, aclrtLabelList* labelList) {
  CANOPY_ACL_NOT_NULL(labels);
  CANOPY_ACL_NOT_NULL(labelList);
  return guard_into(labelList, [&]() -> Result<void*> {
    if (num > Labels::kLimit) {
      return fail(Errc::invalid_argument, "aclrtCreateLabelList: {} labels, there are at most {}",
                  num, Labels::kLimit);
    }
    CANOPY_ASSIGN(void* context, runtime().current_context_handle());
    return runtime().labels().create_list(std::span<void* const>(labels, num), context);
  });
}

aclError aclrtDestroyLabelList(aclrtLabelList labelList) {
  CANOPY_ACL_NOT_NULL(labelList);
  return guard([&] { return runtime().labels().destroy_list(labelList); });
}

aclError aclrtSetLabel(aclrtLabel label, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(label);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return set_label(runtime(), label, *target);
  });
}

aclError aclrtSwitchLabelByIndex(void* ptr, uint32_t maxValue, aclrtLabelList labelList,
                                 aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(ptr);
  CANOPY_ACL_NOT_NULL(labelList);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * target, runtime().stream(stream));
    return switch_label(runtime(), ptr, maxValue, labelList, *target);
  });
}

aclError aclrtGetThreadLastTaskId(uint32_t* taskId) {
  CANOPY_ACL_NOT_NULL(taskId);
  return guard_into(taskId, []() -> Result<uint32_t> { return last_task_of_this_thread(); });
}

}  // extern "C"
