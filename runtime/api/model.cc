// acl_rt.h: models that are built task by task, and how models run.
#include "runtime/api/guard.h"
#include "runtime/graph/models.h"

#include <cstring>
#include <string>

using namespace canopy;  // NOLINT: the C boundary
using acl::guard;
using acl::guard_into;
using acl::runtime;

namespace {

// The flags of aclmdlRIBindStream have no names in the header.
constexpr uint32_t kHead = 0;
constexpr uint32_t kDefault = 0x7FFFFFFF;

Models& models() { return Models::instance(); }

// work(model) on a live model of the current context.
template <class Work>
aclError on_model(aclmdlRI handle, Work&& work) {
  return guard([&]() -> Result<> {
    CANOPY_ASSIGN(const std::shared_ptr<Model> model, models().find(handle));
    return work(*model);
  });
}

// The same with a live stream of it.
template <class Work>
aclError on_model_and_stream(aclmdlRI handle, aclrtStream stream, Work&& work) {
  return on_model(handle, [&](Model& model) -> Result<> {
    CANOPY_ASSIGN(Stream * found, runtime().live_stream(stream));
    return work(model, *found);
  });
}

}  // namespace

extern "C" {

// ---- Building.

aclError aclmdlRIBuildBegin(aclmdlRI* modelRI, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return guard_into(modelRI, [&]() -> Result<void*> {
    if (flag != 0) {
      return fail(Errc::invalid_argument, "aclmdlRIBuildBegin: flag {:#x}, 0 is wanted", flag);
    }
    return models().begin();
  });
}

aclError aclmdlRIBindStream(aclmdlRI modelRI, aclrtStream stream, uint32_t flag) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return on_model_and_stream(modelRI, stream, [&](Model& model, Stream& found) -> Result<> {
    if (flag != kHead && flag != kDefault) {
      return fail(Errc::invalid_argument, "aclmdlRIBindStream: flag {:#x} is neither {:#x} nor {:#x}",
                  flag, kHead, kDefault);
    }
    return model.bind(found, modelRI, flag == kHead);
  });
}

aclError aclmdlRIEndTask(aclmdlRI modelRI, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return on_model_and_stream(modelRI, stream, [](Model& model, Stream& found) -> Result<> {
    CANOPY_TRY(model.check_stream(found));
    CANOPY_TRY(found.check_accepts());
    return model.add_end(found);
  });
}

aclError aclmdlRIBuildEnd(aclmdlRI modelRI, void* reserve) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return on_model(modelRI, [&](Model& model) -> Result<> {
    if (reserve != nullptr) {
      return fail(Errc::invalid_argument, "aclmdlRIBuildEnd: reserve must be NULL");
    }
    return model.build();
  });
}

aclError aclmdlRIUnbindStream(aclmdlRI modelRI, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return on_model_and_stream(modelRI, stream,
                             [](Model& model, Stream& found) { return model.unbind(found); });
}

// ---- Running.

aclError aclmdlRIExecuteAsync(aclmdlRI modelRI, aclrtStream stream) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return guard([&] { return models().run_on(modelRI, stream); });
}

aclError aclmdlRIExecute(aclmdlRI modelRI, int32_t timeout) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return guard([&] {
    return acl::deadline_of(timeout).and_then(
        [&](Deadline deadline) { return models().run(modelRI, deadline); });
  });
}

aclError aclmdlRIAbort(aclmdlRI modelRI) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return guard([&] { return models().abort(modelRI); });
}

aclError aclmdlRIDestroy(aclmdlRI modelRI) {
  CANOPY_ACL_NOT_NULL(modelRI);
  return guard([&] { return models().destroy(modelRI); });
}

aclError aclmdlRIDestroyRegisterCallback(aclmdlRI modelRI, aclrtCallback func, void* userData) {
  CANOPY_ACL_NOT_NULL(modelRI);
  if (func == nullptr) {
    return acl::null_argument(__func__, "func");
  }
  return on_model(modelRI,
                  [&](Model& model) { return model.add_destroy_function(func, userData); });
}

aclError aclmdlRIDestroyUnregisterCallback(aclmdlRI modelRI, aclrtCallback func) {
  CANOPY_ACL_NOT_NULL(modelRI);
  if (func == nullptr) {
    return acl::null_argument(__func__, "func");
  }
  return on_model(modelRI, [&](Model& model) { return model.remove_destroy_function(func); });
}

// ---- What it is.

aclError aclmdlRISetName(aclmdlRI modelRI, const char* name) {
  CANOPY_ACL_NOT_NULL(modelRI);
  CANOPY_ACL_NOT_NULL(name);
  return on_model(modelRI, [&](Model& model) { return model.set_name(name); });
}

aclError aclmdlRIGetName(aclmdlRI modelRI, uint32_t maxLen, char* name) {
  CANOPY_ACL_NOT_NULL(modelRI);
  CANOPY_ACL_NOT_NULL(name);
  return on_model(modelRI, [&](Model& model) -> Result<> {
    const std::string found = model.name();
    if (found.size() >= maxLen) {
      return fail(Errc::invalid_argument, "aclmdlRIGetName: {} bytes for a name of {} with its end",
                  maxLen, found.size() + 1);
    }
    std::memcpy(name, found.c_str(), found.size() + 1);
    return {};
  });
}

aclError aclmdlRIGetId(aclmdlRI modelRI, uint32_t* modelRIId) {
  CANOPY_ACL_NOT_NULL(modelRI);
  CANOPY_ACL_NOT_NULL(modelRIId);
  return on_model(modelRI, [&](Model& model) -> Result<> {
    *modelRIId = model.id();
    return {};
  });
}

}  // extern "C"
