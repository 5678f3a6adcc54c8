#include "runtime/core/device_news.h"

#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"
#include "runtime/core/callback_scope.h"
#include "runtime/core/runtime.h"

#include <pthread.h>

#include <thread>

namespace canopy {

Result<> DeviceNews::begin(const DeviceReports& reports, int device) {
  Known& known = known_[static_cast<size_t>(device)];
  known.resets.store(reports.resets(device), std::memory_order_relaxed);
  known.lost.store(false, std::memory_order_release);
  news_.store(reports.news_word(), std::memory_order_relaxed);  // the word stays, so any order will do
  return start_watching(reports);
}

// A look that is under way may have passed the device by. Either it finds the count changed when it has written seen_, or
// that is overwritten here: seq_cst.
void DeviceNews::opened() {
  opens_.fetch_add(1, std::memory_order_seq_cst);
  seen_.store(load_relaxed(news_.load(std::memory_order_relaxed)) - 1, std::memory_order_seq_cst);
}

// Never joined: it touches nothing but what stays for ever, and sleeps through the end of the process.
Result<> DeviceNews::start_watching(const DeviceReports& reports) {
  if (watched_) {
    return {};
  }
  std::thread thread;
  CANOPY_TRY(start_thread(&thread, "news of lost and reset devices", [this, &reports] { watch(reports); }));
  thread.detach();
  watched_ = true;
  return {};
}

void DeviceNews::watch(const DeviceReports& reports) {
  pthread_setname_np(pthread_self(), "canopy-news");
  while (!Driver::halted()) {
    look();
    reports.await_news(seen_.load(std::memory_order_relaxed));
  }
}

Result<> DeviceNews::check(int device) const {
  if (lost(device)) [[unlikely]] {
    CANOPY_ASSIGN(const Driver* driver, runtime_.driver());
    return driver->reports().refuse_lost(device);
  }
  return {};
}

void DeviceNews::look_closely() {
  if (CallbackScope::may_not_wait()) {
    return;  // the next call of another thread looks
  }
  std::lock_guard lock(mutex_);
  // Acquire: what the news are of; pairs with DeviceBook::announce().
  const uint32_t now = load_acquire(news_.load(std::memory_order_relaxed));
  const auto driver = runtime_.driver();
  if (!driver || now == seen_.load(std::memory_order_relaxed)) {
    return;
  }
  uint32_t opens;
  do {
    opens = opens_.load(std::memory_order_seq_cst);
    for (int device = 0; device < (*driver)->machine().count(); ++device) {
      if ((*driver)->find_device(device) != nullptr) {
        compare((*driver)->reports(), device);
      }
    }
    (*driver)->sharing().orphans().look();
    seen_.store(now, std::memory_order_seq_cst);  // late for other threads: they wait for mutex_ and find it done
  } while (opens != opens_.load(std::memory_order_seq_cst));
}

void DeviceNews::compare(const DeviceReports& reports, int device) {
  Known& known = known_[static_cast<size_t>(device)];
  const uint32_t resets = reports.resets(device);
  const bool lost = reports.lost(device);
  const bool was_reset = known.resets.exchange(resets, std::memory_order_relaxed) != resets;
  const bool was_lost = known.lost.exchange(lost, std::memory_order_acq_rel);
  if (was_reset || (lost && !was_lost)) {
    log(LogLevel::warn, "device {} was {}: the work of this process on it is dropped", device, lost ? "lost" : "reset");
    if (!runtime_.drop_tasks(device)) {
      log(LogLevel::warn, "{}", error_text::take_newest());
    }
  } else if (was_lost && !lost) {
    runtime_.reopen_streams(device);
  }
}

}  // namespace canopy
