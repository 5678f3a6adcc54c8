// Kernel records as modules announce them: static constructors of the program and of loaded shared
// objects call canopy_register_kernel, and the registry tells whose they are.
#pragma once

#include "canopy/kernel.h"

#include <vector>

namespace canopy {

// Collects what is registered by this thread while the object lives: around dlopen.
class KernelCapture {
 public:
  KernelCapture();
  ~KernelCapture();
  KernelCapture(const KernelCapture&) = delete;
  KernelCapture& operator=(const KernelCapture&) = delete;
  std::vector<canopy_kernel_record> records;

 private:
  KernelCapture* outer_;
};

// What was registered outside any capture: the kernels of the program and the libraries it is linked to.
std::vector<canopy_kernel_record> program_kernels();

}  // namespace canopy
