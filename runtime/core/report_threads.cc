#include "runtime/core/report_threads.h"

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/core/callback_scope.h"
#include "runtime/core/context.h"
#include "runtime/core/stream.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/notify_cell.h"
#include "runtime/device/scheduler.h"

#include <pthread.h>

#include <new>
#include <utility>
#include <vector>

namespace canopy {
// A function to run.
struct ReportThreads::Item {
  Function function;
  void* data;
  std::shared_ptr<StreamRecord> record;
  uint32_t number;  // of blocking ones; 0: the stream does not wait
};

// What waits for one thread.
struct ReportThreads::Queue {
  explicit Queue(int on) : device(on) {}
  const int device;
  std::mutex mutex;  // guards all below
  std::deque<Item> items;
  size_t streams = 0;
  Doorbell bell;
  bool over() const { return streams == 0 && items.empty(); }
  bool something() {
    std::lock_guard lock(mutex);
    return streams == 0 || !items.empty();
  }
  bool take(Item* item) {
    std::lock_guard lock(mutex);
    if (items.empty()) {
      return false;
    }
    *item = std::move(items.front());
    items.pop_front();
    return true;
  }
};

struct ReportThreads::StreamRecord : std::enable_shared_from_this<StreamRecord> {
  explicit StreamRecord(Strand& of) : strand(of), cell(NotifyCell::make()) {}
  ~StreamRecord() { cell->drop_reference(); }
  Strand& strand;
  NotifyCell* const cell;
  std::mutex launch_mutex;  // a push and its wait belong together
  uint32_t next_number = 1;
  std::mutex mutex;  // guards all below
  uint64_t thread = 0;
  std::shared_ptr<Queue> queue;  // null: nobody has subscribed

  // Lets the stream go behind its wait for `number`.
  void finish(uint32_t number) {
    Strand* over = cell->record(NotifyChange::set, number);
    while (over != nullptr) {
      Strand* next = over->next_waiter;
      over->scheduler().submit(over, true);
      over = next;
    }
  }
  void refuse(uint32_t number, const char* what) {
    refuse(number, fmt::format("a {} has no thread: its subscription was taken away", what));
  }
  void refuse(uint32_t number, std::string sentence) {
    if (number == 0) {
      strand.adopt_error(kNoReportThread, std::move(sentence));  // no task of the stream waits for it
      return;
    }
    strand.record_error_from_outside(kNoReportThread, std::move(sentence));
    finish(number);
  }
};

// The argument of a push task; lies with the task. The record outlives the stream's tasks.
struct ReportThreads::Push {
  StreamRecord* record;
  Function function;
  void* data;
  const char* what;
  uint32_t number;
};

ReportThreads::~ReportThreads() = default;

std::shared_ptr<ReportThreads::Queue> ReportThreads::queue_of(uint64_t thread) const {
  std::lock_guard lock(mutex_);
  const auto found = queues_.find(thread);
  return found != queues_.end() ? found->second : nullptr;
}

std::shared_ptr<ReportThreads::StreamRecord> ReportThreads::record_of(const Stream& stream) const {
  std::lock_guard lock(mutex_);
  const auto found = records_.find(&stream);
  return found != records_.end() ? found->second : nullptr;
}

// ---- Who serves whom.

Result<> ReportThreads::subscribe(uint64_t thread, Stream& stream) {
  const int device = stream.context().device_id();
  any_.store(true, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  auto& record = records_[&stream];
  if (record == nullptr) {
    record = std::make_shared<StreamRecord>(stream.strand());
  }
  if (record->queue != nullptr) {
    return fail(Errc::stream_subscribed, "stream {} has thread {:#x} for {}s already", stream.id(),
                record->thread, what_);
  }
  auto found = queues_.find(thread);
  if (found == queues_.end()) {
    if (queues_.size() == kMaxThreads) {
      return fail(Errc::limit, "{} threads serve streams with {}s, no more can", kMaxThreads,
                  what_);
    }
    found = queues_.emplace(thread, std::make_shared<Queue>(device)).first;
  } else if (found->second->device != device) {
    return fail(Errc::thread_subscribed,
                "thread {:#x} serves streams of device {}, stream {} is of device {}", thread,
                found->second->device, stream.id(), device);
  }
  {
    std::lock_guard queue_lock(found->second->mutex);
    ++found->second->streams;
  }
  std::lock_guard record_lock(record->mutex);
  record->thread = thread;
  record->queue = found->second;
  return {};
}

// REQUIRES: mutex_ held. A thread that serves nobody any more is woken. False: nobody had
// subscribed.
bool ReportThreads::leave(StreamRecord& record, bool fail_pending) {
  std::shared_ptr<Queue> queue;
  {
    std::lock_guard lock(record.mutex);
    queue = std::exchange(record.queue, nullptr);
  }
  if (queue == nullptr) {
    return false;
  }
  std::vector<uint32_t> refused;
  {
    std::lock_guard lock(queue->mutex);
    std::erase_if(queue->items, [&](const Item& item) {
      if (!fail_pending || item.record.get() != &record) {
        return false;
      }
      refused.push_back(item.number);
      return true;
    });
    --queue->streams;
    if (queue->over()) {
      queues_.erase(record.thread);
    }
  }
  for (const uint32_t number : refused) {
    record.refuse(number, what_);
  }
  queue->bell.ring(BellScope::process);
  return true;
}

Result<> ReportThreads::unsubscribe(uint64_t thread, const Stream& stream) {
  std::lock_guard lock(mutex_);
  const auto found = records_.find(&stream);
  if (found != records_.end() && found->second->queue != nullptr &&
      found->second->thread != thread) {
    return fail(Errc::thread_subscribed, "stream {} has thread {:#x} for {}s, not {:#x}",
                stream.id(), found->second->thread, what_, thread);
  }
  if (found == records_.end() || !leave(*found->second, true)) {
    return fail(Errc::stream_subscribed, "stream {} has no thread for {}s", stream.id(), what_);
  }
  return {};
}

bool ReportThreads::subscribed(const Stream& stream) const {
  const auto record = record_of(stream);
  if (record == nullptr) {
    return false;
  }
  std::lock_guard lock(record->mutex);
  return record->queue != nullptr;
}

void ReportThreads::drop_pending(const Stream& stream) {
  const auto record = record_of(stream);
  if (record == nullptr) {
    return;
  }
  std::shared_ptr<Queue> queue;
  {
    std::lock_guard lock(record->mutex);
    queue = record->queue;
  }
  if (queue == nullptr) {
    return;
  }
  std::vector<uint32_t> dropped;
  {
    std::lock_guard lock(queue->mutex);
    std::erase_if(queue->items, [&](const Item& item) {
      if (item.record != record) {
        return false;
      }
      dropped.push_back(item.number);
      return true;
    });
  }
  for (const uint32_t number : dropped) {
    if (number != 0) {
      record->finish(number);  // one that was launched while the abort ended waits still
    }
  }
}

void ReportThreads::forget_stream(const Stream& stream) {
  std::lock_guard lock(mutex_);
  const auto found = records_.find(&stream);
  if (found != records_.end()) {
    leave(*found->second, false);
    records_.erase(found);
  }
}

// ---- A function's way.

Result<> ReportThreads::launch(Stream& stream, Function function, void* data, bool blocking) {
  const auto record = record_of(stream);
  if (record == nullptr || !subscribed(stream)) {
    return fail(Errc::no_report_thread, "stream {} has no thread for {}s: nobody has subscribed",
                stream.id(), what_);
  }
  std::lock_guard lock(record->launch_mutex);
  uint32_t number = 0;
  if (blocking) {
    number = record->next_number;
    record->next_number = number + 1 == 0 ? 1 : number + 1;
  }
  stream.post(sizeof(Push), [&](Sqe& sqe, std::byte* memory) {
    sqe.kind = SqeKind::call;
    sqe.body.call = {&push, new (memory) Push{record.get(), function, data, what_, number}, what_};
  });
  if (blocking) {
    record->cell->acquire_reference();  // the task's
    stream.post(0, [&](Sqe& sqe, std::byte*) {
      // Clears the number: in a model the same wait comes again, for the next run's function.
      sqe.kind = SqeKind::notify_wait;
      sqe.body.notify_wait = {record->cell, what_, 0, number, number, NotifyTest::equal, true};
    });
  }
  return {};
}

// On an executor, in stream order.
void ReportThreads::push(void* task) {
  const Push& push = *static_cast<const Push*>(task);
  StreamRecord& record = *push.record;
  std::shared_ptr<Queue> queue;
  {
    std::lock_guard lock(record.mutex);
    queue = record.queue;
    if (queue != nullptr) {
      std::lock_guard queue_lock(queue->mutex);
      queue->items.push_back({push.function, push.data, record.shared_from_this(), push.number});
    }
  }
  if (queue == nullptr) {
    record.refuse(push.number, push.what);
    return;
  }
  queue->bell.ring(BellScope::process);
}

void ReportThreads::run(const Item& item) const {
  struct Turn {
    const Item& item;
    const char* what;
    bool returned = false;
    ~Turn() {
      if (returned) {
        if (item.number != 0) {
          item.record->finish(item.number);
        }
        return;
      }
      std::string sentence = fmt::format("a {} did not return: it has ended its thread, or thrown an exception", what);
      if (item.number != 0) {
        item.record->refuse(item.number, std::move(sentence));
      } else {
        log(LogLevel::error, "{}", sentence);  // its stream may be gone
      }
    }
  } turn{item, what_};
  const CallbackScope scope(what_);
  item.function(item.data);
  turn.returned = true;
}

// False at the deadline. A thread that has nothing to do is no hang to report, and neither is one
// whose deadline passes: it waits as others do for a while, quietly, and then sleeps on its bell.
bool ReportThreads::await_something(Queue& queue, Deadline deadline) {
  WaitPacer pacer;
  while (!queue.something()) {
    if (deadline.passed(monotonic_ns())) {
      return false;
    }
    if (pacer.step()) {
      pacer.drop_permit();
      queue.bell.sleep(BellScope::process, deadline.left(monotonic_ns()),
                       [&] { return !queue.something(); });
    }
  }
  return true;
}

Result<> ReportThreads::process(Deadline deadline) {
  CANOPY_TRY(CallbackScope::refuse("processing reports"));
  const auto thread = static_cast<uint64_t>(pthread_self());
  const std::shared_ptr<Queue> queue = queue_of(thread);
  const auto nobody = [&] {
    return fail(Errc::thread_subscribed, "thread {:#x} serves no stream with {}s", thread, what_);
  };
  if (queue == nullptr) {
    return nobody();
  }
  if (!await_something(*queue, deadline)) {
    return fail(Errc::timeout, "thread {:#x}: no {} has come", thread, what_);
  }
  bool ran = false;
  for (Item item; queue->take(&item); ran = true) {
    run(item);
  }
  close_if_idle(thread, *queue);
  return ran ? Result<>() : nobody();
}

// Serves nobody any more, and has run what was left.
void ReportThreads::close_if_idle(uint64_t thread, Queue& queue) {
  std::lock_guard lock(mutex_);
  std::lock_guard queue_lock(queue.mutex);
  const auto found = queues_.find(thread);
  if (queue.over() && found != queues_.end() && found->second.get() == &queue) {
    queues_.erase(found);
  }
}

}  // namespace canopy
