// ReportThreads: threads of the user that run functions for streams. One stream has one thread; a
// thread may serve many streams of one device.
//
//   stream                         thread
//   push task: item into the   --> process(): takes items in their order, runs each function,
//   thread's queue, bell           and for a blocking one sets the stream's cell to its number
//   wait task: cell == number  <--
//
// A number can be given once only, so what an abort leaves behind in a queue confuses nobody later.
//
// Life: a stream's record is made by its first subscription and stays until the stream is gone, so
// tasks may point to it. Whoever takes a subscription away fails what is pending: the stream goes
// on with an error. Thread-safe. No lock is held while a user's function runs.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"
#include "runtime/base/waiter.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

namespace canopy {

class NotifyCell;
class Stream;
class Strand;

class ReportThreads {
 public:
  using Function = void (*)(void* data);
  static constexpr size_t kMaxThreads = 1024;

  // `what` the functions are called, "callback" or "host function"; a literal.
  explicit ReportThreads(const char* what) : what_(what) {}
  ~ReportThreads();
  ReportThreads(const ReportThreads&) = delete;
  ReportThreads& operator=(const ReportThreads&) = delete;

  // Errc::stream_subscribed: the stream has a thread. Errc::thread_subscribed: the thread serves
  // another device. Errc::limit: kMaxThreads.
  Result<> subscribe(uint64_t thread, Stream& stream);
  // Errc::stream_subscribed: the stream has no thread; Errc::thread_subscribed: it has another one.
  Result<> unsubscribe(uint64_t thread, const Stream& stream);
  bool subscribed(const Stream& stream) const;
  // Whether anybody ever has. Relaxed: who subscribes and then launches does both in one thread.
  bool any() const { return any_.load(std::memory_order_relaxed); }
  // Queues a task that has function(data) run by the stream's thread; a blocking one holds the
  // stream until it has returned. Errc::no_report_thread: the stream has none.
  Result<> launch(Stream& stream, Function function, void* data, bool blocking);
  // Runs what is due for the calling thread; waits for something first, until the deadline
  // (Errc::timeout). Errc::thread_subscribed: the thread serves no stream.
  Result<> process(Deadline deadline);
  // The stream is about to go, with all its tasks done. What waits for the thread is still run.
  void forget_stream(const Stream& stream);
  // After an abort: what the stream has left in its thread's queue does not run.
  void drop_pending(const Stream& stream);

 private:
  struct StreamRecord;
  struct Item;
  struct Queue;
  struct Push;
  static void push(void* task);
  std::shared_ptr<Queue> queue_of(uint64_t thread) const;
  std::shared_ptr<StreamRecord> record_of(const Stream& stream) const;
  bool leave(StreamRecord& record, bool fail_pending);
  void run(const Item& item) const;
  static bool await_something(Queue& queue, Deadline deadline);
  void close_if_idle(uint64_t thread, Queue& queue);

  const char* const what_;
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;  // guards the maps, and who subscribes to what
  // Shared: a thread may be inside process() while its last subscription goes.
  std::map<uint64_t, std::shared_ptr<Queue>> queues_;
  std::map<const Stream*, std::shared_ptr<StreamRecord>> records_;
};

}  // namespace canopy
