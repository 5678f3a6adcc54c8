// FabricHandle<fid_x>: owns one libfabric object; move-only; fi_close in the destructor.
//
// Members of a class are declared in the order fabric, domain, address vector, queue, endpoint,
// memory regions, so that they close in the reverse order, as libfabric demands.
#pragma once

#include "runtime/base/log.h"

#include <rdma/fabric.h>
#include <rdma/fi_errno.h>

#include <utility>

namespace canopy::transport::ofi {

template <class Fid>
class FabricHandle {
 public:
  FabricHandle() = default;
  explicit FabricHandle(Fid* fid) : fid_(fid) {}
  FabricHandle(FabricHandle&& other) noexcept : fid_(std::exchange(other.fid_, nullptr)) {}
  FabricHandle& operator=(FabricHandle&& other) noexcept {
    if (this != &other) {
      reset();
      fid_ = std::exchange(other.fid_, nullptr);
    }
    return *this;
  }
  ~FabricHandle() { reset(); }

  Fid* get() const { return fid_; }
  Fid* operator->() const { return fid_; }
  explicit operator bool() const { return fid_ != nullptr; }
  // For the fi_ calls that return an object through a pointer.
  Fid** out() {
    reset();
    return &fid_;
  }
  void reset() {
    if (fid_ != nullptr) {
      if (const int err = fi_close(&fid_->fid); err != 0) {
        log(LogLevel::warn, "ofi: closing a libfabric object failed: {}", fi_strerror(-err));
      }
      fid_ = nullptr;
    }
  }

 private:
  Fid* fid_ = nullptr;
};

}  // namespace canopy::transport::ofi
