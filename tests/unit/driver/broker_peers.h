// What the tests of Broker share. Children are forked before a test starts its own Broker: ThreadSanitizer
// allows no threads in the child of a process that had threads.
#pragma once

#include "runtime/base/log.h"
#include "runtime/base/mapping.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/broker.h"
#include "tests/unit/driver/child_process.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace canopy::test {

inline constexpr size_t kBytes = 1 << 20;

inline std::unique_ptr<Broker> start(Broker::LostCallback on_lost = {}) {
  auto broker = Broker::start(std::move(on_lost));
  EXPECT_TRUE(broker) << error_text::newest();
  return broker ? std::move(*broker) : nullptr;
}

inline bool soon(FunctionRef<bool()> done, std::chrono::milliseconds limit) {
  return wait_until(done, nullptr, BellScope::process, Deadline::after(limit),
                    [] { return std::string("the test"); }) == WaitEnd::ready;
}

inline size_t open_fds() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(folder), end(folder)));
}

// A client that knows sockets but not the protocol. No descriptor when the connection is refused.
inline UniqueFd stranger(const std::string& address) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.copy(name.sun_path + 1, address.size());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + address.size());
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&name), bytes) != 0) {
    socket.reset();
  }
  return socket;
}

// Another process with a Broker that publishes kBytes of memory.
struct Exporter {
  std::unique_ptr<ChildProcess> process;
  std::string address;
  uint64_t id = 0;

  // `after` runs in the child once it has published; when it returns, the broker says goodbye.
  template <class After>
  explicit Exporter(After after, std::vector<pid_t> pids = {}) {
    process = std::make_unique<ChildProcess>([&](Line& line) {
      auto broker = start();
      auto memory = sealed_memfd("broker-test", kBytes);
      auto map = Mapping::shared(*memory, kBytes);
      std::strcpy(reinterpret_cast<char*>(map->base()), "from the exporter");
      const auto published = broker->publish(*memory, kBytes, pids);
      struct stat found {};
      ::fstat(memory->get(), &found);
      line.say(fmt::format("{} {} {}", broker->address(), *published, found.st_ino));
      after(line, broker, *published, *map);
    });
    std::istringstream(process->line().hear()) >> address >> id >> inode;
  }
  Exporter() : Exporter([](Line& line, auto&, uint64_t, Mapping&) { line.hear(); }) {}
  ino_t inode = 0;
};

}  // namespace canopy::test
