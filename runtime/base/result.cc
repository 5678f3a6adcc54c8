#include "runtime/base/result.h"

#include "runtime/base/log.h"
#include "runtime/base/thread_instance.h"

#include <cstring>
#include <deque>
#include <new>

namespace canopy {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::ok: return "ok";
    case Errc::again: return "again";
    case Errc::invalid_argument: return "invalid argument";
    case Errc::out_of_range: return "out of range";
    case Errc::misaligned: return "misaligned";
    case Errc::not_symmetric: return "address not symmetric";
    case Errc::bad_handle: return "bad handle";
    case Errc::stale_handle: return "stale handle";
    case Errc::wrong_context: return "wrong context";
    case Errc::label_context: return "label of another context";
    case Errc::model_context: return "model of another context";
    case Errc::not_initialized: return "not initialized";
    case Errc::already_initialized: return "already initialized";
    case Errc::no_context: return "no current context";
    case Errc::not_ready: return "not ready";
    case Errc::not_recorded: return "not recorded";
    case Errc::no_timestamp: return "no timestamp";
    case Errc::not_captured: return "stream not captured";
    case Errc::not_bound: return "stream not bound to a model";
    case Errc::bound: return "stream bound to a model";
    case Errc::not_built: return "model not built";
    case Errc::running: return "model runs";
    case Errc::busy: return "busy";
    case Errc::forked: return "used after fork";
    case Errc::no_memory: return "out of memory";
    case Errc::no_device: return "no device";
    case Errc::bad_device: return "bad device id";
    case Errc::no_stream: return "out of streams";
    case Errc::no_event: return "out of events";
    case Errc::no_notify: return "out of notifies";
    case Errc::no_model: return "out of models";
    case Errc::no_group: return "no such group";
    case Errc::limit: return "limit reached";
    case Errc::not_supported: return "not supported";
    case Errc::not_updatable: return "task cannot be changed";
    case Errc::no_permission: return "no permission";
    case Errc::timeout: return "timeout";
    case Errc::stream_timeout: return "stream timeout";
    case Errc::event_timeout: return "event timeout";
    case Errc::not_found: return "not found";
    case Errc::io: return "input/output error";
    case Errc::parse: return "parse error";
    case Errc::closed: return "closed";
    case Errc::peer_lost: return "peer lost";
    case Errc::link_down: return "link down";
    case Errc::device_lost: return "device lost";
    case Errc::stream_subscribed: return "subscription of the stream";
    case Errc::thread_subscribed: return "subscription of the thread";
    case Errc::no_report_thread: return "nobody has subscribed";
    case Errc::stream_aborted: return "stream aborted";
    case Errc::device_aborted: return "device's tasks aborted";
    case Errc::abort_refused: return "abort refused";
    case Errc::kernel_fault: return "kernel fault";
    case Errc::internal: return "internal error";
  }
  return "unknown error";
}

namespace error_text {
namespace {
constexpr size_t kKept = 8;

struct Sentences;
std::deque<std::string>& sentences() { return thread_instance<Sentences, std::deque<std::string>>(); }
}  // namespace

// The error itself travels without memory: without any it has no sentence.
void record(Errc code, int native, std::string sentence, const std::source_location& where) try {
  if (native != 0) {
    char buffer[128];
    sentence += fmt::format(" ({})", strerror_r(native, buffer, sizeof buffer));
  }
  log(LogLevel::debug, "{}:{}: {}: {}", where.file_name(), where.line(), to_string(code), sentence);
  auto& list = sentences();
  list.push_back(std::move(sentence));
  if (list.size() > kKept) {
    list.pop_front();
  }
} catch (const std::bad_alloc&) {
}

std::string newest() { return sentences().empty() ? std::string() : sentences().back(); }

std::string take_newest() {
  auto& list = sentences();
  if (list.empty()) {
    return {};
  }
  std::string text = std::move(list.back());
  list.pop_back();
  return text;
}

void clear() { sentences().clear(); }

}  // namespace error_text
}  // namespace canopy
