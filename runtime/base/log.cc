#include "runtime/base/log.h"

#include "runtime/base/env.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <sys/uio.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <new>

namespace canopy {
namespace {

int initial_threshold() {
  if (auto text = env::text("CANOPY_LOG")) {
    constexpr std::string_view kNames[] = {"debug", "info", "warn", "error", "off"};
    for (int i = 0; i < 5; ++i) {
      if (*text == kNames[i]) {
        return i;
      }
    }
  }
  if (auto level = env::integer("ASCEND_GLOBAL_LOG_LEVEL"); level && *level >= 0 && *level <= 4) {
    return static_cast<int>(*level);
  }
  return static_cast<int>(LogLevel::warn);
}

struct Sink {
  std::mutex mutex;  // guards identity
  std::string identity;
  std::shared_ptr<spdlog::logger> logger;

  Sink() : logger(std::make_shared<spdlog::logger>(
               "canopy", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger->set_pattern("%v");
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
  }
};

// Leaked on purpose: threads may speak while static destructors run.
Sink& sink() {
  static Sink* instance = new Sink;
  return *instance;
}

std::string identity() {
  Sink& s = sink();
  std::lock_guard lock(s.mutex);
  return s.identity;
}

// "canopy pe 3 warning: TEXT". Texts travel as errors too, and then begin with who speaks themselves, as "pe 3: ..."
// or as "pe 3 waits for ...": said once it is enough.
std::string line(std::string_view level, std::string_view text) {
  const std::string who = identity();
  const std::string space = level.empty() ? "" : " ";
  if (who.empty()) {
    return fmt::format("canopy{}{}: {}", space, level, text);
  }
  const std::string_view rest = after_speaker(text, who);
  if (rest.size() == text.size() && text.starts_with(who + " ")) {
    return fmt::format("canopy{}{}{} {}", space, level, level.empty() ? "" : ":", text);
  }
  return fmt::format("canopy {}{}{}: {}", who, space, level, rest);
}

// Without memory for more the text alone: it may be about that.
void say(std::string_view level, std::string_view text) {
  try {
    sink().logger->info("{}", line(level, text));
  } catch (const std::bad_alloc&) {
    const iovec parts[] = {{const_cast<char*>("canopy: "), 8}, {const_cast<char*>(text.data()), text.size()}, {const_cast<char*>("\n"), 1}};
    [[maybe_unused]] const ssize_t written = ::writev(STDERR_FILENO, parts, 3);
  }
}

}  // namespace

namespace log_detail {

std::atomic<int> threshold{initial_threshold()};

void write(LogLevel level, std::string_view text) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", ""};
  say(kNames[static_cast<int>(level)], text);
}

}  // namespace log_detail

void set_log_level(LogLevel level) {
  // Relaxed: see log_enabled().
  log_detail::threshold.store(static_cast<int>(level), std::memory_order_relaxed);
}

void set_log_identity(std::string identity) {
  Sink& s = sink();
  std::lock_guard lock(s.mutex);
  s.identity = std::move(identity);
}

void report(std::string_view text) { say("", text); }

std::string_view after_speaker(std::string_view text, std::string_view who) {
  const bool says_who = text.starts_with(who) && text.substr(who.size()).starts_with(": ");
  return says_who ? text.substr(who.size() + 2) : text;
}

}  // namespace canopy
