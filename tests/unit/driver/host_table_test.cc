#include "runtime/driver/host_table.h"

#include "runtime/base/clock.h"
#include "runtime/base/waiter.h"
#include "runtime/driver/fabric_handle.h"
#include "runtime/driver/host_table_layout.h"
#include "runtime/driver/range_lock.h"
#include "tests/unit/driver/child_process.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>

namespace canopy {
namespace {

using test::ChildProcess;
using test::Line;

constexpr uint64_t kMiB = 1u << 20;
constexpr uint64_t kCapacity = 64 * kMiB;

class HostTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = fmt::format("/dev/shm/canopy-test-{}", ::getpid());
    use_path(path_);
  }
  void TearDown() override {
    ::unlink(path_.c_str());
    ::unsetenv("CANOPY_HOST_TABLE");
  }
  void use_path(const std::string& path) { ::setenv("CANOPY_HOST_TABLE", path.c_str(), 1); }
  static std::unique_ptr<HostTable> open() {
    auto table = HostTable::open();
    EXPECT_TRUE(table) << error_text::newest();
    return table ? std::move(*table) : nullptr;
  }
  // A child that holds `bytes` of device 0 and says "held" when it does.
  static std::unique_ptr<ChildProcess> owner_of(uint64_t bytes) {
    auto child = std::make_unique<ChildProcess>([&](Line& line) {
      auto table = HostTable::open();
      line.say(table && (*table)->reserve(0, bytes, kCapacity) ? "held" : error_text::newest());
      line.hear();
    });
    EXPECT_EQ(child->line().hear(), "held");
    return child;
  }
  void overwrite(off_t at, const void* bytes, size_t count) {
    UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_EQ(::pwrite(fd.get(), bytes, count, at), static_cast<ssize_t>(count));
  }
  static off_t slot_at(const HostTable& table) {
    return static_cast<off_t>(host_table::kSlotsOffset + table.slot() * sizeof(host_table::Slot));
  }
  std::string path_;
};

TEST_F(HostTableTest, ReserveAndReleaseAreExact) {
  auto table = open();
  EXPECT_TRUE(table->reserve(3, 10 * kMiB, kCapacity));
  EXPECT_TRUE(table->reserve(3, 54 * kMiB, kCapacity));
  EXPECT_EQ(table->used_bytes(3), kCapacity);
  EXPECT_EQ(table->used_bytes(2), 0u);
  table->release(3, 54 * kMiB);
  EXPECT_EQ(table->used_bytes(3), 10 * kMiB);
}

TEST_F(HostTableTest, OverCapacityIsRefusedWithTheFigures) {
  auto table = open();
  ASSERT_TRUE(table->reserve(1, 60 * kMiB, kCapacity));
  auto refused = table->reserve(1, 6 * kMiB, kCapacity);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::no_memory);
  const std::string text = error_text::newest();
  EXPECT_NE(text.find("device 1: 6291456 bytes wanted, 4194304 free"), std::string::npos) << text;
  EXPECT_NE(text.find("62914560 of 67108864"), std::string::npos) << text;
  EXPECT_EQ(table->used_bytes(1), 60 * kMiB);
}

TEST_F(HostTableTest, HugeRequestsDoNotWrapAround) {
  auto table = open();
  ASSERT_TRUE(table->reserve(0, 2 * kMiB, kCapacity));
  EXPECT_FALSE(table->reserve(0, ~0ull - kMiB, kCapacity));
  EXPECT_FALSE(table->reserve(0, 1, kMiB));  // capacity below what is used already
  EXPECT_EQ(table->used_bytes(0), 2 * kMiB);
}

TEST_F(HostTableTest, DeviceOutOfRangeIsAnError) {
  auto table = open();
  EXPECT_EQ(table->reserve(kMaxDevices, kMiB, kCapacity).error().code, Errc::bad_device);
  EXPECT_EQ(table->reserve(-1, kMiB, kCapacity).error().code, Errc::bad_device);
}

TEST_F(HostTableTest, TwoProcessesSumUp) {
  auto table = open();
  ASSERT_TRUE(table->reserve(0, 20 * kMiB, kCapacity));
  auto child = owner_of(30 * kMiB);
  EXPECT_EQ(table->used_bytes(0), 50 * kMiB);
  EXPECT_FALSE(table->reserve(0, 20 * kMiB, kCapacity));
  EXPECT_TRUE(table->reserve(0, 14 * kMiB, kCapacity));
}

TEST_F(HostTableTest, TablesOfOneProcessHaveSlotsOfTheirOwn) {
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first->reserve(0, 4 * kMiB, kCapacity));
  ASSERT_TRUE(second->reserve(0, 2 * kMiB, kCapacity));
  EXPECT_EQ(first->owners().size(), 2u);
  EXPECT_EQ(first->used_bytes(0), 6 * kMiB);
  first.reset();
  EXPECT_EQ(second->used_bytes(0), 2 * kMiB);
  EXPECT_EQ(second->owners().size(), 1u);
}

TEST_F(HostTableTest, OwnersTellPidNameAndDevices) {
  auto table = open();
  table->set_open(5, true);
  table->set_open(7, true);
  table->set_open(5, false);
  ASSERT_TRUE(table->reserve(7, 2 * kMiB, kCapacity));
  const auto owners = table->owners();
  ASSERT_EQ(owners.size(), 1u);
  EXPECT_EQ(owners[0].pid, ::getpid());
  EXPECT_EQ(owners[0].name, program_invocation_short_name);
  EXPECT_EQ(owners[0].open_devices, 1ull << 7);
  EXPECT_EQ(owners[0].used_bytes.at(7), 2 * kMiB);
}

TEST_F(HostTableTest, KilledOwnerGivesItsCapacityBackAtOnce) {
  auto table = open();
  auto child = owner_of(kCapacity);
  EXPECT_FALSE(table->reserve(0, 2 * kMiB, kCapacity));
  child->kill();
  EXPECT_EQ(table->used_bytes(0), 0u);
  EXPECT_TRUE(table->reserve(0, kCapacity, kCapacity)) << error_text::newest();
  EXPECT_EQ(table->owners().size(), 1u);
}

TEST_F(HostTableTest, RandomKillsLeaveTheSumsExact) {
  auto table = open();
  ASSERT_TRUE(table->reserve(0, 2 * kMiB, kCapacity));
  unsigned seed = 1;
  for (int i = 0; i < 200; ++i) {
    // Killed at a random point of a loop that holds the mutex most of the time.
    ChildProcess child([](Line& line) {
      auto mine = HostTable::open();
      for (int n = 0;; ++n) {
        if (n == 1) {
          line.say("running");
        }
        if ((*mine)->reserve(0, kMiB, kCapacity)) {
          (*mine)->release(0, kMiB);
        }
      }
    });
    ASSERT_EQ(child.line().hear(), "running");
    for (const uint64_t at = monotonic_ns() + ::rand_r(&seed) % 50'000; monotonic_ns() < at;) {
    }
    child.kill();
    ASSERT_EQ(table->used_bytes(0), 2 * kMiB) << "after kill " << i;
  }
  EXPECT_TRUE(table->reserve(0, kCapacity - 2 * kMiB, kCapacity)) << error_text::newest();
  EXPECT_EQ(table->owners().size(), 1u);
}

TEST_F(HostTableTest, ThreadsReserveExactly) {
  auto table = open();
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        if (table->reserve(0, kMiB, kCapacity)) {
          ++granted;
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(granted, 64);
  EXPECT_EQ(table->used_bytes(0), kCapacity);
}

TEST_F(HostTableTest, TableOfTheDeadIsReset) {
  auto child = owner_of(kCapacity);
  child->kill();
  auto table = open();
  EXPECT_EQ(table->used_bytes(0), 0u);
  EXPECT_EQ(table->owners().size(), 1u);
  struct stat found {};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_LT(found.st_size, 256 * 1024);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST_F(HostTableTest, CorruptFileThatNobodyHoldsIsReset) {
  const std::string garbage(5000, 'x');
  overwrite(0, garbage.data(), garbage.size());
  auto table = open();
  EXPECT_TRUE(table->reserve(0, kCapacity, kCapacity));
}

TEST_F(HostTableTest, CorruptHeaderOfAHeldTableIsAnErrorNamingTheFile) {
  auto holder = open();
  const uint64_t magic = 1;
  overwrite(offsetof(host_table::Header, magic), &magic, sizeof magic);
  auto second = HostTable::open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(error_text::newest().find(path_), std::string::npos);
}

TEST_F(HostTableTest, OtherVersionIsAnErrorWhileHeldAndResetAfterwards) {
  auto holder = open();
  const uint32_t version = host_table::kVersion + 1;
  overwrite(offsetof(host_table::Header, version), &version, sizeof version);
  EXPECT_EQ(HostTable::open().error().code, Errc::busy);
  holder.reset();
  EXPECT_TRUE(HostTable::open()) << error_text::newest();
}

TEST_F(HostTableTest, WhatIsHeldCountsWhateverOthersWriteIntoTheSlot) {
  auto table = open();
  ASSERT_TRUE(table->reserve(5, kMiB, kCapacity));
  const uint8_t age = table->age();
  host_table::Slot wild{};  // free, and with no pages
  overwrite(slot_at(*table), &wild, sizeof wild);
  EXPECT_EQ(table->age(), age) << "what we have begun is ended by it";
  EXPECT_EQ(table->used_bytes(5), kMiB);
  EXPECT_EQ(table->reserve(5, kCapacity, kCapacity).error().code, Errc::no_memory);
  table->release(5, kMiB);
  EXPECT_EQ(table->used_bytes(5), 0u);
}

// What FABRIC handles tell hosts by: boot ids cannot be read everywhere.
TEST_F(HostTableTest, TablesAreToldFromEachOtherWithoutABootId) {
  const auto here = [](const HostTable& table) {
    HostIdentity identity = HostIdentity::of(table);
    identity.boot = {};
    return identity;
  };
  auto first = open();
  auto second = open();
  EXPECT_EQ(here(*first), here(*second));
  const HostIdentity before = here(*first);
  first.reset();
  second.reset();
  EXPECT_NE(before, here(*open())) << "after a reset it is another one";
  use_path("/nonexistent/canopy-table");
  EXPECT_NE(here(*open()), here(*open())) << "of one process each";
}

TEST_F(HostTableTest, NamesOfProgramsCanBeShown) {
  auto table = open();
  overwrite(slot_at(*table) + static_cast<off_t>(offsetof(host_table::Slot, name)), "\x1b[2J\n\xff", 7);
  ASSERT_EQ(table->owners().size(), 1u);
  EXPECT_EQ(table->owners()[0].name, "?[2J??");
}

TEST_F(HostTableTest, LongNamesAreCutBetweenCharacters) {
  const auto shown = [&](std::string name) {
    char* own = std::exchange(program_invocation_short_name, name.data());
    auto table = open();
    program_invocation_short_name = own;
    return table->owners()[0].name;
  };
  const auto umlauts = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += "\u00fc";
    }
    return text;
  };
  EXPECT_EQ(shown("a" + umlauts(19)), "a" + umlauts(19)) << "39 bytes fit";
  EXPECT_EQ(shown(umlauts(20)), umlauts(19) + "~");
  EXPECT_EQ(shown("a" + umlauts(20)), "a" + umlauts(18) + "~");
  EXPECT_EQ(shown(std::string(40, 'x')), std::string(38, 'x') + "~");
}

TEST_F(HostTableTest, MissingDirectoryMakesTheTablePrivate) {
  use_path("/nonexistent/canopy-table");
  auto first = open();
  auto second = open();
  ASSERT_TRUE(first->reserve(0, kCapacity, kCapacity));
  EXPECT_EQ(first->used_bytes(0), kCapacity);
  EXPECT_EQ(second->used_bytes(0), 0u);
}

TEST_F(HostTableTest, ReadOnlyDirectoryMakesTheTablePrivate) {
  const std::string folder = path_ + "-folder";
  ASSERT_EQ(::mkdir(folder.c_str(), 0555), 0);
  use_path(folder + "/table");
  ChildProcess child([](Line& line) {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) {
      line.say("cannot become another user");
    }
    auto table = HostTable::open();
    line.say(table && (*table)->reserve(0, kMiB, kCapacity) ? "private" : error_text::newest());
  });
  EXPECT_EQ(child.line().hear(), "private");
  ::rmdir(folder.c_str());
}

TEST_F(HostTableTest, FileOfAnotherUserIsRefused) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can make another user's file";
  }
  overwrite(0, "x", 1);
  ASSERT_EQ(::chown(path_.c_str(), 65534, 65534), 0);
  auto table = HostTable::open();
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Errc::no_permission);
  EXPECT_NE(error_text::newest().find("65534"), std::string::npos) << error_text::newest();
}

// Anybody may make a directory in /dev/shm: it must not cost this user the common account.
TEST_F(HostTableTest, DirectoriesAndSocketsAreRefused) {
  ::unlink(path_.c_str());
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  auto table = HostTable::open();
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Errc::no_permission);
  EXPECT_NE(error_text::newest().find("a directory"), std::string::npos) << error_text::newest();
  ASSERT_EQ(::rmdir(path_.c_str()), 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  ASSERT_LT(path_.size(), sizeof address.sun_path);
  path_.copy(address.sun_path, path_.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
  table = HostTable::open();
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Errc::no_permission);
  EXPECT_NE(error_text::newest().find("a socket"), std::string::npos) << error_text::newest();
  ::unlink(path_.c_str());
}

TEST_F(HostTableTest, SymbolicLinksAndHardLinksAreRefused) {
  const std::string other = path_ + "-other";
  std::ofstream(other) << "precious";
  ASSERT_EQ(::symlink(other.c_str(), path_.c_str()), 0);
  EXPECT_EQ(HostTable::open().error().code, Errc::no_permission);
  ::unlink(path_.c_str());
  ::chmod(other.c_str(), 0600);
  ASSERT_EQ(::link(other.c_str(), path_.c_str()), 0);
  EXPECT_EQ(HostTable::open().error().code, Errc::no_permission);
  std::string content;
  std::ifstream(other) >> content;
  EXPECT_EQ(content, "precious");
  ::unlink(other.c_str());
}

TEST_F(HostTableTest, FileOpenToOthersIsRefused) {
  overwrite(0, "x", 1);
  ::chmod(path_.c_str(), 0666);
  EXPECT_EQ(HostTable::open().error().code, Errc::no_permission);
}

TEST_F(HostTableTest, ChildOfForkNeitherUsesNorFreesTheParentsSlot) {
  auto table = open();
  auto other = open();
  ASSERT_TRUE(table->reserve(0, 8 * kMiB, kCapacity));
  ChildProcess child([&](Line& line) {
    const auto refused = table->reserve(0, kMiB, kCapacity);
    line.say(!refused && refused.error().code == Errc::forked ? "forked" : "allowed");
    table.reset();
    other.reset();
  });
  EXPECT_EQ(child.line().hear(), "forked");
  child.wait();
  EXPECT_EQ(other->used_bytes(0), 8 * kMiB);
  EXPECT_EQ(other->owners().size(), 2u);
}

TEST_F(HostTableTest, ChildOfForkDoesNotKeepADeadParentsSlot) {
  auto table = open();
  ChildProcess parent([&](Line& line) {
    auto mine = HostTable::open();
    (void)(*mine)->reserve(0, kCapacity, kCapacity);
    if (::fork() == 0) {
      line.say(std::to_string(::getpid()));
      for (;;) {
        ::pause();
      }
    }
    for (;;) {
      ::pause();
    }
  });
  const pid_t grandchild = std::stoi(parent.line().hear());
  EXPECT_EQ(table->used_bytes(0), kCapacity);
  parent.kill();
  EXPECT_EQ(::kill(grandchild, 0), 0);
  EXPECT_EQ(table->used_bytes(0), 0u);
  ::kill(grandchild, SIGKILL);
}

TEST_F(HostTableTest, ChildOfForkMayOpenItsOwn) {
  auto table = open();
  ChildProcess child([](Line& line) {
    auto mine = HostTable::open();
    line.say(mine && (*mine)->reserve(0, 2 * kMiB, kCapacity) ? "held" : error_text::newest());
    line.hear();
  });
  EXPECT_EQ(child.line().hear(), "held");
  EXPECT_EQ(table->used_bytes(0), 2 * kMiB);
}

TEST_F(HostTableTest, SpinPermitsOfAKilledProcessComeBack) {
  if (usable_cores() < 2) {
    GTEST_SKIP() << "one core: nobody may spin";
  }
  auto table = open();
  ChildProcess child([](Line& line) {
    auto mine = HostTable::open();
    int got = 0;
    while (SpinBudget::try_acquire()) {
      ++got;
    }
    line.say(std::to_string(got));
    line.hear();
  });
  EXPECT_EQ(child.line().hear(), std::to_string(usable_cores() - 1));
  EXPECT_FALSE(SpinBudget::try_acquire());
  child.kill();
  EXPECT_EQ(table->owners().size(), 1u);
  EXPECT_TRUE(SpinBudget::try_acquire());
  SpinBudget::release();
}

TEST_F(HostTableTest, AllSlotsTakenIsAnError) {
  std::vector<std::unique_ptr<HostTable>> tables;
  for (uint32_t i = 0; i < host_table::kSlots; ++i) {
    tables.push_back(open());
  }
  EXPECT_EQ(HostTable::open().error().code, Errc::limit);
  tables.pop_back();
  EXPECT_TRUE(HostTable::open());
}

TEST_F(HostTableTest, ManyProcessesOpenAtOnceAndShareOneTable) {
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < 16; ++i) {
    children.push_back(std::make_unique<ChildProcess>([](Line& line) {
      line.hear();
      auto table = HostTable::open();
      line.say(table && (*table)->reserve(0, kMiB, kCapacity) ? "held" : error_text::newest());
      line.hear();
    }));
  }
  for (auto& child : children) {
    child->line().say("go");
  }
  for (auto& child : children) {
    EXPECT_EQ(child->line().hear(), "held");
  }
  auto table = open();
  EXPECT_EQ(table->used_bytes(0), 16 * kMiB);
  EXPECT_EQ(table->owners().size(), 17u);
}

}  // namespace
}  // namespace canopy
