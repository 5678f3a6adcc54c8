// Diagnostics to stderr, one line each, prefixed with who speaks ("canopy pe 3: ..."); a text that begins with
// that itself ("pe 3: ...") does not say it twice.
//
// Thread-safe. The level comes from CANOPY_LOG (debug, info, warn, error, off) or, when that is
// absent, from ASCEND_GLOBAL_LOG_LEVEL (0 debug .. 4 none); the default is warn. A message below the
// level costs one relaxed load and is not formatted.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace canopy {

enum class LogLevel : int { debug = 0, info = 1, warn = 2, error = 3, off = 4 };

namespace log_detail {
extern std::atomic<int> threshold;
void write(LogLevel level, std::string_view text);
}  // namespace log_detail

inline bool log_enabled(LogLevel level) {
  // Relaxed: the threshold orders nothing, a late change only shows or hides a line.
  return static_cast<int>(level) >= log_detail::threshold.load(std::memory_order_relaxed);
}

template <class... A>
void log(LogLevel level, fmt::format_string<A...> format, A&&... args) {
  if (log_enabled(level)) {
    log_detail::write(level, fmt::format(format, std::forward<A>(args)...));
  }
}

void set_log_level(LogLevel level);
// Who this process is in every later line, for example "pe 3"; empty takes it back.
void set_log_identity(std::string identity);
// A report that is always shown, whatever the level: the one sentence before an abort.
void report(std::string_view text);
// `text` without "WHO: " in front, for a sentence that has named who speaks by then.
std::string_view after_speaker(std::string_view text, std::string_view who);

}  // namespace canopy
