#include "runtime/core/aicpu_description.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace canopy {

Result<std::map<std::string, std::string>> read_aicpu_description(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return fail(Errc::io, "cannot open description '{}'", path);
  }
  const auto json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object()) {
    return fail(Errc::parse, "description '{}' is no JSON object", path);
  }
  std::map<std::string, std::string> functions;
  for (const auto& [kernel, description] : json.items()) {
    const auto info = description.is_object() ? description.find("opInfo") : description.end();
    if (!description.is_object() || info == description.end() || !info->is_object()) {
      return fail(Errc::parse, "description '{}': '{}' has no object \"opInfo\"", path, kernel);
    }
    const auto name = info->find("functionName");
    if (name != info->end() && !name->is_string()) {
      return fail(Errc::parse, "description '{}': functionName of '{}' is no string", path, kernel);
    }
    functions.emplace(kernel, name != info->end() ? name->get<std::string>() : kernel);
  }
  return functions;
}

std::string binary_of_description(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".so").string();
}

}  // namespace canopy
