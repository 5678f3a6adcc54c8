// A host table that somebody has scribbled on: whoever has it open reads, reserves and releases as before, and what
// it says about others is at worst wrong.
//
//   OFFSET32 SIZE8 BYTES ...   written over the table, one piece after the other
//
// Left alone: the header's identity, which openers check (tests/unit/driver/host_table_test.cc), and the mutex.
// The C library follows the pointers that lie in a robust mutex; whoever may write there may as well
// attach a debugger to us.
#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/base/mapping.h"
#include "runtime/base/printable.h"
#include "runtime/driver/host_table_layout.h"
#include "runtime/driver/sharing.h"
#include "tests/fuzz/input.h"

#include <fcntl.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace canopy::fuzz {
namespace {

using host_table::kFileBytes;

constexpr uint64_t kCapacity = uint64_t{1} << 40;

// One table for all runs: opened here, and put back as it was before each.
struct Site {
  std::unique_ptr<HostTable> table;
  Mapping file;
  std::vector<std::byte> clean;

  Site() {
    const std::string path = fmt::format("/dev/shm/canopy-fuzz-{}", ::getpid());
    ::setenv("CANOPY_HOST_TABLE", path.c_str(), 1);
    auto opened = HostTable::open();
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ::unlink(path.c_str());
    CHECK(opened && fd, "this machine has a /dev/shm");
    table = std::move(*opened);
    file = std::move(*Mapping::shared(fd, kFileBytes));
    clean.assign(file.base(), file.base() + kFileBytes);
  }
};

bool may_be_written(size_t at) {
  return at >= offsetof(host_table::Header, high_water) && !(at >= offsetof(host_table::Header, mutex) && at < sizeof(host_table::Header));
}

void scribble(Input& input, Mapping& file) {
  while (!input.empty()) {
    size_t at = input.number<uint32_t>() % kFileBytes;
    for (const char c : input.bytes(input.byte())) {
      if (at < kFileBytes && may_be_written(at)) {
        file.base()[at] = static_cast<std::byte>(c);
      }
      ++at;
    }
  }
}

void use(HostTable& table) {
  for (int device = 0; device < kMaxDevices; ++device) {
    (void)table.used_bytes(device);
  }
  for (uint32_t slot = 0; slot < HostTable::max_slots(); ++slot) {
    (void)table.broker_of(slot);
  }
  if (table.reserve(3, 1 << 20, kCapacity)) {
    table.set_open(3, true);
    CHECK(table.used_bytes(3) >= 1 << 20, "what this process has reserved counts, whatever the table said before");
    table.release(3, 1 << 20);
    table.set_open(3, false);
  }
  for (const HostOwner& owner : table.owners()) {
    CHECK(printable(owner.name) == owner.name, "a program's name can be shown on a terminal, and is UTF-8");
  }
  table.bell().take();
}

}  // namespace
}  // namespace canopy::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace canopy;
  set_log_level(LogLevel::off);
  static fuzz::Site site;
  std::copy(site.clean.begin(), site.clean.end(), site.file.base());
  fuzz::Input input(data, bytes);
  fuzz::scribble(input, site.file);
  fuzz::use(*site.table);
  return 0;
}
