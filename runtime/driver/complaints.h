// Complaints: a broker's lines in the log about clients that misbehave. Whoever makes it complain without end must
// neither fill the disk nor hide what others do: within 10 s each process gets 8 lines, all together get 64; the rest is
// counted.
//
// Not thread-safe.
#pragma once

#include "runtime/base/clock.h"
#include "runtime/base/log.h"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>

namespace canopy {

class Complaints {
 public:
  static constexpr uint32_t kLines = 64;
  static constexpr uint32_t kLinesEach = 8;

  // `broker` outlives this object.
  explicit Complaints(const std::string& broker) : broker_(broker) {}

  // "broker X: WHAT pid PID: ..."
  template <class... A>
  void tell(const char* what, pid_t pid, fmt::format_string<A...> format, A&&... args) {
    if (log_enabled(LogLevel::warn) && may_tell(pid, monotonic_ns())) {
      log(LogLevel::warn, "broker {}: {} pid {}: {}{}", broker_, what, pid, fmt::format(format, std::forward<A>(args)...),
          lines_of_[pid] == kLinesEach ? "; more about it is left out for now" : "");
    }
  }

 private:
  static constexpr uint64_t kWindowNs = 10'000'000'000;

  bool may_tell(pid_t pid, uint64_t now_ns) {
    if (now_ns - since_ns_ >= kWindowNs) {
      if (left_out_ != 0) {
        log(LogLevel::warn, "broker {}: {} more lines about clients were left out", broker_, left_out_);
      }
      since_ns_ = now_ns;
      lines_ = 0;
      left_out_ = 0;
      lines_of_.clear();
    }
    const auto its = lines_of_.find(pid);
    if (lines_ == kLines || (its != lines_of_.end() && its->second == kLinesEach)) {
      ++left_out_;
      return false;
    }
    ++lines_;
    ++lines_of_[pid];  // at most kLines entries
    return true;
  }

  const std::string& broker_;
  uint64_t since_ns_ = 0;
  uint32_t lines_ = 0;
  uint64_t left_out_ = 0;
  std::unordered_map<pid_t, uint32_t> lines_of_;  // by process
};

}  // namespace canopy
