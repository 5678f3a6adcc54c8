#include "runtime/core/context.h"

#include "runtime/core/task_error.h"
#include "runtime/device/scheduler.h"

#include <algorithm>

namespace canopy {

bool Context::add_stream(void* handle, Stream* stream) {
  std::lock_guard lock(mutex_);
  if (closed_) {
    return false;
  }
  streams_.push_back({handle, stream});
  if (stops_on_failure_) {
    stream->strand().set_failure_sink(this);
  }
  if (stopped()) {
    stream->close();
  }
  return true;
}

void Context::remove_stream(void* handle) {
  std::lock_guard lock(mutex_);
  std::erase_if(streams_, [&](const Entry& entry) { return entry.handle == handle; });
}

void Context::add_strand(Strand* strand) {
  std::lock_guard lock(mutex_);
  strands_.push_back(strand);
  if (stops_on_failure_) {
    strand->set_failure_sink(this);
  }
  if (stopped()) {
    strand->drop_below(Strand::kDropAll);
  }
}

void Context::remove_strand(Strand* strand) {
  std::lock_guard lock(mutex_);
  std::erase(strands_, strand);
}

void Context::end_drop(Strand& strand) {
  std::lock_guard lock(mutex_);
  if (!stopped()) {
    strand.drop_below(strand.submitted());
  }
}

std::vector<void*> Context::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  return streams();
}

std::vector<void*> Context::streams() const {
  std::lock_guard lock(mutex_);
  std::vector<void*> handles;
  for (const Entry& entry : streams_) {
    handles.push_back(entry.handle);
  }
  return handles;
}

Result<> Context::set_failure_mode(Stream& stream, bool stop) {
  std::lock_guard lock(mutex_);
  std::atomic<int32_t>& mode = stream.settings().failure_mode;
  if (mode.load(std::memory_order_relaxed) == 1 && !stop) {
    return fail(Errc::invalid_argument,
                "device {} stream {}: that it stops on failure cannot be taken back", device_id(),
                stream.id());
  }
  mode.store(stop ? 1 : 0, std::memory_order_relaxed);
  if (stop) {
    stops_on_failure_ = true;
    for (const Entry& entry : streams_) {
      entry.stream->strand().set_failure_sink(this);
    }
    for (Strand* strand : strands_) {
      strand->set_failure_sink(this);
    }
  }
  return {};
}

void Context::task_failed(Strand& strand, int32_t code, const std::string& sentence) {
  std::lock_guard lock(mutex_);
  if (stopped()) {
    return;  // of two that fail at a time one is told
  }
  failure_code_ = code;
  failed_stream_ = strand.stream_id();
  failure_sentence_ = sentence;
  stopped_.store(true, std::memory_order_release);
  strand.drop_below(Strand::kDropAll);  // it may be on its way out and not on the list
  for (const Entry& entry : streams_) {
    entry.stream->close();
    entry.stream->strand().drop_below(Strand::kDropAll);
    scheduler_.orders().add(&entry.stream->strand());
  }
  for (Strand* each : strands_) {
    each->drop_below(Strand::kDropAll);
    scheduler_.orders().add(each);
  }
}

Result<> Context::failure() const {
  std::lock_guard lock(mutex_);
  return task_error(failure_code_, device_id(), failed_stream_, failure_sentence_);
}

}  // namespace canopy
