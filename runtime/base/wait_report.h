// How long a wait lasts before it says who waits for what. For tests, which cannot wait for a
// minute.
#pragma once

#include <chrono>

namespace canopy {

inline constexpr std::chrono::nanoseconds kWaitReportInterval = std::chrono::seconds(60);
// For waits that begin from now on, in all threads; again after every `interval`.
void set_wait_report_interval(std::chrono::nanoseconds interval);

}  // namespace canopy
