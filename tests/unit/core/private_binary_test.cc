#include "runtime/core/private_binary.h"

#include "tests/unit/core/private_machine.h"

#include <gtest/gtest.h>

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace canopy {
namespace {

std::vector<std::byte> this_program() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

Errc code_of(const Result<>& result) { return result ? Errc::ok : result.error().code; }

TEST(CheckElf, AcceptsAWholeObject) { EXPECT_EQ(code_of(check_elf(this_program(), "x")), Errc::ok); }

TEST(CheckElf, RefusesWhatIsCutShort) {
  auto file = this_program();
  for (size_t size : {size_t{0}, size_t{3}, sizeof(Elf64_Ehdr) - 1, sizeof(Elf64_Ehdr), size_t{4096}}) {
    EXPECT_EQ(code_of(check_elf(std::span(file).first(size), "x")), Errc::io) << size;
  }
}

TEST(CheckElf, RefusesHeadersThatPointFarAway) {
  for (uint64_t wild : {~uint64_t{0}, ~uint64_t{0} - 63, uint64_t{1} << 62}) {
    auto file = this_program();
    std::memcpy(file.data() + offsetof(Elf64_Ehdr, e_phoff), &wild, sizeof wild);
    EXPECT_EQ(code_of(check_elf(file, "x")), Errc::io);
  }
}

TEST(CheckElf, RefusesAnotherWidthAndOtherFiles) {
  auto file = this_program();
  file[EI_CLASS] = std::byte{ELFCLASS32};
  EXPECT_EQ(code_of(check_elf(file, "x")), Errc::io);
  const std::vector<std::byte> zeros(100'000);
  EXPECT_EQ(code_of(check_elf(zeros, "x")), Errc::io);
}

TEST(UniqueSymbols, SurviveWildSectionHeaders) {
  for (uint64_t wild : {~uint64_t{0}, ~uint64_t{0} - 63, uint64_t{1} << 62}) {
    auto file = this_program();
    std::memcpy(file.data() + offsetof(Elf64_Ehdr, e_shoff), &wild, sizeof wild);
    make_unique_symbols_ordinary(file);
  }
  std::vector<std::byte> nothing;
  make_unique_symbols_ordinary(nothing);
}

TEST(PrivateBinary, HasANewNameEachTimeThatLeadsToTheSameBytes) {
  auto first = make_private_binary("/proc/self/exe");
  auto second = make_private_binary("/proc/self/exe");
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->name, second->name);
  const int raw = second->memory.get();
  const std::string name = second->name;
  second = tl::unexpected(Error{});  // gives the descriptor back
  auto third = make_private_binary("/proc/self/exe");
  ASSERT_TRUE(third);
  EXPECT_EQ(third->memory.get(), raw) << "the descriptor is used again, its name must not be";
  EXPECT_NE(third->name, name);
  struct stat by_name;
  struct stat by_fd;
  ASSERT_EQ(::stat(third->name.c_str(), &by_name), 0) << third->name;
  ASSERT_EQ(::fstat(third->memory.get(), &by_fd), 0);
  EXPECT_EQ(by_name.st_ino, by_fd.st_ino);
}

TEST(PrivateBinary, RefusesAFifoWithoutWaitingForIt) {
  const std::string path = test::write_scratch("fifo", "") + ".pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const auto refused = make_private_binary(path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::io);
}

}  // namespace
}  // namespace canopy
