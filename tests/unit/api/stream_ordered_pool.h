// The pool and two streams that the tests of stream-ordered pools work with.
#pragma once

#include "acl/acl_rt_memory_soma.h"
#include "tests/unit/api/gate.h"

#include <cstdint>

namespace canopy::test {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;

class StreamOrderedPool : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    pool_ = make_pool(0);
    ACL_OK(aclrtCreateStream(&a_));
    ACL_OK(aclrtCreateStream(&b_));
  }
  static aclrtMemPool make_pool(size_t max_size) {
    aclrtMemPoolProps props{};
    props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    props.maxSize = max_size;
    aclrtMemPool pool = nullptr;
    EXPECT_EQ(aclrtMemPoolCreate(&pool, &props), ACL_SUCCESS) << why();
    return pool;
  }
  void* take(size_t bytes, aclrtStream stream) {
    void* memory = nullptr;
    EXPECT_EQ(aclrtMemPoolMallocAsync(&memory, bytes, pool_, stream), ACL_SUCCESS) << why();
    return memory;
  }
  uint64_t figure(aclrtMemPoolAttr attr) {
    uint64_t value = ~uint64_t{0};
    EXPECT_EQ(aclrtMemPoolGetAttr(pool_, attr, &value), ACL_SUCCESS) << why();
    return value;
  }
  void set_switch(aclrtMemPoolAttr attr, uint32_t value) {
    EXPECT_EQ(aclrtMemPoolSetAttr(pool_, attr, &value), ACL_SUCCESS) << why();
  }
  void keep_everything() {
    uint64_t all = ~uint64_t{0};
    EXPECT_EQ(aclrtMemPoolSetAttr(pool_, ACL_RT_MEM_POOL_ATTR_RELEASE_THRESHOLD, &all), ACL_SUCCESS)
        << why();
  }
  static size_t device_free() {
    size_t free = 0;
    size_t total = 0;
    EXPECT_EQ(aclrtGetMemInfo(ACL_HBM_MEM, &free, &total), ACL_SUCCESS);
    return free;
  }

  aclrtMemPool pool_ = nullptr;
  aclrtStream a_ = nullptr;
  aclrtStream b_ = nullptr;
};

}  // namespace canopy::test
