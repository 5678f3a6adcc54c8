#include "shmem/debug/whereabouts.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string_view>

namespace canopy::shmem {
namespace {

std::string describe(std::string_view path, bool writable) {
  if (path.empty()) {
    return "anonymous memory (a large malloc's, a thread's stack, or mmap's)";
  }
  if (path == "[heap]") {
    return "memory from malloc or new";
  }
  if (path == "[stack]") {
    return "the stack";
  }
  std::string_view file = path;
  file.remove_prefix(file.rfind('/') + 1);  // npos + 1 is 0
  return fmt::format("{} {}", writable ? "data of" : "the read-only part of", file);
}

}  // namespace

std::string segment_of(const void* address) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0;
    unsigned long to = 0;
    char rights[5] = {};
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %*s %n", &from, &to, rights, &path_at) == 3 && at >= from && at < to) {
      return describe(std::string_view(line).substr(static_cast<size_t>(path_at)), rights[1] == 'w');
    }
  }
  return "no memory at all";
}

std::string extent_text(size_t nelems, size_t element_bytes) {
  return element_bytes == 1 ? fmt::format("{} bytes", nelems) : fmt::format("{} elements of {} bytes", nelems, element_bytes);
}

}  // namespace canopy::shmem
