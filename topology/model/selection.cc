// Which machine a process uses: the spec value of a user, and the registered hwloc source.
#include "runtime/base/env.h"
#include "topology/model/spec_file.h"

#include <atomic>

namespace canopy::topology {
namespace {
constexpr std::string_view kHwloc = "hwloc";

// The one mutable global of this layer: a link-time dependency turned round (see set_discovery).
std::atomic<Discovery> discovery{nullptr};
}  // namespace

void set_discovery(Discovery source) {
  // Release: pairs with the acquire in machine_by_name(), should another thread ask.
  discovery.store(source, std::memory_order_release);
}

Result<Machine> machine_by_name(const std::string& value) {
  if (value == "auto") {
    return auto_machine();
  }
  bool with_file = value.starts_with("hwloc:");
  if (value != kHwloc && !with_file) {
    return load_spec(value);
  }
  std::string xml_path = with_file ? value.substr(kHwloc.size() + 1) : "";
  if (with_file && xml_path.empty()) {
    return fail(Errc::invalid_argument, "spec 'hwloc:': a file name must follow the colon");
  }
  // Acquire: pairs with the release in set_discovery().
  Discovery source = discovery.load(std::memory_order_acquire);
  if (source == nullptr) {
    return fail(
        Errc::not_supported,
        "spec '{}': this program has no hwloc discovery, which is slow and lies outside the "
        "runtime; write the machine to a file (canopy topo --spec {} --json > FILE.json) and "
        "set CANOPY_SOC_SPEC to that file",
        value, value);
  }
  return source(xml_path);
}

Result<Machine> machine_from_environment() {
  if (auto value = env::text("CANOPY_SOC_SPEC")) {
    return machine_by_name(*value);
  }
  return auto_machine();
}

}  // namespace canopy::topology
