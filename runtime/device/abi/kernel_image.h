// KernelImage: one loaded kernel, as the device sees it. Immutable while tasks of it are queued.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace canopy {

// The numbers of the C API.
enum class CoreKind : uint8_t { cube = 1, vector = 2, mix = 3, aicpu = 100 };

struct KernelImage {
  std::string name;
  const char* trace_name = "";  // interned: outlives the module, for timelines
  void (*entry)(const void* args) = nullptr;
  // Of AI CPU functions that a binary brought under their own names, in place of `entry`: not 0 is a failure.
  uint32_t (*cpu_entry)(void* args) = nullptr;
  const void* symbol = nullptr;
  CoreKind core_kind = CoreKind::vector;
  uint32_t args_bytes = 0;
  std::vector<uint32_t> param_sizes;
  std::vector<uint32_t> param_offsets;
};

}  // namespace canopy
