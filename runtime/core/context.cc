#include "runtime/core/context.h"

#include <algorithm>

namespace canopy {

void Context::add_stream(void* handle) {
  std::lock_guard lock(mutex_);
  streams_.push_back(handle);
}

void Context::remove_stream(void* handle) {
  std::lock_guard lock(mutex_);
  std::erase(streams_, handle);
}

std::vector<void*> Context::streams() const {
  std::lock_guard lock(mutex_);
  return streams_;
}

}  // namespace canopy
