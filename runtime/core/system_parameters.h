// SystemParameters: the four switches of aclSysParamOpt, of the process or of one context. The
// runtime keeps them for those who compile and run operators. Thread-safe.
#pragma once

#include "runtime/base/result.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>

namespace canopy {

class SystemParameters {
 public:
  static constexpr int kCount = 4;

  Result<> set(int parameter, int64_t value) {
    CANOPY_TRY(check(parameter));
    std::lock_guard lock(mutex_);
    values_[static_cast<size_t>(parameter)] = value;
    return {};
  }
  // Nothing when it was never set.
  Result<std::optional<int64_t>> get(int parameter) const {
    CANOPY_TRY(check(parameter));
    std::lock_guard lock(mutex_);
    return values_[static_cast<size_t>(parameter)];
  }

 private:
  static Result<> check(int parameter) {
    if (parameter < 0 || parameter >= kCount) {
      return fail(Errc::invalid_argument, "system parameter {} is not one of aclSysParamOpt",
                  parameter);
    }
    return {};
  }

  mutable std::mutex mutex_;  // guards values_
  std::array<std::optional<int64_t>, kCount> values_;
};

}  // namespace canopy
