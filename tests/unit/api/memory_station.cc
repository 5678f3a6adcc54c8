#include "tests/unit/api/memory_station.h"

#include "canopy/kernel.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace {

__global__ __aicore__ void store_byte(GM_ADDR at, uint64_t value) { *reinterpret_cast<volatile uint8_t*>(at) = static_cast<uint8_t>(value); }
CANOPY_KERNEL(store_byte)

}  // namespace

namespace canopy::test {

uint64_t used_bytes() {
  size_t free = 0;
  size_t total = 0;
  EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS);
  return total - free;
}

bool soon(FunctionRef<bool()> done) {
  return wait_until(done, nullptr, BellScope::process, Deadline::after(std::chrono::seconds(10)),
                    [] { return std::string("the test"); }) == WaitEnd::ready;
}

uint64_t inode_at(const void* address) {
  std::ifstream maps("/proc/self/maps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    uintptr_t from = 0;
    uintptr_t to = 0;
    char dash = 0;
    std::string flags, offset, device;
    uint64_t inode = 0;
    words >> std::hex >> from >> dash >> to >> flags >> offset >> device >> std::dec >> inode;
    if (wanted >= from && wanted < to) {
      return inode;
    }
  }
  return 0;
}

size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
}

size_t descriptors() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

std::string hex_of(const void* bytes, size_t count) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    const auto byte = static_cast<const uint8_t*>(bytes)[i];
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

void from_hex(const std::string& text, void* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    static_cast<uint8_t*>(bytes)[i] = static_cast<uint8_t>(std::stoi(text.substr(2 * i, 2), nullptr, 16));
  }
}

aclrtPhysicalMemProp memory_on(int device) {
  aclrtPhysicalMemProp prop{};
  prop.memAttr = ACL_HBM_MEM_HUGE;
  prop.location = {static_cast<uint32_t>(device), ACL_MEM_LOCATION_TYPE_DEVICE};
  return prop;
}

namespace {

std::string told(aclError code, const std::string& more = "") {
  return std::to_string(code) + (code == ACL_SUCCESS && !more.empty() ? " " + more : "");
}

uint64_t number_in(std::istream& words) {
  uint64_t value = 0;
  words >> value;
  return value;
}

}  // namespace

// "": none of these.
std::string MemoryStation::obey_handles(const std::string& verb, std::istream& words) {
  if (verb == "physical") {
    const aclrtPhysicalMemProp prop = memory_on(device_);
    return told(aclrtMallocPhysical(&handle_, number_in(words), &prop, 0));
  }
  if (verb == "share") {
    uint64_t id = 0;
    const aclError code = aclrtMemExportToShareableHandle(handle_, ACL_MEM_HANDLE_TYPE_NONE, number_in(words), &id);
    return told(code, std::to_string(id));
  }
  if (verb == "take") {
    return told(aclrtMemImportFromShareableHandle(number_in(words), device_, &handle_));
  }
  if (verb == "fabric-share") {
    aclrtMemFabricHandle fabric{};
    const aclError code =
        aclrtMemExportToShareableHandleV2(handle_, number_in(words), ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, &fabric);
    return told(code, hex_of(&fabric, sizeof fabric));
  }
  if (verb == "fabric-take") {
    std::string text;
    words >> text;
    aclrtMemFabricHandle fabric{};
    from_hex(text, &fabric, sizeof fabric);
    return told(aclrtMemImportFromShareableHandleV2(&fabric, ACL_MEM_SHARE_HANDLE_TYPE_FABRIC, 0, &handle_));
  }
  if (verb == "list") {
    const uint64_t id = number_in(words);
    auto pid = static_cast<int32_t>(number_in(words));
    return told(aclrtMemSetPidToShareableHandle(id, &pid, 1));
  }
  if (verb == "map") {
    const uint64_t bytes = number_in(words);
    void* there = nullptr;
    if (const aclError code = aclrtReserveMemAddress(&there, bytes, 0, nullptr, 1); code != ACL_SUCCESS) {
      return told(code);
    }
    memory_ = static_cast<std::byte*>(there);
    return told(aclrtMapMem(there, bytes, 0, handle_, 0));
  }
  if (verb == "unmap") {
    const aclError code = aclrtUnmapMem(memory_);
    return told(code != ACL_SUCCESS ? code : aclrtReleaseMemAddress(memory_));
  }
  if (verb == "drop") {
    return told(aclrtFreePhysical(handle_));
  }
  return "";
}

std::string MemoryStation::obey(const std::string& order) {
  std::istringstream words(order);
  std::string verb, text;
  words >> verb;
  const auto number = [&] { return number_in(words); };
  if (const std::string answer = obey_handles(verb, words); !answer.empty()) {
    return answer;
  }
  if (verb == "device") {
    device_ = static_cast<int>(number());
    return told(aclrtSetDevice(device_));
  }
  if (verb == "reset") {
    return told(aclrtResetDevice(static_cast<int>(number())));
  }
  if (verb == "malloc") {
    void* made = nullptr;
    const aclError code = aclrtMalloc(&made, number(), ACL_MEM_MALLOC_HUGE_FIRST);
    memory_ = static_cast<std::byte*>(made);
    return told(code);
  }
  if (verb == "free") {
    return told(aclrtFree(memory_));
  }
  if (verb == "export") {
    char key[65] = {};
    const uint64_t at = number();
    const uint64_t bytes = number();
    const aclError code = aclrtIpcMemGetExportKey(memory_ + at, bytes, key, sizeof key, number());
    return told(code, key);
  }
  if (verb == "import") {
    words >> text;
    void* there = nullptr;
    const aclError code = aclrtIpcMemImportByKey(&there, text.c_str(), number());
    if (code == ACL_SUCCESS) {
      memory_ = static_cast<std::byte*>(there);
    }
    return told(code);
  }
  if (verb == "allow") {
    words >> text;
    auto pid = static_cast<int32_t>(number());
    return told(aclrtIpcMemSetImportPid(text.c_str(), &pid, 1));
  }
  if (verb == "close") {
    words >> text;
    return told(aclrtIpcMemClose(text.c_str()));
  }
  if (verb == "load") {
    return told(ACL_SUCCESS, std::to_string(static_cast<int>(*static_cast<volatile std::byte*>(memory_ + number()))));
  }
  if (verb == "store") {
    const uint64_t at = number();
    const aclError code = launch(store_byte, 1, nullptr, reinterpret_cast<GM_ADDR>(memory_ + at), number());
    return told(code != ACL_SUCCESS ? code : aclrtSynchronizeStream(nullptr));
  }
  if (verb == "read") {
    uint8_t value = 0;
    const aclError code = aclrtMemcpy(&value, 1, memory_ + number(), 1, ACL_MEMCPY_DEVICE_TO_HOST);
    return told(code, std::to_string(value));
  }
  if (verb == "write") {
    const uint64_t at = number();
    const auto value = static_cast<uint8_t>(number());
    return told(aclrtMemcpy(memory_ + at, 1, &value, 1, ACL_MEMCPY_HOST_TO_DEVICE));
  }
  if (verb == "pull") {
    const uint64_t at = number();
    const uint64_t bytes = number();
    void* mine = nullptr;
    if (const aclError code = aclrtMalloc(&mine, bytes, ACL_MEM_MALLOC_HUGE_FIRST); code != ACL_SUCCESS) {
      return told(code);
    }
    const aclError code = aclrtMemcpy(mine, bytes, memory_ + at, bytes, ACL_MEMCPY_DEVICE_TO_DEVICE);
    const int first = static_cast<int>(*static_cast<std::byte*>(mine));
    aclrtFree(mine);
    return told(code, std::to_string(first));
  }
  if (verb == "peer") {
    return told(aclrtDeviceEnablePeerAccess(static_cast<int>(number()), 0));
  }
  if (verb == "used") {
    return told(ACL_SUCCESS, std::to_string(used_bytes()));
  }
  const uint64_t fact = verb == "inode"   ? inode_at(memory_)
                        : verb == "where" ? reinterpret_cast<uint64_t>(memory_)
                        : verb == "fds"   ? descriptors()
                        : verb == "maps"  ? mappings()
                                          : ~uint64_t{0};
  return told(ACL_SUCCESS, std::to_string(fact));
}

ROLE(memory_station) {
  MemoryStation station;
  for (std::string order = line.hear(); !order.empty() && order != "leave"; order = line.hear()) {
    line.say(station.obey(order));
  }
}

}  // namespace canopy::test
