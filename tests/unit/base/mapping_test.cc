#include "runtime/base/mapping.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace canopy {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

bool is_mapped(const void* address) {
  unsigned char resident;
  return ::mincore(const_cast<void*>(address), page_size(), &resident) == 0;
}

TEST(SealedMemfd, RefusesToBeTruncatedOrGrown) {
  auto fd = sealed_memfd("canopy-test", kMiB);
  ASSERT_TRUE(fd);
  for (off_t size : {off_t{0}, off_t{4096}, static_cast<off_t>(2 * kMiB)}) {
    EXPECT_EQ(::ftruncate(fd->get(), size), -1);
    EXPECT_EQ(errno, EPERM);
  }
  struct stat status;
  ASSERT_EQ(::fstat(fd->get(), &status), 0);
  EXPECT_EQ(static_cast<size_t>(status.st_size), kMiB);
}

TEST(SealedMemfd, SealsCannotBeChangedAndItClosesOnExec) {
  auto fd = sealed_memfd("canopy-test", kMiB);
  ASSERT_TRUE(fd);
  EXPECT_EQ(::fcntl(fd->get(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Mapping, TwoMappingsOfAFileShareItsBytes) {
  auto fd = sealed_memfd("canopy-test", kMiB);
  auto first = Mapping::shared(*fd, kMiB);
  auto second = Mapping::shared(*fd, kMiB - page_size(), page_size());
  ASSERT_TRUE(first && second);
  std::strcpy(reinterpret_cast<char*>(first->base() + page_size()), "hello");
  EXPECT_STREQ(reinterpret_cast<char*>(second->base()), "hello");
}

TEST(Mapping, ReserveIsAlignedAndExactlyAsLongAsAsked) {
  for (size_t alignment : {page_size(), 2 * kMiB, 64 * kMiB}) {
    auto range = Mapping::reserve(3 * page_size(), alignment);
    ASSERT_TRUE(range);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(range->base()) % alignment, 0u);
    EXPECT_EQ(range->bytes(), 3 * page_size());
    EXPECT_TRUE(range->contains(range->base()));
    EXPECT_TRUE(range->contains(range->base() + range->bytes() - 1));
    EXPECT_FALSE(range->contains(range->base() + range->bytes()));
    EXPECT_FALSE(range->contains(range->base() - 1));
  }
}

TEST(Mapping, TouchingAReservationFaults) {
  auto range = Mapping::reserve(page_size(), page_size());
  ASSERT_TRUE(range);
  EXPECT_DEATH(*reinterpret_cast<volatile char*>(range->base()) = 1, "");
}

TEST(Mapping, PlaceMakesMemoryAndVacateTakesItBack) {
  auto range = Mapping::reserve(4 * kMiB, 2 * kMiB);
  auto fd = sealed_memfd("canopy-test", kMiB);
  ASSERT_TRUE(range->place(kMiB, *fd, kMiB));
  range->base()[kMiB] = std::byte{7};
  EXPECT_EQ(Mapping::shared(*fd, kMiB)->base()[0], std::byte{7});
  ASSERT_TRUE(range->vacate(kMiB, kMiB));
  EXPECT_DEATH(*reinterpret_cast<volatile char*>(range->base() + kMiB) = 1, "");
}

TEST(Mapping, PlaceOutsideOfTheReservationEndsTheProcess) {
  auto range = Mapping::reserve(kMiB, page_size());
  auto fd = sealed_memfd("canopy-test", kMiB);
  EXPECT_DEATH((void)range->place(page_size(), *fd, kMiB), "inside the reservation");
}

TEST(Mapping, UnmapsInItsDestructorAndMovesOwnership) {
  std::byte* base;
  {
    auto first = Mapping::anonymous(kMiB);
    ASSERT_TRUE(first);
    base = first->base();
    Mapping second = std::move(*first);
    EXPECT_FALSE(static_cast<bool>(*first));
    EXPECT_EQ(second.base(), base);
    EXPECT_TRUE(is_mapped(base));
  }
  EXPECT_FALSE(is_mapped(base));
}

TEST(Mapping, AnImpossibleSizeIsAnErrorWithErrno) {
  const auto failed = Mapping::reserve(size_t{1} << 62, page_size());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::no_memory);
  EXPECT_EQ(failed.error().native, ENOMEM);
}

TEST(Mapping, ReservesAtAnAddressThatIsFreeAndNowhereElse) {
  auto somewhere = Mapping::reserve(4 * page_size(), page_size());
  ASSERT_TRUE(somewhere);
  const auto address = reinterpret_cast<uintptr_t>(somewhere->base());
  const auto taken = Mapping::reserve_at(address + page_size(), page_size());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::busy);
  somewhere->reset();
  const auto again = Mapping::reserve_at(address, 4 * page_size());
  ASSERT_TRUE(again);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(again->base()), address);
}

TEST(UniqueFd, ClosesOnceAndMovesOwnership) {
  int raw = ::dup(0);
  if (raw < 0) {
    raw = ::memfd_create("canopy-test", 0);
  }
  {
    UniqueFd first(raw);
    UniqueFd second(std::move(first));
    EXPECT_FALSE(static_cast<bool>(first));
    EXPECT_EQ(second.get(), raw);
    EXPECT_NE(::fcntl(raw, F_GETFD), -1);
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

}  // namespace
}  // namespace canopy
