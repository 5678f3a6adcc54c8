// Runtime: everything the acl C API names by a handle - contexts, streams, events, binaries, functions -
// and the init count. One per process; made by the first call, never destroyed, emptied by finalize.
//
// Thread-safe. The device and context of a thread are thread-local, as handles: a context that
// another thread destroyed is found stale by the table.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "runtime/core/callback_scope.h"
#include "runtime/core/configuration.h"
#include "runtime/core/context.h"
#include "runtime/core/core_limits.h"
#include "runtime/core/device_limits.h"
#include "runtime/core/device_news.h"
#include "runtime/core/event.h"
#include "runtime/core/exceptions.h"
#include "runtime/core/host_registration.h"
#include "runtime/core/ipc_memory.h"
#include "runtime/core/kernel_args.h"
#include "runtime/core/kernel_limit.h"
#include "runtime/core/labels.h"
#include "runtime/core/launch_attributes.h"
#include "runtime/core/memory_handles.h"
#include "runtime/core/model_host.h"
#include "runtime/core/module.h"
#include "runtime/core/named_callbacks.h"
#include "runtime/core/notifies.h"
#include "runtime/core/overflow.h"
#include "runtime/core/peer_access.h"
#include "runtime/core/report_threads.h"
#include "runtime/core/shared_event.h"
#include "runtime/core/stream.h"
#include "runtime/core/stream_allocators.h"
#include "runtime/core/stream_pools.h"
#include "runtime/core/system_parameters.h"
#include "runtime/core/task_memory.h"
#include "runtime/core/utilization.h"
#include "runtime/driver/driver.h"

#include "acl/rt/device.h"
#include "acl/rt/error.h"
#include "acl/rt/stream.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace canopy {

struct ArgsPlaceholder {
  uint32_t address_offset;  // where the address goes
  uint32_t data_offset;     // what it points to, in the copy
};

// A launch, apart from its arguments.
struct LaunchCall {
  void* function;
  uint32_t blocks;
  void* stream;
  const LaunchAttributes* attributes = nullptr;  // null: none
};

class Runtime {
 public:
  static Runtime& instance();
  // Whether instance() was ever called.
  static bool exists();

  // ---- Init and finalize (counted).
  Result<> init(const char* config_path);  // Errc::already_initialized still counts
  Result<> finalize();
  Result<uint64_t> finalize_reference();
  uint64_t init_count() const;
  Configuration configuration() const;
  SystemParameters& system_parameters() { return system_parameters_; }

  Result<Driver*> driver() { return Driver::current(); }

  // ---- Devices and contexts of the calling thread.
  Result<> set_device(int device);
  Result<> reset_device(int device);
  // All references at once.
  Result<> reset_device_force(int device);
  // Who is told before and after every set and reset of a device.
  NamedCallbacks<aclrtDeviceStateCallback>& device_callbacks() { return device_callbacks_; }
  Result<int> current_device();
  // Whether somebody has set `device`.
  Result<bool> primary_active(int device);
  Result<void*> create_context(int device);
  Result<> destroy_context(void* handle);
  Result<> set_current_context(void* handle);
  // What the thread has chosen is over: it goes on for somebody else.
  static void forget_choice() { t_context_ = nullptr; }
  Result<void*> current_context_handle();
  // Errc::no_context when the thread has none and no default device was configured.
  Result<Context*> current_context();

  // ---- Streams.
  Result<void*> create_stream(uint32_t priority, uint32_t flags);
  // `drop_work`: without waiting for it.
  Result<> destroy_stream(void* handle, bool drop_work);
  // How many more the current device takes. Default streams come on top.
  Result<uint32_t> streams_available();
  // Who is told after a stream was made and before it goes, default streams included.
  NamedCallbacks<aclrtStreamStateCallback>& stream_callbacks() { return stream_callbacks_; }
  // The stream of a handle (null: the default stream), if it belongs to the current context.
  Result<Stream*> live_stream(void* handle);
  Result<Stream*> live_stream_of(Context& context, void* handle);
  // The same, if it takes tasks.
  Result<Stream*> stream(void* handle) {
    // Two look-ups, no lock: this is on the launch path.
    Context* context = contexts_.find(t_context_);
    if (context == nullptr) [[unlikely]] {
      return stream_slow(handle);
    }
    Stream* found = handle == nullptr ? context->default_stream_object() : streams_.find(handle);
    if (found == nullptr || found->accepts_from() != context || CallbackScope::inside() ||
        device_news_.unseen()) [[unlikely]] {
      return stream_slow(handle);
    }
    return found;
  }
  // Drops the stream's tasks, or the oldest one; returns when the one that runs has ended.
  Result<> abort_stream(void* handle);
  Result<> stop_stream(void* handle);
  // Drops the tasks of all streams of the device, between the callbacks. Errc: abort_refused, timeout.
  Result<> abort_device(int device, uint32_t timeout_ms);
  NamedCallbacks<aclrtDeviceTaskAbortCallback>& abort_callbacks() { return abort_callbacks_; }
  // The same without a word: null when the handle is not of a live stream of the current context.
  Stream* find_stream(void* handle) {
    Stream* found = streams_.find(handle);
    return found != nullptr && &found->context() == contexts_.find(t_context_) ? found : nullptr;
  }
  Result<> synchronize_stream(void* handle, Deadline deadline);
  Result<> synchronize_device(Deadline deadline);
  // Whether a stream has completed `ticket` tasks; one that is gone has.
  bool stream_reached(void* handle, uint64_t ticket);
  // What is submitted to `later` from here on runs behind what was submitted to `earlier`.
  Result<> order_after(Stream& later, void* earlier);
  // Of a live stream of the current context; gone with the stream.
  Result<> set_stream_allocator(void* stream, const StreamAllocator& allocator);
  Result<> remove_stream_allocator(void* stream);
  Result<std::optional<StreamAllocator>> stream_allocator(void* stream);

  // ---- Events.
  Result<void*> create_event(Event::Family family, uint32_t flags);
  // One that can be shared with other processes, and one that another process shares.
  Result<void*> create_shared_event(uint32_t flags);
  Result<void*> open_shared_event(const std::string& handle, uint32_t flags);
  Result<> destroy_event(void* handle);
  Result<Event*> event(void* handle);
  // How many events of the current device can still be recorded.
  Result<uint32_t> events_available();
  // The limit of later waits for events that name none, 0: without.
  void set_wait_limit(uint32_t seconds) { wait_limit_s_.store(seconds, std::memory_order_relaxed); }
  uint32_t wait_limit() const { return wait_limit_s_.load(std::memory_order_relaxed); }

  // ---- Notifies and labels, of the current device and context.
  Notifies& notifies() { return notifies_; }
  Labels& labels() { return labels_; }

  // ---- Models, which lie above; null: there have never been any. Acquire: the host is whole.
  ModelHost* model_host() const { return model_host_.load(std::memory_order_acquire); }
  void set_model_host(ModelHost* host) { model_host_.store(host, std::memory_order_release); }

  // ---- Kernels.
  Result<void*> load_binary(const std::string& path, const BinaryOptions& options);
  Result<void*> load_binary(std::span<const std::byte> data, const BinaryOptions& options);
  Result<> unload_binary(void* handle);
  Result<void*> function_by_name(void* binary, const char* name);
  Result<void*> function_by_entry(void* binary, uint64_t entry);
  Result<void*> function_by_symbol(const void* symbol);
  Result<void*> register_cpu_function(void* binary, const char* symbol, const char* name);
  Result<const Module*> binary(void* handle) const;
  // By its handle, or by its address in the program. Errc::not_found: neither.
  Result<const Function*> function(const void* handle_or_symbol);
  const Function* find_function(const void* handle) const { return functions_.find(handle); }
  KernelArgsTable& kernel_args() { return kernel_args_; }
  CoreLimits& core_limits() { return core_limits_; }
  FloatOverflow& float_overflow() { return float_overflow_; }
  // From here on launches ask their stream for limits and modes; until then none has any.
  void have_launches_ask_streams() { launches_ask_streams_.store(true, std::memory_order_relaxed); }
  // `args` is read when the kernel runs.
  Result<> launch(const LaunchCall& call, const void* args, size_t args_bytes);
  // Of the others all arguments are copied before the call returns. The copy's addresses are put into the
  // placeholders.
  Result<> launch_host_args(const LaunchCall& call, const void* args, size_t args_bytes,
                            std::span<const ArgsPlaceholder> placeholders);
  // args[i] points to parameter i.
  Result<> launch_args_array(const LaunchCall& call, const void* const* args);
  // A handle of kernel_args().
  Result<> launch_args_handle(const LaunchCall& call, void* args);
  // Who is told of tasks that fail.
  Exceptions& exceptions() { return exceptions_; }
  // The time limit of kernels launched from now on.
  KernelLimit& kernel_limit() { return kernel_limit_; }

  // Threads of the user that run callbacks, and those that run host functions.
  ReportThreads& callback_threads() { return callback_threads_; }
  ReportThreads& host_function_threads() { return host_function_threads_; }

  PeerAccess& peers() { return peers_; }
  HostRegistrations& registrations() { return registrations_; }
  TaskMemory& task_memory() { return task_memory_; }
  StreamPools& pools() { return pools_; }
  IpcMemory& ipc_memory() { return ipc_memory_; }
  MemoryHandles& memory_handles() { return memory_handles_; }
  DeviceLimits& device_limits() { return device_limits_; }
  Utilization& utilization() { return utilization_; }
  // What others have done to devices. The second two: for its use.
  DeviceNews& device_news() { return device_news_; }
  Result<> drop_tasks(int device) { return abort_tasks(device, Deadline::user_default()); }
  void reopen_streams(int device);

 private:
  static constexpr uint32_t kStreamsPerDevice = 1984;
  static constexpr uint32_t kLongestAbortMs = 36 * 60 * 1000;

  Runtime();
  Result<Stream*> stream_slow(void* handle);
  Result<void*> keep_shared_event(int device, uint32_t flags, std::shared_ptr<SharedEvent> shared);
  // REQUIRES: mutex_ held.
  Result<Device*> open_device(int device);
  Result<void*> make_context(Device& device, bool primary);
  // The primary context, if it had to be made; null when it was there. REQUIRES: mutex_ held.
  Result<void*> make_primary(Device& device);
  Result<void*> make_stream(Context& context, uint8_t priority, uint32_t flags, bool is_default);
  // REQUIRES: `lock` holds mutex_. Let go while the streams drain: what they wait for may need others to
  // get on. Closes the device with its last context, not counting a primary one that nobody has set.
  void release_context(void* handle, std::unique_lock<std::mutex>& lock, CallbackFailure* failure);
  // If the context of `device` that is about to drain is its last: gives back the notifies that the device has imported.
  // REQUIRES: mutex_ held.
  void give_back_with_last_context(int device);
  void close_unused_device(int device);
  void end_event(void* handle);
  // Makes the handle dead, waits for the stream's work and for who holds it, and frees it; `kept`: when the calls that run
  // have returned.
  void retire_stream(void* handle, bool kept);
  // drain() or the like on streams that another thread may destroy meanwhile.
  template <class Work>
  void with_stream(void* handle, Work&& work) {
    Stream* found;
    {
      std::lock_guard lock(holds_mutex_);
      found = streams_.find(handle);
      if (found == nullptr) {
        return;  // destroyed meanwhile, and drained by that
      }
      found->hold();
    }
    work(*found);
    found->let_go();
  }
  void drain_all_streams();
  Result<void*> find_symbol(const void* symbol);
  Exceptions::Owner owner_of(const KernelImage* image);
  Result<const KernelImage*> launchable(const LaunchCall& call);
  bool is_plain(const LaunchCall& call, const KernelImage& image) const;
  Result<void*> keep_binary(std::unique_ptr<Module> module);
  // The handle of the kernel that find(module) gives.
  template <class Find>
  Result<void*> function_in(void* binary, Find&& find) {
    std::lock_guard lock(mutex_);
    Module* module = binaries_.find(binary);
    if (module == nullptr) {
      return fail(Errc::bad_handle, "{} is not a loaded binary", fmt::ptr(binary));
    }
    CANOPY_ASSIGN(const KernelImage* image, find(*module));
    return function_of(image, binary);
  }
  Result<void*> function_of(const KernelImage* image, void* binary);
  // Takes `references` away, all of them for 0, and frees the primary context with the last.
  Result<> release_primary(int device, uint64_t references);
  // The same for who may not wait for streams: to take back what has just been made.
  Result<> take_back_primary(int device, uint64_t references);
  Result<> end_context(void* handle);
  Result<> end_stream(void* handle, bool drop_work);
  // Tells who wants to know of the default stream of a new context. REQUIRES: mutex_ not held.
  void note_default_stream(void* context, CallbackFailure* failure);
  Result<> call_abort_callbacks(int device, aclrtDeviceTaskAbortStage stage, uint32_t timeout_ms);
  Result<> abort_tasks(int device, Deadline deadline);
  bool device_aborting(int device) const {
    return aborting_[static_cast<size_t>(device)].load(std::memory_order_acquire);
  }
  std::vector<int> devices_with_references() const;
  void set_configuration(Configuration configuration);
  // What is to be told of callbacks.
  CallbackFailure tear_down(std::unique_lock<std::mutex>& lock);

  // The current context of this thread, as a handle.
  static inline thread_local void* t_context_ = nullptr;

  std::mutex holds_mutex_;  // between a look-up and the hold nobody removes the stream
  HandleTable<Context> contexts_{1};
  HandleTable<Stream> streams_{2};
  std::array<IdPool, kMaxDevices> event_ids_;  // outlive the events
  HandleTable<Event> events_{3};
  HandleTable<Module> binaries_{4};
  HandleTable<Function> functions_{5};
  KernelArgsTable kernel_args_;
  // Relaxed: who sets a limit and then launches does both in one thread. Lowered by finalize only.
  std::atomic<bool> launches_ask_streams_{false};
  CoreLimits core_limits_{*this};
  FloatOverflow float_overflow_{*this};
  void drop_pending_callbacks(const Stream& stream);
  ReportThreads callback_threads_{"callback"};
  ReportThreads host_function_threads_{"host function"};
  SharedEvents shared_events_;
  Notifies notifies_;
  Labels labels_;
  std::atomic<ModelHost*> model_host_{nullptr};
  std::atomic<uint32_t> wait_limit_s_{0};  // relaxed: a number, nothing else
  KernelLimit kernel_limit_;
  Exceptions exceptions_{[](const KernelImage* image) { return instance().owner_of(image); }};
  PeerAccess peers_;
  TaskMemory task_memory_{*this};
  HostRegistrations registrations_;
  StreamPools pools_{*this};
  IpcMemory ipc_memory_{*this};
  MemoryHandles memory_handles_{*this};
  SystemParameters system_parameters_;
  DeviceLimits device_limits_;
  Utilization utilization_;
  DeviceNews device_news_{*this};
  StreamAllocators stream_allocators_;
  NamedCallbacks<aclrtDeviceStateCallback> device_callbacks_{"device state"};
  NamedCallbacks<aclrtStreamStateCallback> stream_callbacks_{"stream state"};
  NamedCallbacks<aclrtDeviceTaskAbortCallback> abort_callbacks_{"task abort"};
  std::mutex abort_mutex_;  // one abort of a device at a time
  std::array<std::atomic<bool>, kMaxDevices> aborting_{};
  std::array<std::atomic<uint32_t>, kMaxDevices> user_streams_{};  // those that aclrtCreateStream* made

  mutable std::mutex mutex_;  // guards all below, and creation and destruction of contexts
  uint64_t init_count_ = 0;
  Configuration configuration_;
  std::atomic<int> default_device_{-1};  // configuration_'s, for threads without a device
  struct Primary {
    void* context = nullptr;
    uint64_t references = 0;
  };
  std::array<Primary, kMaxDevices> primaries_;
  std::array<uint32_t, kMaxDevices> contexts_of_device_{};  // open while not 0
  std::atomic<int32_t> next_stream_id_{0};
  std::unique_ptr<Module> program_;
  std::map<std::pair<const KernelImage*, void*>, void*> function_handles_;
};

}  // namespace canopy
