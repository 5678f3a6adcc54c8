// acl_rt.h: labels, numbers of tasks, and tasks that are changed.
#include "runtime/api/guard.h"
#include "runtime/api/random_request.h"
#include "runtime/core/submitters.h"
#include "runtime/graph/bound_streams.h"
#include "runtime/graph/task_update.h"

#include <cstring>
#include <span>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

Result<RandomRequest> read_random_request(const void* memory) {
  aclrtRandomNumTaskInfo info;
  std::memcpy(&info, memory, sizeof info);
  return acl::random_request_of(info);
}

Result<> update_random_task(TaskName task, const aclrtRandomTaskUpdateAttr& to, Stream& on) {
  if (to.size != sizeof(aclrtRandomNumTaskInfo)) {
    return fail(Errc::invalid_argument, "aclrtTaskUpdateAsync: a description of {} bytes, {} are wanted", to.size,
                sizeof(aclrtRandomNumTaskInfo));
  }
  return update_random(runtime(), task, to.srcAddr, to.size, &read_random_request, on);
}

}  // namespace

extern "C" {

aclError aclrtTaskUpdateAsync(aclrtStream taskStream, uint32_t taskId, aclrtTaskUpdateInfo* info,
                              aclrtStream execStream) {
  CANOPY_ACL_NOT_NULL(taskStream);
  CANOPY_ACL_NOT_NULL(info);
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(Stream * of, runtime().live_stream(taskStream));
    CANOPY_ASSIGN(Stream * on, runtime().stream(execStream));
    const TaskName task{of, taskId};
    switch (info->id) {
      case ACL_RT_UPDATE_RANDOM_TASK:
        return update_random_task(task, info->val.randomTaskAttr, *on);
      case ACL_RT_UPDATE_AIC_AIV_TASK: {
        const aclrtAicAivTaskUpdateAttr& to = info->val.aicAivTaskAttr;
        return update_kernel(runtime(), task, to.binHandle, to.funcEntryAddr, to.blockDimAddr, *on);
      }
    }
    return fail(Errc::invalid_argument, "aclrtTaskUpdateAsync: {} is none of aclrtUpdateTaskAttrId",
                static_cast<int>(info->id));
  });
}

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
