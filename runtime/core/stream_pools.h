// StreamPools: the stream-ordered pools of the process.
//
// A block that stream A freed may go to stream B when (1) B has waited for an event that A recorded
// after the free, (2) A happens to have got that far, (3) B is made to wait for A; each can be
// switched off per pool, and (3) must be switched on, for it makes streams wait where the program
// did not say so.
//
// Thread-safe: one mutex for all pools, not held while memory is reserved or streams are given
// work.
#pragma once

#include "runtime/base/handle_table.h"
#include "runtime/base/result.h"
#include "runtime/core/stream_pool.h"
#include "runtime/driver/host_table.h"

#include "acl/acl_rt_memory_soma.h"

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

namespace canopy {

class Driver;
class Runtime;
class Stream;

class StreamPools {
 public:
  explicit StreamPools(Runtime& runtime) : runtime_(runtime) {}

  // `max_bytes` 0: all the device has.
  Result<void*> create(int device, uint64_t max_bytes);
  // Its live blocks stay until they are freed.
  Result<> destroy(void* pool);
  Result<> set(void* pool, aclrtMemPoolAttr attribute, uint64_t value);
  Result<uint64_t> get(void* pool, aclrtMemPoolAttr attribute);
  // Errc::no_memory: the pool's bound is reached, or the device is full. `stream` null: the default
  // stream.
  Result<void*> allocate(void* pool, uint64_t bytes, void* stream);
  Result<> free(void* address, void* stream);
  Result<> trim(void* pool, uint64_t keep);

  // ---- For the rest of the runtime.
  // Whether any pool exists; a host synchronisation costs nothing more while none does.
  bool any() const { return any_.load(std::memory_order_relaxed); }
  // What synchronisations by the host bring back goes to the device, down to the release
  // thresholds.
  void after_synchronize(int device);
  // REQUIRES: the stream's work is done.
  void forget_stream(void* stream);
  // The pools go with their device.
  void forget_device(int device);
  // Where the device's pools have their memory.
  std::vector<MemorySpan> memory_spans(int device) const;
  bool contains(const void* address) const;
  std::optional<MemoryRange> find(const void* address) const;
  // What pools keep around `address`, whoever has it.
  std::optional<MemoryRange> find_chunk(const void* address) const;
  MemoryPool::Held held(int device) const;

 private:
  struct Handle {
    StreamPool* pool;
  };
  // Those below: REQUIRES mutex_.
  Result<StreamPool*> pool_of(void* handle) const;
  bool reached(const StreamMark& mark) const;
  void settle(StreamPool& pool);
  void erase_if_over(StreamPool& pool);

  Result<MemoryPool*> memory_of(Driver& driver, int device);
  // What could be found without growing, with what the caller's stream must still wait for; nothing
  // when the pool has to grow.
  std::optional<std::pair<std::byte*, StreamMark>> take(StreamPool& pool, uint64_t bytes,
                                                        const Stream& stream, void* handle);
  void reclaim(int device);

  // Without the mutex.
  // Does nothing if the pool has grown since `growths` was read.
  Result<> grow(void* pool, uint64_t bytes, uint64_t growths);
  Result<std::pair<Stream*, void*>> stream_of(void* handle);

  Runtime& runtime_;
  std::atomic<bool> any_{false};
  std::atomic<bool> has_memory_{false};  // stays: addresses of pools that are gone are known for ever
  std::mutex growth_mutex_;   // held while a pool grows; taken before mutex_
  mutable std::mutex mutex_;  // guards all below
  std::array<std::unique_ptr<MemoryPool>, kMaxDevices>
      memories_;  // what the chunks of a device's pools come from
  std::list<std::unique_ptr<StreamPool>> pools_;
  HandleTable<Handle> handles_{24};
  bool reclaims_ = false;  // the driver knows to ask
};

}  // namespace canopy
