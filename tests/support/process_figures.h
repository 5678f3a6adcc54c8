// What the operating system says of this process: for tests that nothing piles up.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

namespace canopy::test {

inline size_t open_files() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

inline size_t mapped_ranges() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    ++count;
  }
  return count;
}

// Its share of the memory that it uses, in KiB (Pss of smaps_rollup); 0 where the kernel does not
// tell.
inline size_t memory_kib() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string word; rollup >> word;) {
    if (word == "Pss:") {
      size_t kib = 0;
      rollup >> kib;
      return kib;
    }
  }
  return 0;
}

}  // namespace canopy::test
