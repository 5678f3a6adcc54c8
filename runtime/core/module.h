// Module: a loaded binary with its kernels; Function: one kernel a caller holds a handle to.
//
// A binary for AI CPUs is a shared object like any other, whose functions `uint32_t f(void* args)` get
// kernels when they are asked for by name: those that its description (a JSON file beside it) lists, or
// those that the program registers.
#pragma once

#include "runtime/base/result.h"
#include "runtime/base/unique_fd.h"
#include "runtime/core/loaded_object.h"
#include "runtime/device/abi/kernel_image.h"

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct canopy_kernel_record;

namespace canopy {

struct PrivateBinary;

// The numbers of the C API's load option.
enum class CpuKernelMode : int8_t { none = -1, built_in = 0, described = 1, registered = 2 };

struct BinaryOptions {
  bool lazy = false;
  CpuKernelMode cpu_mode = CpuKernelMode::none;
};

class Module {
 public:
  // The kernels that were linked into the program and its libraries.
  static std::unique_ptr<Module> of_program();
  // A shared object, or the description of one for AI CPUs. Each load is a copy with a state of its own,
  // even of the same file. Errc::io with the loader's own text; Errc::not_found when it holds no kernel.
  static Result<std::unique_ptr<Module>> load_file(const std::string& path, const BinaryOptions& options = {});
  static Result<std::unique_ptr<Module>> load_data(std::span<const std::byte> data, const BinaryOptions& options);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // The kernel of that name; of a described binary it is made now.
  Result<const KernelImage*> function(std::string_view name);
  // The kernel whose function starts at `entry`, or, as compilers number variants of a kernel, whose name ends
  // with "_" and that number.
  Result<const KernelImage*> function_by_entry(uint64_t entry);
  // A kernel `name` of the function `symbol` of a binary for AI CPUs; the same one when asked again.
  Result<const KernelImage*> register_cpu_function(const std::string& symbol, const std::string& name);
  const KernelImage* find_symbol(const void* symbol) const;
  // A variable of the binary: where it lies, and its size.
  Result<std::span<std::byte>> variable(const std::string& name) const;
  // Where the binary lies; empty as long as a lazy load has had no kernel asked for.
  std::span<const std::byte> image() const;
  // Bytes it takes, lazy or not.
  size_t image_bytes() const;

  const std::string& path() const { return path_; }
  size_t size() const { return kernels_.size(); }
  // Takes up kernels that were registered since (of_program() only: a library opened later).
  void refresh_program();

 private:
  explicit Module(std::string path) : path_(std::move(path)) {}
  static Result<std::unique_ptr<Module>> open(std::string path, PrivateBinary binary, const BinaryOptions& options);
  const KernelImage* find(std::string_view name) const;
  void add(const canopy_kernel_record& record);
  Result<> check_for_aicpu() const;

  std::string path_;
  // Stays open: the library's name leads here, and debuggers follow it.
  UniqueFd memory_;
  void* library_ = nullptr;
  LoadedObject object_;
  BinaryOptions options_;
  bool used_ = false;                             // a kernel of it was asked for
  std::map<std::string, std::string> described_;  // kernel -> function, of AI CPU binaries
  std::deque<KernelImage> kernels_;               // addresses stay valid
};

struct Function {
  const KernelImage* image = nullptr;
  void* binary = nullptr;  // handle of its module; null: the program
};

}  // namespace canopy
