// Exceptions: tells the program of tasks that failed, through the callbacks that it has registered.
//
// Any thread. Callbacks run one after the other on a thread that starts with the first of them and holds nothing
// of the runtime's: they may call anything. Whoever synchronises and learns of a failure has its callbacks behind
// him (await()), unless he is in one.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/device/task_fault.h"

#include "acl/rt/binary.h"
#include "acl/rt/error.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy {

// What a callback gets to see.
struct ExceptionInfo {
  TaskFault fault;
  void* function = nullptr;  // handle of the kernel's function; null: another task
  const void* args() const { return fault.args != nullptr ? fault.args : fault.own_args.data(); }
};

class Exceptions final : public FaultSink {
 public:
  // Which function and which binary a kernel belongs to; null: not known any more.
  struct Owner {
    void* function = nullptr;
    void* binary = nullptr;
  };
  using FindOwner = Owner (*)(const KernelImage* image);
  // Never destroyed before stop(): the thread may be left in a callback.
  explicit Exceptions(FindOwner find_owner) : find_owner_(find_owner) {}

  // Errc::limit, of all three: no thread to call it, and nothing has changed.
  // The same function twice counts once. False: remove() of one that is not there.
  Result<> add(aclrtExceptionInfoCallback callback);
  bool remove(aclrtExceptionInfoCallback callback);
  // One more place; null clears it.
  Result<> set_single(aclrtExceptionInfoCallback callback);
  // Of kernels of one binary; null clears it.
  Result<> set_of_binary(void* binary, aclrtOpExceptionCallback callback, void* data);
  // Forgets all callbacks.
  void clear();

  void task_failed(TaskFault fault) override;
  // Returns when the callbacks of all failures so far have returned, or at the user's limit with a line in the log; at once in a
  // callback. Who calls it holds nothing that a callback may end.
  void await();
  // Ends the thread behind the callback it is in, or leaves it there after 2 s. For the end of the process.
  void stop();

 private:
  struct OfBinary {
    aclrtOpExceptionCallback callback = nullptr;
    void* data = nullptr;
  };

  // REQUIRES: mutex_ held.
  Result<> ensure_thread();
  void thread_main();
  void tell(TaskFault fault);
  bool take(TaskFault* fault);

  const FindOwner find_owner_;
  std::mutex mutex_;  // guards the callbacks and the queue; not held while a callback runs
  std::vector<aclrtExceptionInfoCallback> registered_;
  aclrtExceptionInfoCallback single_ = nullptr;
  std::map<void*, OfBinary> of_binaries_;
  std::deque<TaskFault> queue_;
  // Relaxed where it only asks whether there is anybody to tell.
  std::atomic<uint32_t> listeners_{0};
  std::atomic<uint64_t> queued_{0};
  std::atomic<uint64_t> told_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};
  Doorbell work_bell_;
  Doorbell told_bell_;
  std::jthread thread_;
};

}  // namespace canopy
