// Many exports and imports leave nothing behind, by the operating system's view; and many live at once.
#include "tests/multi/sharing/site.h"
#include "tests/support/process_figures.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <sstream>
#include <vector>

namespace canopy {
namespace {

using namespace test;

int from_environment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : otherwise;
}

struct Figures {
  size_t files = 0, ranges = 0, kib = 0;

  static Figures now() { return {open_files(), mapped_ranges(), memory_kib()}; }
  std::string text() const { return fmt::format("{} {} {}", files, ranges, kib); }
  static Figures of(const std::string& text) {
    Figures result;
    std::istringstream(text) >> result.files >> result.ranges >> result.kib;
    return result;
  }
};

// The allocator's own ups and downs are a few hundred KiB; a leak of 100 bytes a round would be 900.
void expect_flat(const std::string& who, const Figures& early, const Figures& late) {
  std::printf("[ %-8s ] files %zu -> %zu, maps %zu -> %zu, memory %zu -> %zu KiB\n", who.c_str(), early.files, late.files,
              early.ranges, late.ranges, early.kib, late.kib);
  EXPECT_EQ(early.files, late.files) << who;
  EXPECT_LE(late.ranges, early.ranges + 2) << who;
  EXPECT_LE(late.kib, early.kib + 512) << who;
}

// "share": new memory, "end": its end, "figures".
void export_when_told(Line& line) {
  Site site;
  uint64_t id = 0;
  for (std::string order = line.hear(); !order.empty(); order = line.hear()) {
    if (order == "share") {
      id = *site.sharing->share(*stamped_memory(*site.table, 7));
      line.say(std::to_string(id));
    } else if (order == "end") {
      site.sharing->end(id);
      line.say("done");
    } else {
      line.say(Figures::now().text());
    }
  }
}

TEST(SharingRounds, LeaveNothingBehind) {
  const int rounds = from_environment("CANOPY_TEST_ROUNDS", 10'000);
  PrivateTable path;
  ChildProcess exporter(export_when_told);
  const auto ask = [&](const std::string& what) {
    exporter.line().say(what);
    return exporter.line().hear();
  };
  Site site;
  Figures mine, its;
  for (int round = 1; round <= rounds; ++round) {
    const uint64_t id = std::stoull("0" + ask("share"));
    auto got = site.sharing->import(ObjectKind::memory, {id, {}});
    ASSERT_TRUE(got) << round << error_text::newest();
    ASSERT_EQ(stamp_of(*got).value_or(0), 7u) << round;
    if (round % 2 == 0) {  // either may be the first
      got->reset();
    }
    ASSERT_EQ(ask("end"), "done");
    got->reset();
    if (round == rounds / 10) {
      mine = Figures::now();
      its = Figures::of(ask("figures"));
    }
  }
  expect_flat("importer", mine, Figures::now());
  expect_flat("exporter", its, Figures::of(ask("figures")));
  EXPECT_TRUE(soon([&] { return site.table->used_bytes(0) == 0; }, std::chrono::seconds(2)));
}

// Every exporter is another process, and an importer remembers none of them.
TEST(SharingRounds, ExportersThatComeAndGoLeaveNothingBehind) {
  const int rounds = from_environment("CANOPY_TEST_ROUNDS", 10'000) / 10;
  PrivateTable path;
  ChildProcess importer([](Line& line) {
    Site site;
    for (std::string order = line.hear(); !order.empty(); order = line.hear()) {
      if (order == "figures") {
        line.say(Figures::now().text());
        continue;
      }
      std::atomic<bool> gone{false};
      auto got = site.sharing->import(ObjectKind::memory, {std::stoull("0" + order), {}}, [&] { gone = true; });
      line.say(got ? "imported" : error_text::newest());
      soon([&] { return gone.load(); }, std::chrono::seconds(5));
      line.say(gone.load() ? "told" : "not told");
    }
  });
  Figures early;
  for (int round = 1; round <= rounds; ++round) {
    ChildProcess exporter(export_when_told);
    exporter.line().say("share");
    importer.line().say(exporter.line().hear());
    ASSERT_EQ(importer.line().hear(), "imported") << round;
    exporter.kill();
    ASSERT_EQ(importer.line().hear(), "told") << round;
    if (round == rounds / 10) {
      importer.line().say("figures");
      early = Figures::of(importer.line().hear());
    }
  }
  importer.line().say("figures");
  expect_flat("importer", early, Figures::of(importer.line().hear()));
}

// 1,000 objects, each in the hands of 8 processes: slabs of one file each, as small allocations are.
TEST(SharingMany, AThousandAllocationsInEightProcesses) {
  constexpr int kObjects = 1000;
  constexpr int kImporters = 8;
  PrivateTable path;
  const size_t bytes = 16 * page_size();
  auto* ids = static_cast<uint64_t*>(::mmap(nullptr, kObjects * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(ids, MAP_FAILED);
  ChildProcess exporter([&](Line& line) {
    Site site;
    // One descriptor each: more than the 1,024 that a process has as a rule.
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
    ::setrlimit(RLIMIT_NOFILE, &files);
    std::atomic<int> lost{0};
    for (uint64_t i = 0; i < kObjects; ++i) {
      auto fd = sealed_memfd("sharing-test", bytes);
      if (!fd || ::pwrite(fd->get(), &i, sizeof i, 0) != sizeof i) {
        line.say(error_text::newest());
        return;
      }
      ids[i] = *site.sharing->share(
          Export{.fd = std::make_shared<const UniqueFd>(std::move(*fd)), .bytes = bytes, .secret = {}, .pids = {}, .owner = {}},
          [&](const auto&) { ++lost; });
    }
    line.say("shared");
    while (line.hear() == "lost") {
      line.say(std::to_string(lost.load()));
    }
  });
  std::vector<std::unique_ptr<ChildProcess>> importers;
  for (int p = 0; p < kImporters; ++p) {
    importers.push_back(std::make_unique<ChildProcess>([&](Line& line) {
      line.hear();
      Site site;
      std::atomic<int> told{0};
      std::vector<Import> held;
      std::vector<Mapping> maps;
      for (uint64_t i = 0; i < kObjects; ++i) {
        auto got = site.sharing->import(ObjectKind::memory, {ids[i], {}}, [&] { ++told; });
        auto map = got ? Mapping::shared(got->fd, bytes) : Result<Mapping>(tl::unexpected(got.error()));
        if (!map || *reinterpret_cast<uint64_t*>(map->base()) != i) {
          line.say(error_text::newest());
          return;
        }
        got->fd.reset();  // mapped: the descriptor is not needed
        held.push_back(std::move(*got));
        maps.push_back(std::move(*map));
      }
      line.say(open_files() < 100 ? "imported" : "descriptors pile up");
      if (line.hear() == "wait") {
        soon([&] { return told.load() == kObjects; }, std::chrono::seconds(5));
        line.say(std::to_string(told.load()));
      }
    }));
  }
  ASSERT_EQ(exporter.line().hear(), "shared");
  for (auto& importer : importers) {
    importer->line().say("go");
  }
  for (auto& importer : importers) {
    ASSERT_EQ(importer->line().hear(), "imported");
  }
  importers.front()->kill();
  EXPECT_TRUE(soon(
      [&] {
        exporter.line().say("lost");
        return exporter.line().hear() == std::to_string(kObjects);
      },
      std::chrono::seconds(5)));
  importers.erase(importers.begin());
  for (auto& importer : importers) {
    importer->line().say("wait");
  }
  exporter.kill();
  for (auto& importer : importers) {
    EXPECT_EQ(importer->line().hear(), std::to_string(kObjects));
  }
  ::munmap(ids, kObjects * sizeof(uint64_t));
}

}  // namespace
}  // namespace canopy
