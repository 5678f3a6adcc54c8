// Module: a loaded binary with its kernels; Function: one kernel a caller holds a handle to.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/device/abi/kernel_image.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>

struct canopy_kernel_record;

namespace canopy {

class Module {
 public:
  // The kernels that were linked into the program and its libraries.
  static std::unique_ptr<Module> of_program();
  // A shared object. Each load is a copy with a state of its own, even of the same file.
  // Errc::io with the loader's own text; Errc::not_found when it holds no kernel.
  static Result<std::unique_ptr<Module>> load_file(const std::string& path);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const KernelImage* find(std::string_view name) const;
  const KernelImage* find_symbol(const void* symbol) const;
  const std::string& path() const { return path_; }
  size_t size() const { return kernels_.size(); }
  // Takes up kernels that were registered since (of_program() only: a library opened later).
  void refresh_program();

 private:
  explicit Module(std::string path) : path_(std::move(path)) {}
  void add(const canopy_kernel_record& record);

  std::string path_;
  // Stays open: the library's name leads here, and debuggers follow it.
  UniqueFd memory_;
  void* library_ = nullptr;
  std::deque<KernelImage> kernels_;  // addresses stay valid
};

struct Function {
  const KernelImage* image = nullptr;
  void* binary = nullptr;  // handle of its module; null: the program
};

}  // namespace canopy
