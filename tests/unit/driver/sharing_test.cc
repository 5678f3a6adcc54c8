#include "runtime/driver/sharing.h"

#include "runtime/base/env.h"
#include "runtime/base/mapping.h"
#include "runtime/driver/host_table_layout.h"
#include "tests/unit/driver/broker_peers.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <vector>

namespace canopy {
namespace {

using namespace test;

// A process with its own place in a host table, which lasts as long as one test.
struct Site {
  std::unique_ptr<HostTable> table;
  std::unique_ptr<Sharing> sharing;

  Site() {
    auto opened = HostTable::open();
    EXPECT_TRUE(opened) << error_text::newest();
    table = std::move(*opened);
    sharing = std::make_unique<Sharing>(*table);
  }
};

class SharingTest : public testing::Test {
 protected:
  SharingTest() : path_(fmt::format("/dev/shm/canopy-sharing-test-{}", ::getpid())) {
    ::setenv("CANOPY_HOST_TABLE", path_.c_str(), 1);
  }
  ~SharingTest() override {
    ::unlink(path_.c_str());
    ::unsetenv("CANOPY_HOST_TABLE");
  }

 private:
  const std::string path_;
};

std::shared_ptr<const UniqueFd> memory_file() {
  auto fd = sealed_memfd("sharing-test", kBytes);
  EXPECT_TRUE(fd) << error_text::newest();
  return std::make_shared<const UniqueFd>(std::move(*fd));
}

Export whole(std::shared_ptr<const UniqueFd> fd, Secret secret = {}) {
  return Export{.fd = std::move(fd), .bytes = kBytes, .device = 3, .secret = secret, .pids = {}, .owner = {}};
}

std::string words_of(const SharedKey& key) { return fmt::format("{} {} {}", key.id, key.secret.bits[0], key.secret.bits[1]); }

SharedKey key_of(const std::string& words) {
  SharedKey key;
  std::istringstream(words) >> key.id >> key.secret.bits[0] >> key.secret.bits[1];
  return key;
}

// A process that shares memory, tells its key, and then does what it is told: "end", "allow PID", "count" (of
// importers that were lost), "held" (whether the memory is kept).
struct SharingProcess {
  explicit SharingProcess(bool listed_only = false)
      : process([listed_only](Line& line) {
          Site site;
          std::atomic<int> lost{0};
          auto owner = std::make_shared<int>();
          std::weak_ptr<int> kept = owner;
          Export object = whole(memory_file(), Secret::random());
          const Secret secret = object.secret;
          object.listed_only = listed_only;
          object.owner = std::move(owner);
          const auto id = site.sharing->share(std::move(object), [&](const Sharing::Importer&) { ++lost; });
          line.say(words_of({*id, secret}));
          for (std::string order = line.hear(); !order.empty() && order != "leave"; order = line.hear()) {
            if (order == "end") {
              site.sharing->end(*id);
            } else if (order.starts_with("allow ")) {
              const int32_t pid = std::atoi(order.c_str() + 6);
              (void)site.sharing->allow(*id, {&pid, 1});
            }
            line.say(order == "count" ? std::to_string(lost.load()) : order == "held" ? (kept.expired() ? "no" : "yes") : "done");
          }
        }) {
    key = key_of(process.line().hear());
  }
  std::string order(const std::string& what) {
    process.line().say(what);
    return process.line().hear();
  }
  bool comes(const std::string& question, const std::string& answer) {
    return soon([&] { return order(question) == answer; }, std::chrono::seconds(5));
  }

  ChildProcess process;
  SharedKey key;
};

TEST_F(SharingTest, AnotherProcessFindsItByTheNumberAlone) {
  SharingProcess exporter;
  Site site;
  auto got = site.sharing->import(ObjectKind::memory, exporter.key);
  ASSERT_TRUE(got) << error_text::newest();
  EXPECT_EQ(got->bytes, kBytes);
  EXPECT_EQ(got->offset, 0u);
  EXPECT_EQ(got->host_device, 3);
  EXPECT_TRUE(Mapping::shared(got->fd, kBytes));
  EXPECT_NE(got->exporter, site.sharing->own_slot());
}

TEST_F(SharingTest, ItsOwnProcessMayNotImport) {
  Site site;
  auto id = site.sharing->share(whole(memory_file()));
  ASSERT_TRUE(id) << error_text::newest();
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, {*id, {}}).error().code, Errc::invalid_argument);
}

TEST_F(SharingTest, WrongKindSecretOrNumberIsNotShared) {
  SharingProcess exporter;
  Site site;
  SharedKey guessed = exporter.key;
  guessed.secret.bits[1] ^= 1;
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, guessed).error().code, Errc::stale_handle);
  EXPECT_EQ(site.sharing->import(ObjectKind::notify, exporter.key).error().code, Errc::stale_handle);
  guessed = exporter.key;
  guessed.id ^= uint64_t{1} << 40;
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, guessed).error().code, Errc::stale_handle);
  EXPECT_TRUE(site.sharing->import(ObjectKind::memory, exporter.key)) << "refusals must not spoil the connection";
}

TEST_F(SharingTest, NumbersThatNobodyCanHaveMadeAreArguments) {
  Site site;
  for (const uint64_t id : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{0xABC} << 16}) {
    EXPECT_EQ(site.sharing->import(ObjectKind::memory, {id, {}}).error().code, Errc::invalid_argument) << id;
  }
}

TEST_F(SharingTest, ASlotThatNobodyHoldsIsADeadExporter) {
  Site site;
  const uint64_t id = uint64_t{77} << 16 | HostTable::max_slots();
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, {id, {}}).error().code, Errc::peer_lost);
}

TEST_F(SharingTest, OnlyListedProcessesMayImport) {
  SharingProcess exporter(true);
  Site site;
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, exporter.key).error().code, Errc::no_permission);
  exporter.order(fmt::format("allow {}", ::getpid()));
  EXPECT_TRUE(site.sharing->import(ObjectKind::memory, exporter.key)) << error_text::newest();
}

TEST_F(SharingTest, WhatHasEndedIsKeptForWhoHasIt) {
  SharingProcess exporter;
  Site site;
  auto got = site.sharing->import(ObjectKind::memory, exporter.key);
  ASSERT_TRUE(got) << error_text::newest();
  exporter.order("end");
  EXPECT_EQ(exporter.order("held"), "yes");
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, exporter.key).error().code, Errc::stale_handle);
  got->reset();
  EXPECT_TRUE(exporter.comes("held", "no"));
  EXPECT_EQ(exporter.order("count"), "0") << "who gives back was not lost";
}

TEST_F(SharingTest, TheImporterLearnsOfTheExportersDeath) {
  SharingProcess exporter;
  Site site;
  std::atomic<int> told{0};
  auto got = site.sharing->import(ObjectKind::memory, exporter.key, [&] { ++told; });
  ASSERT_TRUE(got) << error_text::newest();
  exporter.process.kill();
  EXPECT_TRUE(soon([&] { return told.load() == 1; }, std::chrono::seconds(2)));
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, exporter.key).error().code, Errc::peer_lost);
}

TEST_F(SharingTest, TheImporterLearnsThatTheExporterLeft) {
  SharingProcess exporter;
  Site site;
  std::atomic<int> told{0};
  auto got = site.sharing->import(ObjectKind::memory, exporter.key, [&] { ++told; });
  ASSERT_TRUE(got) << error_text::newest();
  exporter.process.line().say("leave");
  EXPECT_TRUE(soon([&] { return told.load() == 1; }, std::chrono::seconds(2)));
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, exporter.key).error().code, Errc::peer_lost);
  EXPECT_TRUE(Mapping::shared(got->fd, kBytes)) << "what it has stays its own";
}

// The slot and the number's low bits are the same, the process is another.
TEST_F(SharingTest, AKeyOfTheSlotsEarlierProcessIsStale) {
  SharedKey replayed;
  {
    SharingProcess exporter;
    replayed = exporter.key;
    exporter.process.kill();
  }
  SharingProcess successor;
  ASSERT_EQ(replayed.id & 0xFFFF, successor.key.id & 0xFFFF);
  Site site;
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, replayed).error().code, Errc::stale_handle);
  EXPECT_TRUE(site.sharing->import(ObjectKind::memory, successor.key)) << error_text::newest();
}

TEST_F(SharingTest, AKeyOfAnEarlierProcessOfOurOwnSlotIsStale) {
  SharedKey replayed;
  {
    SharingProcess exporter;
    replayed = exporter.key;
    exporter.process.kill();
  }
  Site site;
  ASSERT_EQ(replayed.id & 0xFFFF, site.sharing->own_slot() + 1);
  EXPECT_EQ(site.sharing->import(ObjectKind::memory, replayed).error().code, Errc::stale_handle) << error_text::newest();
}

TEST_F(SharingTest, NobodyIsToldWhatWasGivenBack) {
  SharingProcess exporter;
  SharingProcess other;
  Site site;
  std::atomic<int> told{0};
  std::atomic<int> told_of_other{0};
  auto got = site.sharing->import(ObjectKind::memory, exporter.key, [&] { ++told; });
  auto kept = site.sharing->import(ObjectKind::memory, other.key, [&] { ++told_of_other; });
  ASSERT_TRUE(got && kept) << error_text::newest();
  got->reset();
  exporter.process.kill();
  other.process.kill();
  ASSERT_TRUE(soon([&] { return told_of_other.load() == 1; }, std::chrono::seconds(2)));
  EXPECT_EQ(told.load(), 0);
}

TEST_F(SharingTest, WhatIsGivenBackComesBackWhateverOthersWriteIntoTheTable) {
  SharingProcess exporter;
  Site site;
  auto got = site.sharing->import(ObjectKind::memory, exporter.key);
  ASSERT_TRUE(got) << error_text::newest();
  exporter.order("end");
  const BrokerName nobody{1, 1};
  const UniqueFd table(::open(site.table->path().c_str(), O_RDWR | O_CLOEXEC));
  const auto at = host_table::kSlotsOffset + got->exporter * sizeof(host_table::Slot) + offsetof(host_table::Slot, broker);
  ASSERT_EQ(::pwrite(table.get(), &nobody, sizeof nobody, static_cast<off_t>(at)), static_cast<ssize_t>(sizeof nobody));
  got->reset();
  EXPECT_TRUE(exporter.comes("held", "no"));
}

// Makes the process at `address` drop our connection: what it gets is no message. By a descriptor of our own, because
// the connection's may be closed, and its number be another's, any moment; past ThreadSanitizer, which takes a look at a
// number that another thread closes for a race.
void spoil_connection(const std::string& address) {
  for (int fd = 3; fd < 256; ++fd) {
    const long own = ::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0) {
      continue;
    }
    sockaddr_un name{};
    socklen_t bytes = sizeof name;
    if (::syscall(SYS_getpeername, own, &name, &bytes) == 0 && bytes > offsetof(sockaddr_un, sun_path) &&
        std::string(name.sun_path + 1, bytes - offsetof(sockaddr_un, sun_path) - 1) == address) {
      ::syscall(SYS_sendto, own, "?", 1, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
    }
    ::syscall(SYS_close, own);
  }
}

// Each end is told to the imports of that connection, and to no others; and none is without one that is watched.
TEST_F(SharingTest, AnExporterThatDropsConnectionsIsLostOncePerImport) {
  set_log_level(LogLevel::error);
  SharingProcess exporter;
  Site site;
  const std::string address = site.table->broker_of(static_cast<uint32_t>(exporter.key.id & 0xFFFF) - 1)->address();
  constexpr int kThreads = 3;
  constexpr int kRounds = 150;
  std::atomic<int> told{0};
  std::vector<std::vector<Import>> imports(kThreads);
  std::vector<std::thread> threads;
  for (auto& mine : imports) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        if (auto got = site.sharing->import(ObjectKind::memory, exporter.key, [&] { ++told; })) {
          mine.push_back(std::move(*got));
        } else {
          EXPECT_EQ(got.error().code, Errc::peer_lost) << error_text::newest();
        }
        spoil_connection(address);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  int imported = 0;
  for (const auto& mine : imports) {
    imported += static_cast<int>(mine.size());
  }
  EXPECT_GT(imported, 0);
  exporter.process.kill();
  EXPECT_TRUE(soon([&] { return told.load() == imported; }, std::chrono::seconds(5))) << told << " of " << imported;
  imports.clear();
  EXPECT_EQ(told.load(), imported);
  set_log_level(LogLevel::warn);
}

TEST_F(SharingTest, TheExporterLearnsOfTheImportersDeath) {
  SharingProcess exporter;
  ChildProcess importer([&](Line& line) {
    Site site;
    auto first = site.sharing->import(ObjectKind::memory, exporter.key);
    auto second = site.sharing->import(ObjectKind::memory, exporter.key);
    line.say(first && second ? "imported" : error_text::newest());
    line.hear();
  });
  ASSERT_EQ(importer.line().hear(), "imported");
  EXPECT_EQ(exporter.order("count"), "0");
  exporter.order("end");
  importer.kill();
  EXPECT_TRUE(exporter.comes("held", "no"));
}

TEST_F(SharingTest, EveryLeaseOfAnImporterThatDiedIsTold) {
  SharingProcess exporter;
  ChildProcess importer([&](Line& line) {
    Site site;
    auto first = site.sharing->import(ObjectKind::memory, exporter.key);
    auto second = site.sharing->import(ObjectKind::memory, exporter.key);
    line.say(first && second ? "imported" : error_text::newest());
    line.hear();
  });
  ASSERT_EQ(importer.line().hear(), "imported");
  importer.kill();
  EXPECT_TRUE(exporter.comes("count", "2"));
}

TEST(SharedKey, TextComesBack) {
  const SharedKey key{0x1234, Secret::random()};
  for (const ObjectKind kind : {ObjectKind::memory, ObjectKind::notify, ObjectKind::event}) {
    const std::string text = key.text(kind);
    EXPECT_EQ(text.size(), SharedKey::kCharacters);
    EXPECT_LT(text.size(), 65u);
    const auto back = SharedKey::parse(kind, text);
    ASSERT_TRUE(back) << error_text::newest();
    EXPECT_EQ(back->id, key.id);
    EXPECT_EQ(back->secret, key.secret);
  }
}

TEST(SharedKey, WhatIsNoKeyIsRefusedWithWhatIsWrong) {
  const std::string text = SharedKey{7, Secret::random()}.text(ObjectKind::memory);
  EXPECT_FALSE(SharedKey::parse(ObjectKind::notify, text));
  EXPECT_FALSE(SharedKey::parse(ObjectKind::memory, ""));
  EXPECT_FALSE(SharedKey::parse(ObjectKind::memory, text.substr(1)));
  EXPECT_FALSE(SharedKey::parse(ObjectKind::memory, text + "0"));
  for (size_t i = 0; i < text.size(); ++i) {
    for (const char wrong : {'\0', ' ', 'G', 'x', '\xff'}) {
      std::string changed = text;
      changed[i] = wrong;
      EXPECT_FALSE(SharedKey::parse(ObjectKind::memory, changed)) << i;
    }
  }
  EXPECT_NE(error_text::newest().find("no key"), std::string::npos) << error_text::newest();
}

}  // namespace
}  // namespace canopy
