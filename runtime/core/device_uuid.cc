#include "runtime/core/device_uuid.h"

#include <unistd.h>

#include <climits>
#include <cstring>
#include <fstream>
#include <string>

namespace canopy {
namespace {

// FNV-1a: no secret, only spread.
uint64_t hash(const std::string& text, uint64_t seed) {
  uint64_t value = seed;
  for (const char c : text) {
    value = (value ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  }
  return value;
}

// The boot id alone is that of all containers and fake hosts of a machine, a name alone that of
// many hosts.
std::string host_identity() {
  std::string boot_id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot_id);
  char name[HOST_NAME_MAX + 1] = {};
  ::gethostname(name, sizeof name - 1);
  return boot_id + "/" + name;
}

}  // namespace

DeviceUuid device_uuid(const topology::Npu& npu) {
  const std::string text = host_identity() + "/" + npu.soc + "/" + npu.pci_bus_id;
  const uint64_t words[] = {hash(text, 0xCBF29CE484222325), hash(text, 0x9E3779B97F4A7C15)};
  DeviceUuid uuid;
  std::memcpy(uuid.data(), words, uuid.size());
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0F) | 0x80);  // version 8: made by a rule of our own
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3F) | 0x80);  // the variant of RFC 9562
  return uuid;
}

}  // namespace canopy
