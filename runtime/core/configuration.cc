#include "runtime/core/configuration.h"

#include "runtime/base/log.h"
#include "runtime/driver/host_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace canopy {
namespace {

constexpr int kMaxNesting = 10;

// Counts nesting of `open` outside strings, before any parser recurses.
int nesting(const std::string& text, char open, char close) {
  int depth = 0;
  int deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;  // whatever it is, it does not end the text
    } else if (quoted) {
      quoted = text[i] != '"';
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == open) {
      deepest = std::max(deepest, ++depth);
    } else if (text[i] == close) {
      --depth;
    }
  }
  return deepest;
}

std::string printed(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<int> read_default_device(const nlohmann::json& section, const char* path) {
  const auto value =
      section.is_object() ? section.value("default_device", nlohmann::json()) : nlohmann::json();
  const std::string digits = value.is_string() ? value.get<std::string>() : "";
  int device = -1;
  if (!digits.empty() && digits.size() < 4 &&
      digits.find_first_not_of("0123456789") == std::string::npos) {
    device = std::stoi(digits);
  }
  if (device < 0 || device >= kMaxDevices) {
    return fail(Errc::parse,
                "aclInit: '{}': defaultDevice.default_device must be a string \"0\" to \"{}\"",
                path, kMaxDevices - 1);
  }
  return device;
}

Result<bool> read_error_mode(const nlohmann::json& value, const char* path) {
  if (value != "0" && value != "1") {
    return fail(Errc::parse,
                "aclInit: '{}': err_msg_mode must be \"0\" (thread) or \"1\" (process), not {}",
                path, printed(value));
  }
  return value == "1";
}

// A whole number above 0, as a number or in quotes.
std::optional<uint64_t> whole_number(const nlohmann::json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    return number == 0 ? std::nullopt : std::optional(number);
  }
  uint64_t number = 0;
  const std::string digits = value.is_string() ? value.get<std::string>() : "";
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number == 0) {
    return std::nullopt;
  }
  return number;
}

struct SizeKey {
  const char* section;  // null: the file itself
  const char* key;
  aclrtDeviceLimit limit;
  uint64_t step;  // sizes are rounded up to a multiple
  uint64_t least;
  uint64_t most;
  bool raises;  // what is below `least` becomes that
};
constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr SizeKey kSizes[] = {
    {"StackSize", "aicore_stack_size", ACL_RT_DEV_LIMIT_SIMD_STACK_SIZE, 16 * kKiB, 32 * kKiB,
     DeviceLimits::kLargestStack, true},
    {"StackSize", "simt_stack_size", ACL_RT_DEV_LIMIT_SIMT_STACK_SIZE, 128, 1, 1024 * kMiB, true},
    {"StackSize", "simt_divergence_stack_size", ACL_RT_DEV_LIMIT_SIMT_DVG_WARP_STACK_SIZE, 128, 1,
     1024 * kMiB, true},
    {nullptr, "simt_printf_fifo_size", ACL_RT_DEV_LIMIT_SIMT_PRINTF_FIFO_SIZE, 8, kMiB, 64 * kMiB,
     false},
    {nullptr, "simd_printf_fifo_size_per_core", ACL_RT_DEV_LIMIT_SIMD_PRINTF_FIFO_SIZE_PER_CORE, 8,
     kKiB, 64 * kMiB, false},
};

// 0: not given.
Result<size_t> read_size(const nlohmann::json& file, const SizeKey& size, const char* path) {
  const nlohmann::json* section = &file;
  if (size.section != nullptr) {
    const auto found = file.find(size.section);
    if (found == file.end()) {
      return 0;
    }
    if (!found->is_object()) {
      return fail(Errc::parse, "aclInit: '{}': {} must be an object, not {}", path, size.section,
                  printed(*found));
    }
    section = &*found;
  }
  const auto value = section->find(size.key);
  if (value == section->end()) {
    return 0;
  }
  const std::optional<uint64_t> bytes = whole_number(*value);
  if (!bytes || *bytes > size.most || (*bytes < size.least && !size.raises)) {
    return fail(Errc::parse, "aclInit: '{}': {} is {}, {} to {} bytes are possible", path, size.key,
                printed(*value), size.raises ? 1 : size.least, size.most);
  }
  return (std::max(*bytes, size.least) + size.step - 1) / size.step * size.step;
}

Result<> check_operator_queue(const nlohmann::json& file, const char* path) {
  const auto value = file.find("max_opqueue_num");
  if (value != file.end() && !whole_number(*value)) {
    return fail(Errc::parse, "aclInit: '{}': max_opqueue_num must be a number above 0, not {}", path,
                printed(*value));
  }
  return {};
}

// A section that a user wrote to get something must not be passed over in silence.
Result<> name_what_is_not_built(const nlohmann::json& json, const char* path) {
  for (const char* key : {"dump", "profiler"}) {
    const auto found = json.find(key);
    if (found == json.end()) {
      continue;
    }
    if (!found->is_object()) {
      return fail(Errc::parse, "aclInit: '{}': {} must be an object, not {}", path, key, printed(*found));
    }
    if (!found->empty()) {
      log(LogLevel::warn, "aclInit: '{}': {} has no effect: not built", path, key);
    }
  }
  return {};
}

}  // namespace

Result<Configuration> Configuration::read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code unknown;
  if (!file || std::filesystem::is_directory(path, unknown)) {
    return fail(Errc::io, "aclInit: cannot open the configuration file '{}'", path);
  }
  std::ostringstream buffer;
  buffer << file.rdbuf();
  Configuration configuration;
  configuration.text = buffer.str();
  if (nesting(configuration.text, '{', '}') > kMaxNesting ||
      nesting(configuration.text, '[', ']') > kMaxNesting) {
    return fail(Errc::parse, "aclInit: '{}' is nested deeper than {} levels", path, kMaxNesting);
  }
  const auto json = nlohmann::json::parse(configuration.text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    return fail(Errc::parse, "aclInit: '{}' is not a JSON object", path);
  }
  if (const auto section = json.find("defaultDevice"); section != json.end()) {
    CANOPY_ASSIGN(configuration.default_device, read_default_device(*section, path));
  }
  if (const auto mode = json.find("err_msg_mode"); mode != json.end()) {
    CANOPY_ASSIGN(configuration.errors_of_process, read_error_mode(*mode, path));
  }
  for (const SizeKey& size : kSizes) {
    CANOPY_ASSIGN(configuration.device_limits[size.limit], read_size(json, size, path));
  }
  CANOPY_TRY(check_operator_queue(json, path));
  CANOPY_TRY(name_what_is_not_built(json, path));
  return configuration;
}

}  // namespace canopy
