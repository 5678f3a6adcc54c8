// MemoryStation: memory, keys and handles of one process, moved by orders of text, so that a test reads as a sequence of
// what several processes do. The role "memory_station" obeys a line.
//
// Every answer begins with the code of the call, and is "107000" or "0", or "0 KEY" where there is something to tell.
#pragma once

#include "runtime/base/waiter.h"
#include "tests/unit/api/second_process.h"

#include "acl/acl.h"

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace canopy::test {

// Bytes in use on the current device.
uint64_t used_bytes();
// Another process's doing, which takes its time to be noticed: whether done() turns true within 10 s.
bool soon(FunctionRef<bool()> done);

// What lies at an address, as the operating system tells it; 0: nothing.
uint64_t inode_at(const void* address);
size_t mappings();
size_t descriptors();

class MemoryStation {
 public:
  // device N            aclrtSetDevice
  // reset N             aclrtResetDevice
  // malloc BYTES        the memory that later orders are about
  // free
  // export AT BYTES FLAGS      0 KEY
  // import KEY FLAGS    likewise; the place of KEY
  // allow KEY PID
  // close KEY
  // load AT             0 VALUE: a byte, without any call of the runtime
  // store AT VALUE      by a kernel on this process's device
  // read AT             0 VALUE: by aclrtMemcpy
  // write AT VALUE      the same
  // pull AT BYTES       aclrtMemcpy into memory of this process's device
  // inode, where, fds, maps, used    0 NUMBER
  // peer N              aclrtDeviceEnablePeerAccess
  // physical BYTES      aclrtMallocPhysical
  // share FLAGS         0 NUMBER
  // take NUMBER         aclrtMemImportFromShareableHandle
  // fabric-share FLAGS, fabric-take HEX    the same with a FABRIC handle, in hexadecimal digits
  // list NUMBER PID     aclrtMemSetPidToShareableHandle
  // map BYTES           reserves addresses, and maps the handle's memory there
  // unmap               and releases the addresses
  // drop                aclrtFreePhysical
  std::string obey(const std::string& order);

  std::byte* memory() const { return memory_; }

 private:
  std::string obey_handles(const std::string& verb, std::istream& words);

  int device_ = 0;
  std::byte* memory_ = nullptr;
  aclrtDrvMemHandle handle_ = nullptr;
};

// A second process with a station.
struct MemoryProcess {
  explicit MemoryProcess(int device = 0, const std::vector<std::pair<std::string, std::string>>& environment = {})
      : process("memory_station", environment) {
    EXPECT_EQ(ask("device {}", device), "0");
  }
  template <class... A>
  std::string ask(const char* order, A... values);

  SecondProcess process;
};

// "order {} {}" with the values in the places.
std::string hex_of(const void* bytes, size_t count);
void from_hex(const std::string& text, void* bytes, size_t count);
// Physical memory of a device.
aclrtPhysicalMemProp memory_on(int device);

inline std::string order_of(std::string text) { return text; }
template <class First, class... Rest>
std::string order_of(std::string text, const First& first, const Rest&... rest) {
  std::string value;
  if constexpr (std::is_convertible_v<First, std::string>) {
    value = first;
  } else {
    value = std::to_string(first);
  }
  const size_t at = text.find("{}");
  const std::string after = order_of(text.substr(at + 2), rest...);
  return text.substr(0, at) + value + after;
}

template <class... A>
std::string MemoryProcess::ask(const char* order, A... values) {
  return process.ask(order_of(order, values...));
}

}  // namespace canopy::test
