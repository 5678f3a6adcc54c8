// Words that may be gone.
#include "runtime/device/guarded_access.h"

#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace canopy::test {
namespace {

TEST(GuardedAccess, TellsOfMemoryThatIsGone) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer sees plain accesses only, which are not led out of";
#endif
  Rig rig({.executors = 1});  // installs the handlers
  const auto bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* page = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  auto* word = static_cast<uint64_t*>(page);
  EXPECT_TRUE(store_if_there(word, 7));
  uint64_t value = 0;
  EXPECT_TRUE(load_if_there(word, &value));
  EXPECT_EQ(value, 7u);

  ASSERT_EQ(::mprotect(page, bytes, PROT_READ), 0);
  EXPECT_FALSE(store_if_there(word, 8));
  EXPECT_TRUE(load_if_there(word, &value));
  EXPECT_EQ(value, 7u);

  ASSERT_EQ(::mprotect(page, bytes, PROT_NONE), 0);  // not unmapped: others would map their own there
  value = 9;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(load_if_there(word, &value));
    EXPECT_FALSE(store_if_there(word, 8));
  }
  EXPECT_EQ(value, 9u);
  ASSERT_EQ(::munmap(page, bytes), 0);
}

}  // namespace
}  // namespace canopy::test
