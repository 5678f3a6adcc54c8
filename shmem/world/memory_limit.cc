#include "shmem/world/memory_limit.h"

#include "runtime/base/env.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

namespace canopy::shmem {
namespace {

constexpr uint64_t kDefaultHeap = 1ull << 30;

uint64_t mem_available() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  uint64_t kib = 0;
  std::string rest;
  while (meminfo >> key >> kib && std::getline(meminfo, rest)) {
    if (key == "MemAvailable:") {
      return kib * 1024;
    }
  }
  return ~uint64_t{0};  // no procfs: nothing is known, so nothing is refused
}

std::optional<uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;  // "max" is not a number
}

std::string cgroup_path() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("0::")) {
      return line.substr(3);
    }
  }
  return "";
}

double suffix_factor(char letter) {
  switch (std::tolower(static_cast<unsigned char>(letter))) {
    case 'k':
      return 0x1p10;
    case 'm':
      return 0x1p20;
    case 'g':
      return 0x1p30;
    case 't':
      return 0x1p40;
    default:
      return 0;
  }
}

double gib(uint64_t bytes) { return static_cast<double>(bytes) / 0x1p30; }

}  // namespace

AvailableMemory available_memory() {
  AvailableMemory least{mem_available(), "MemAvailable"};
  // A limit may sit on any ancestor of our cgroup.
  for (std::string path = cgroup_path(); !path.empty();) {
    const std::string folder = "/sys/fs/cgroup" + (path == "/" ? "" : path);
    const auto limit = number_in(folder + "/memory.max");
    const auto used = number_in(folder + "/memory.current");
    if (limit && used) {
      const uint64_t left = *limit > *used ? *limit - *used : 0;
      if (left < least.bytes) {
        least = {left, "the memory limit of cgroup " + path};
      }
    }
    path = path == "/" ? "" : path.substr(0, std::max<size_t>(path.rfind('/'), 1));
  }
  return least;
}

std::optional<uint64_t> parse_symmetric_size(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, err] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (err != std::errc() || !(number >= 0) || !std::isfinite(number)) {
    return std::nullopt;
  }
  double factor = 1;
  if (rest != end) {
    factor = suffix_factor(*rest);
    if (factor == 0) {
      return std::nullopt;
    }
  }
  const double bytes = std::ceil(number * factor);
  return bytes < 0x1p62 ? std::optional(static_cast<uint64_t>(bytes)) : std::nullopt;
}

std::optional<std::string> shmem_variable(const char* name) {
  auto value = env::text((std::string("SHMEM_") + name).c_str());
  return value ? value : env::text((std::string("SMA_") + name).c_str());
}

Result<HeapWish> wanted_heap(int local_pes) {
  if (auto text = shmem_variable("SYMMETRIC_SIZE")) {
    const auto bytes = parse_symmetric_size(*text);
    if (!bytes) {
      return fail(Errc::parse,
                  "SHMEM_SYMMETRIC_SIZE='{}' is not a size: a number and k, m, g or t is expected",
                  *text);
    }
    return HeapWish{*bytes, true};
  }
  const uint64_t share =
      available_memory().bytes / 2 / static_cast<uint64_t>(std::max(1, local_pes));
  return HeapWish{std::min(kDefaultHeap, share), false};
}

Result<> check_heap_fits(uint64_t bytes, int local_pes, int pe, std::string_view set_by) {
  const AvailableMemory there = available_memory();
  const auto count = static_cast<uint64_t>(local_pes);
  if (bytes > there.bytes / count) {
    return fail(Errc::no_memory,
                "pe {}: a symmetric heap of {:.2f} GiB ({}) for each of {} PEs of this host needs "
                "{:.2f} GiB, "
                "but {:.2f} GiB are available ({})",
                pe, gib(bytes), set_by, local_pes, gib(bytes) * static_cast<double>(local_pes),
                gib(there.bytes), there.limited_by);
  }
  return {};
}

}  // namespace canopy::shmem
