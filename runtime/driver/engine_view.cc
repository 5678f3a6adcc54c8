#include "runtime/driver/engine_view.h"

#include "runtime/base/clock.h"
#include "runtime/device/core_clocks.h"
#include "runtime/device/engine_stats.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

namespace canopy {
namespace {

ObserverPage& page_of(const Mapping& map) { return *reinterpret_cast<ObserverPage*>(map.base()); }

// Looked at before it is opened: opening something else could do something.
bool is_the_file(const struct stat& found, const HostOwner& owner) {
  return S_ISREG(found.st_mode) && found.st_ino == owner.stats_inode &&
         found.st_size == static_cast<off_t>(EngineStats::kFileBytes);
}

uint32_t capped(uint32_t cores, size_t most) { return static_cast<uint32_t>(std::min<size_t>(cores, most)); }

CoreGroups read_once(const CoreGroups& groups) {
  return {load_relaxed(&groups.cores), load_relaxed(&groups.shift), load_relaxed(&groups.groups)};
}

bool taken(const CoreGroup* groups, const CoreGroups& layout, uint32_t core) {
  const uint32_t group = core >> (layout.shift & 31);
  const uint64_t bit = uint64_t{1} << (core & 63 & ((1u << (layout.shift & 31)) - 1));
  return group < layout.groups && (groups[group].bits.load(std::memory_order_relaxed) & bit) == 0;
}

double busy_share(uint64_t before, uint64_t after, uint64_t span) {
  // Backwards: a block ended that nobody had counted, or the two steps of a clock were read apart.
  return after <= before || span == 0 ? 0 : std::min(1.0, static_cast<double>(after - before) / static_cast<double>(span));
}

// Of clocks of several units.
double joint_share(uint64_t before, uint64_t after, uint64_t span, uint32_t units) {
  const uint64_t most = span * units;
  // More than there can be: read between the two steps of a beginning or an end.
  return after <= before || most == 0 || after - before > 2 * most
             ? 0
             : std::min(1.0, static_cast<double>(after - before) / static_cast<double>(most));
}

// The head is another process's to write: what it says of lengths is not believed beyond the entry.
bool read_entry(EngineEntry& entry, EngineReading* reading) {
  // Acquire: the entry is whole; pairs with EnginePlace::show_as().
  reading->host_device = entry.host_device.load(std::memory_order_acquire);
  const CoreGroups cube = read_once(entry.cube);
  const CoreGroups vector = read_once(entry.vector);
  const size_t lines = size_t{cube.groups} + vector.groups + cube.cores + vector.cores;
  if (reading->host_device < 0 || reading->host_device >= kMaxDevices || lines > EngineEntry::kLines) {
    return false;
  }
  auto* cube_groups = reinterpret_cast<CoreGroup*>(&entry + 1);
  CoreGroup* vector_groups = cube_groups + cube.groups;
  CoreClocks clocks(reinterpret_cast<CoreClock*>(vector_groups + vector.groups));
  reading->vector_cores = vector.cores;
  reading->aicpu_cores = capped(load_relaxed(&entry.aicpu_cores), 1024);
  const auto read_core = [&](uint32_t track, bool is_taken) {
    if (is_taken) {
      clocks.begin_older(track);
    }
    reading->cores.push_back(clocks.busy(track, is_taken, reading->at));
  };
  reading->at = ticks();
  for (uint32_t core = 0; core < vector.cores; ++core) {
    read_core(core, taken(vector_groups, vector, core));
  }
  for (uint32_t core = 0; core < cube.cores; ++core) {
    read_core(vector.cores + core, taken(cube_groups, cube, core));
  }
  reading->aicpu = entry.aicpu.busy(reading->at);
  reading->dma = entry.dma.busy(reading->at);
  return true;
}

}  // namespace

EngineShares shares_between(const EngineReading& before, const EngineReading& after) {
  EngineShares shares;
  const uint64_t span = after.at - before.at;
  if (before.cores.size() != after.cores.size() || before.vector_cores != after.vector_cores) {
    return shares;  // closed, and opened again
  }
  const auto vector_cores = before.vector_cores;
  const auto cube_cores = before.cores.size() - vector_cores;
  for (size_t track = 0; track < before.cores.size(); ++track) {
    (track < vector_cores ? shares.vector : shares.cube) += busy_share(before.cores[track], after.cores[track], span);
  }
  shares.vector /= vector_cores == 0 ? 1 : vector_cores;
  shares.cube /= cube_cores == 0 ? 1.0 : static_cast<double>(cube_cores);
  shares.aicpu = joint_share(before.aicpu, after.aicpu, span, before.aicpu_cores);
  shares.dma = busy_share(before.dma, after.dma, span);
  return shares;
}

std::optional<EngineView> EngineView::open(const HostOwner& owner) {
  if (owner.stats_inode == 0) {
    return std::nullopt;
  }
  const std::string path = fmt::format("/proc/{}/fd/{}", owner.pid, owner.stats_fd);
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || !is_the_file(found, owner)) {
    return std::nullopt;
  }
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd || ::fstat(fd.get(), &found) != 0 || !is_the_file(found, owner)) {
    return std::nullopt;
  }
  // Ours are sealed: nobody can shrink the file under the mapping.
  if ((::fcntl(fd.get(), F_GET_SEALS) & F_SEAL_SHRINK) == 0) {
    return std::nullopt;
  }
  auto map = Mapping::shared(fd, EngineStats::kFileBytes);
  if (!map) {
    error_text::take_newest();
    return std::nullopt;
  }
  const ObserverPage& page = page_of(*map);
  if (page.magic != ObserverPage::kMagic || page.version != ObserverPage::kVersion || page.entries != EngineStats::kEntries) {
    return std::nullopt;
  }
  return EngineView(std::move(*map));
}

void EngineView::watch(uint64_t until_ns) {
  ObserverPage& page = page_of(map_);
  uint64_t seen = page.watched_until_ns.load(std::memory_order_relaxed);
  while (seen < until_ns && !page.watched_until_ns.compare_exchange_weak(seen, until_ns, std::memory_order_acq_rel,
                                                                         std::memory_order_relaxed)) {
  }
  // Release: who takes it back sees our time; pairs with leave().
  page.observers.fetch_or(ObserverPage::kWatched, std::memory_order_acq_rel);
}

// One that begins between our look and our step counts less than there was, once.
void EngineView::leave() {
  ObserverPage& page = page_of(map_);
  if (page.watched_until_ns.load(std::memory_order_acquire) <= monotonic_ns()) {
    page.observers.fetch_and(~uint32_t{ObserverPage::kWatched}, std::memory_order_acq_rel);
  }
}

std::vector<EngineReading> EngineView::read() {
  std::vector<EngineReading> list;
  for (uint32_t i = 0; i < EngineStats::kEntries; ++i) {
    auto& entry = *reinterpret_cast<EngineEntry*>(map_.base() + sizeof(ObserverPage) + i * EngineEntry::kBytes);
    EngineReading reading;
    if (entry.in_use.load(std::memory_order_relaxed) != 0 && read_entry(entry, &reading)) {
      list.push_back(std::move(reading));
    }
  }
  return list;
}

}  // namespace canopy
