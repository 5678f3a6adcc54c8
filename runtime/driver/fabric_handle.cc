#include "runtime/driver/fabric_handle.h"

#include "runtime/driver/host_table.h"

#include <charconv>
#include <fstream>
#include <string>

namespace canopy {
namespace {

// 32 hexadecimal digits, with dashes among them.
std::array<uint64_t, 2> boot_of_host() {
  std::string text;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), text);
  std::erase(text, '-');
  std::array<uint64_t, 2> id{};
  if (text.size() == 32) {
    std::from_chars(text.data(), text.data() + 16, id[0], 16);
    std::from_chars(text.data() + 16, text.data() + 32, id[1], 16);
  }
  return id;
}

}  // namespace

HostIdentity HostIdentity::of(const HostTable& table) {
  return {.boot = boot_of_host(), .table = table.identity()};
}

}  // namespace canopy
