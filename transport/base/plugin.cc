#include "transport/base/plugin.h"

#include "runtime/base/env.h"

#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <string_view>
#include <vector>

namespace canopy::transport {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "libcanopy_ofi.so";

std::vector<fs::path> candidates() {
  if (auto wanted = env::text("CANOPY_OFI_PLUGIN")) {
    return {*wanted};
  }
  Dl_info self{};
  std::vector<fs::path> places;
  if (::dladdr(reinterpret_cast<const void*>(&open_network_plugin), &self) != 0 &&
      self.dli_fname != nullptr) {
    std::error_code unknown;
    fs::path folder = fs::absolute(self.dli_fname, unknown).parent_path();
    places.push_back(folder / kFile);
    places.push_back(folder.parent_path() / "lib" / kFile);
  }
  return places;
}

Result<const PluginTable*> check(void* library, const fs::path& file) {
  const auto entry = reinterpret_cast<PluginEntry>(::dlsym(library, kPluginSymbol));
  if (entry == nullptr) {
    return fail(Errc::not_supported, "{} is no network plugin: it has no {}", file.string(),
                kPluginSymbol);
  }
  const PluginTable* table = entry();
  if (table->version != kPluginVersion) {
    return fail(Errc::not_supported,
                "the network plugin {} is of another build than this library: its table has version {}, "
                "{} is wanted; build or install both together",
                file.string(), table->version, kPluginVersion);
  }
  if (std::string_view(table->build) != plugin_build()) {
    return fail(Errc::not_supported,
                "the network plugin {} is of another build than this library: it is {}, {} is wanted; "
                "build or install both together",
                file.string(), table->build, plugin_build());
  }
  return table;
}

Result<const PluginTable*> load() {
  std::string tried;
  for (const fs::path& file : candidates()) {
    if (void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      return check(library, file);
    }
    const char* why = ::dlerror();
    tried += fmt::format("{}{}", tried.empty() ? "" : "; ", why != nullptr ? why : file.string());
  }
  return fail(Errc::not_supported,
              "the network plugin cannot be loaded (is libfabric installed?): {}", tried);
}

}  // namespace

Result<Network> open_network_plugin(const NetworkWish& wish) {
  static std::mutex mutex;  // guards loaded
  static const PluginTable* loaded = nullptr;
  {
    std::lock_guard lock(mutex);
    if (loaded == nullptr) {
      CANOPY_ASSIGN(loaded, load());
    }
  }
  return loaded->open(wish);
}

}  // namespace canopy::transport
