#include "runtime/observe/timeline.h"

#include "runtime/base/clock.h"
#include "runtime/device/scheduler.h"
#include "runtime/driver/driver.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>
#include <deque>
#include <memory>
#include <set>

namespace canopy {
namespace {

std::deque<TraceEvent> take_events(Driver& driver) {
  std::deque<TraceEvent> all;
  if (!driver.has_scheduler()) {
    return all;
  }
  Scheduler& scheduler = driver.scheduler();
  for (uint32_t i = 0; i < scheduler.executor_count(); ++i) {
    auto events = scheduler.executor(i).trace().take();
    all.insert(all.end(), events.begin(), events.end());
  }
  return all;
}

std::string track_name(const topology::Npu& npu, uint32_t track) {
  if (track < npu.vector_cores) {
    return fmt::format("npu {} vector core {}", npu.id, track);
  }
  track -= npu.vector_cores;
  return track < npu.cube_cores ? fmt::format("npu {} cube core {}", npu.id, track)
                                : fmt::format("npu {} DMA and host calls", npu.id);
}

// Tracks of several devices of one process must not share a number.
uint32_t thread_id(const TraceEvent& event) { return static_cast<uint32_t>(event.device) * 1024 + event.track; }

}  // namespace

void start_timeline(Driver& driver) {
  take_events(driver);
  TraceBuffer::set_recording(true);
}

Result<> write_timeline(Driver& driver, const std::string& path, int pid, const std::string& process_name) {
  TraceBuffer::set_recording(false);
  if (!driver.has_scheduler()) {
    return fail(Errc::no_device, "no timeline: no device was opened");
  }
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "we"), &std::fclose);
  if (file == nullptr) {
    return fail_errno(Errc::io, errno, "cannot write the timeline '{}'", path);
  }
  const auto line = [&](const nlohmann::json& json, bool first) {
    const std::string text = json.dump();
    std::fprintf(file.get(), "%s%s", first ? "[\n" : ",\n", text.c_str());
  };
  line({{"name", "process_name"}, {"ph", "M"}, {"pid", pid}, {"args", {{"name", process_name}}}}, true);
  std::set<uint32_t> named;
  for (const TraceEvent& event : take_events(driver)) {
    const uint32_t tid = thread_id(event);
    if (named.insert(tid).second) {
      line({{"name", "thread_name"},
            {"ph", "M"},
            {"pid", pid},
            {"tid", tid},
            {"args", {{"name", track_name(driver.machine().npu(event.device), event.track)}}}},
           false);
    }
    const auto begin = static_cast<double>(TickScale::to_ns(event.begin)) / 1000.0;
    const auto end = static_cast<double>(TickScale::to_ns(event.end)) / 1000.0;
    nlohmann::json json = {{"name", event.name}, {"ph", "X"}, {"pid", pid}, {"tid", tid}, {"ts", begin}, {"dur", end - begin}};
    if (event.block >= 0) {
      json["args"] = {{"block", event.block}};
    }
    line(json, false);
  }
  std::fprintf(file.get(), "\n]\n");
  if (std::fflush(file.get()) != 0) {
    return fail_errno(Errc::io, errno, "cannot write the timeline '{}'", path);
  }
  return {};
}

}  // namespace canopy
