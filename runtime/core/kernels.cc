// The part of Runtime that knows binaries, functions and launches.
#include "runtime/core/runtime.h"

#include <cstring>

namespace canopy {

Result<void*> Runtime::load_binary(const std::string& path) {
  CANOPY_ASSIGN(std::unique_ptr<Module> module, Module::load_file(path));
  void* handle = binaries_.insert(std::move(module));
  if (handle == nullptr) {
    return fail(Errc::limit, "no more binaries can be loaded");
  }
  return handle;
}

Result<> Runtime::unload_binary(void* handle) {
  std::unique_ptr<Module> module;
  {
    std::lock_guard lock(mutex_);
    module = binaries_.remove(handle);
    if (module == nullptr) {
      return fail(Errc::bad_handle, "{} is not a loaded binary", fmt::ptr(handle));
    }
    std::erase_if(function_handles_, [&](const auto& entry) {
      if (entry.first.second != handle) {
        return false;
      }
      functions_.remove(entry.second);
      return true;
    });
  }
  // No new launch can find the kernels; those queued already run to their end first. Without the lock:
  // what they wait for may need others to get on.
  drain_all_streams();
  return {};
}

// REQUIRES: mutex_ held. The same kernel always has the same handle.
Result<void*> Runtime::function_of(const KernelImage* image, void* binary) {
  void*& handle = function_handles_[{image, binary}];
  if (handle == nullptr) {
    handle = functions_.insert(std::make_unique<Function>(Function{image, binary}));
    if (handle == nullptr) {
      function_handles_.erase({image, binary});
      return fail(Errc::limit, "no more function handles");
    }
  }
  return handle;
}

Result<void*> Runtime::function_by_name(void* binary, const char* name) {
  std::lock_guard lock(mutex_);
  Module* module = binaries_.find(binary);
  if (module == nullptr) {
    return fail(Errc::bad_handle, "{} is not a loaded binary", fmt::ptr(binary));
  }
  const KernelImage* image = module->find(name);
  if (image == nullptr) {
    return fail(Errc::not_found, "binary '{}' has no kernel '{}' ({} others)", module->path(), name, module->size());
  }
  return function_of(image, binary);
}

// Called for every launch by symbol, so each thread remembers what it asked for last.
Result<void*> Runtime::function_by_symbol(const void* symbol) {
  struct Known {
    const void* symbol;
    void* handle;
  };
  constexpr size_t kKnown = 16;
  thread_local Known known[kKnown];
  Known& entry = known[reinterpret_cast<uintptr_t>(symbol) / 16 % kKnown];
  // A handle that finalize took back is stale in the table.
  if (entry.symbol == symbol && functions_.find(entry.handle) != nullptr) [[likely]] {
    return entry.handle;
  }
  CANOPY_ASSIGN(void* handle, find_symbol(symbol));
  entry = {symbol, handle};
  return handle;
}

Result<void*> Runtime::find_symbol(const void* symbol) {
  std::lock_guard lock(mutex_);
  const KernelImage* image = program_->find_symbol(symbol);
  if (image == nullptr) {
    program_->refresh_program();  // a library that was opened since may have brought it
    image = program_->find_symbol(symbol);
  }
  if (image == nullptr) {
    return fail(Errc::not_found, "{} is no kernel of this program: mark it with CANOPY_KERNEL(name)",
                fmt::ptr(symbol));
  }
  return function_of(image, nullptr);
}

// What a card's launch takes; more would also keep a stream busy for minutes by mistake.
static constexpr uint32_t kMaxBlocks = 65535;

Result<const KernelImage*> Runtime::launchable(void* function, uint32_t blocks, const void* args, size_t args_bytes) {
  const Function* found = functions_.find(function);
  if (found == nullptr) [[unlikely]] {
    return fail(Errc::bad_handle, "{} is not a live function handle", fmt::ptr(function));
  }
  const KernelImage* image = found->image;
  if (blocks == 0 || blocks > kMaxBlocks) [[unlikely]] {
    return fail(Errc::invalid_argument, "kernel '{}': numBlocks is {}, it must be 1 to {}", image->name, blocks,
                kMaxBlocks);
  }
  if (args_bytes < image->args_bytes || (args == nullptr && args_bytes != 0)) [[unlikely]] {
    return fail(Errc::invalid_argument, "kernel '{}': {} bytes of arguments given, {} wanted", image->name,
                args == nullptr ? 0 : args_bytes, image->args_bytes);
  }
  return image;
}

Result<> Runtime::launch(void* function, uint32_t blocks, const void* args, size_t args_bytes, void* handle) {
  CANOPY_ASSIGN(const KernelImage* image, launchable(function, blocks, args, args_bytes));
  CANOPY_ASSIGN(Stream * target, stream(handle));
  target->post(0, [&](Sqe& sqe, std::byte*) {
    sqe.kind = SqeKind::kernel;
    sqe.core_kind = static_cast<uint8_t>(image->core_kind);
    sqe.blocks = blocks;
    sqe.body.kernel.entry = image->entry;
    sqe.body.kernel.args = args;
    sqe.body.kernel.image = image;
  });
  return {};
}

Result<> Runtime::launch_host_args(void* function, uint32_t blocks, const void* args, size_t args_bytes,
                                   std::span<const ArgsPlaceholder> placeholders, void* handle) {
  CANOPY_ASSIGN(const KernelImage* image, launchable(function, blocks, args, args_bytes));
  for (const ArgsPlaceholder& hole : placeholders) {
    if (hole.address_offset > args_bytes || args_bytes - hole.address_offset < sizeof(void*) ||
        hole.data_offset > args_bytes) [[unlikely]] {
      return fail(Errc::invalid_argument, "kernel '{}': a placeholder at {} for data at {} leaves the {} bytes of arguments",
                  image->name, hole.address_offset, hole.data_offset, args_bytes);
    }
  }
  CANOPY_ASSIGN(Stream * target, stream(handle));
  const bool in_place = args_bytes <= Sqe::kInlineArgs;
  target->post(in_place ? 0 : args_bytes, [&](Sqe& sqe, std::byte* memory) {
    sqe.kind = SqeKind::kernel;
    sqe.core_kind = static_cast<uint8_t>(image->core_kind);
    sqe.blocks = blocks;
    sqe.body.kernel.entry = image->entry;
    sqe.body.kernel.args = memory;
    sqe.body.kernel.image = image;
    std::byte* copy = in_place ? sqe.body.kernel.inline_args : memory;
    if (args_bytes != 0) {
      std::memcpy(copy, args, args_bytes);
    }
    for (const ArgsPlaceholder& hole : placeholders) {
      const void* address = copy + hole.data_offset;
      std::memcpy(copy + hole.address_offset, &address, sizeof address);
    }
  });
  return {};
}

}  // namespace canopy
