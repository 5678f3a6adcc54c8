// The part of Runtime that knows binaries and functions.
#include "runtime/core/runtime.h"

#include "runtime/core/callback_scope.h"

namespace canopy {

Result<void*> Runtime::load_binary(const std::string& path, const BinaryOptions& options) {
  return Module::load_file(path, options).and_then([&](auto&& module) { return keep_binary(std::move(module)); });
}

Result<void*> Runtime::load_binary(std::span<const std::byte> data, const BinaryOptions& options) {
  return Module::load_data(data, options).and_then([&](auto&& module) { return keep_binary(std::move(module)); });
}

Result<void*> Runtime::keep_binary(std::unique_ptr<Module> module) {
  void* handle = binaries_.insert(std::move(module));
  if (handle == nullptr) {
    return fail(Errc::limit, "no more binaries can be loaded");
  }
  return handle;
}

Result<> Runtime::unload_binary(void* handle) {
  CANOPY_TRY(CallbackScope::refuse("unloading a binary"));
  if (binaries_.find(handle) == nullptr) {
    return fail(Errc::bad_handle, "{} is not a loaded binary", fmt::ptr(handle));
  }
  // While the binary is known: its exception callback hears of what is queued.
  drain_all_streams();
  exceptions_.await();
  std::unique_ptr<Module> module;
  std::vector<void*> dead;
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
      dead.push_back(entry.second);
      return true;
    });
  }
  kernel_args_.forget(dead);
  // No new launch can find the kernels; those queued meanwhile run to their end first. Without the lock:
  // what they wait for may need others to get on.
  drain_all_streams();
  exceptions_.await();
  (void)exceptions_.set_of_binary(handle, nullptr, nullptr);  // which needs no thread
  return {};
}

Exceptions::Owner Runtime::owner_of(const KernelImage* image) {
  std::lock_guard lock(mutex_);
  for (const auto& [key, handle] : function_handles_) {
    if (key.first == image) {
      return {handle, key.second};
    }
  }
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
  return function_in(binary, [&](Module& module) { return module.function(name); });
}

Result<void*> Runtime::function_by_entry(void* binary, uint64_t entry) {
  return function_in(binary, [&](Module& module) { return module.function_by_entry(entry); });
}

Result<void*> Runtime::register_cpu_function(void* binary, const char* symbol, const char* name) {
  return function_in(binary, [&](Module& module) { return module.register_cpu_function(symbol, name); });
}

Result<const Module*> Runtime::binary(void* handle) const {
  if (const Module* module = binaries_.find(handle)) {
    return module;
  }
  return fail(Errc::bad_handle, "{} is not a loaded binary", fmt::ptr(handle));
}

Result<const Function*> Runtime::function(const void* handle_or_symbol) {
  if (const Function* found = functions_.find(handle_or_symbol)) {
    return found;
  }
  CANOPY_ASSIGN(void* handle, function_by_symbol(handle_or_symbol));
  return functions_.find(handle);
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

}  // namespace canopy
