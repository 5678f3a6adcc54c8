#include "runtime/core/configuration.h"

#include "runtime/base/log.h"
#include "runtime/driver/host_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
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
                path, value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  return value == "1";
}

// A section that a user wrote to get something must not be passed over in silence.
void name_what_is_not_built(const nlohmann::json& json, const char* path) {
  for (const char* key : {"dump", "profiler", "StackSize", "simt_printf_fifo_size",
                          "simd_printf_fifo_size_per_core"}) {
    if (const auto found = json.find(key);
        found != json.end() && !(found->is_object() && found->empty())) {
      log(LogLevel::warn, "aclInit: '{}': {} has no effect: not built", path, key);
    }
  }
}

}  // namespace

Result<Configuration> Configuration::read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
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
  name_what_is_not_built(json, path);
  return configuration;
}

}  // namespace canopy
