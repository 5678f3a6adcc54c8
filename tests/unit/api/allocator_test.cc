// Allocators of the user: kept per stream, given back as they were.
#include "tests/unit/api/gate.h"

namespace canopy::test {
namespace {

void* allocate(void*, size_t) { return nullptr; }
void free_block(void*, void*) {}
void* allocate_advised(void*, size_t, void*) { return nullptr; }
void* address_of(void* block) { return block; }

struct Registered {
  aclrtAllocatorDesc description = kInvented;
  aclrtAllocator object = kInvented;
  aclrtAllocatorAllocFunc allocate = nullptr;
  aclrtAllocatorFreeFunc free = nullptr;
  aclrtAllocatorAllocAdviseFunc advised = nullptr;
  aclrtAllocatorGetAddrFromBlockFunc address = nullptr;

  aclError get(aclrtStream stream) {
    return aclrtAllocatorGetByStream(stream, &description, &object, &allocate, &free, &advised,
                                     &address);
  }
};

class Allocator : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    description_ = complete();
  }
  static aclrtAllocatorDesc complete() {
    aclrtAllocatorDesc description = aclrtAllocatorCreateDesc();
    EXPECT_NE(description, nullptr);
    EXPECT_EQ(aclrtAllocatorSetAllocFuncToDesc(description, allocate), ACL_SUCCESS);
    EXPECT_EQ(aclrtAllocatorSetFreeFuncToDesc(description, free_block), ACL_SUCCESS);
    EXPECT_EQ(aclrtAllocatorSetGetAddrFromBlockFuncToDesc(description, address_of), ACL_SUCCESS);
    return description;
  }
  void TearDown() override {
    EXPECT_EQ(aclrtAllocatorDestroyDesc(description_), ACL_SUCCESS);
    AclTest::TearDown();
  }

  aclrtStream stream_ = nullptr;
  aclrtAllocatorDesc description_ = nullptr;
};

TEST_F(Allocator, IsGivenBackAsItWasRegistered) {
  int object = 0;
  ACL_OK(aclrtAllocatorSetObjToDesc(description_, &object));
  ACL_OK(aclrtAllocatorSetAllocAdviseFuncToDesc(description_, allocate_advised));
  ACL_OK(aclrtAllocatorRegister(stream_, description_));
  Registered found;
  ACL_OK(found.get(stream_));
  EXPECT_EQ(found.description, description_);
  EXPECT_EQ(found.object, &object);
  EXPECT_EQ(found.allocate, allocate);
  EXPECT_EQ(found.free, free_block);
  EXPECT_EQ(found.advised, allocate_advised);
  EXPECT_EQ(found.address, address_of);
}

TEST_F(Allocator, OfAStreamWithoutOneIsNull) {
  Registered found;
  found.allocate = allocate;
  ACL_OK(found.get(stream_));
  EXPECT_EQ(found.description, nullptr);
  EXPECT_EQ(found.object, nullptr);
  EXPECT_EQ(found.allocate, nullptr);
}

TEST_F(Allocator, IsACopyOfTheDescription) {
  ACL_OK(aclrtAllocatorRegister(stream_, description_));
  int object = 0;
  ACL_OK(aclrtAllocatorSetObjToDesc(description_, &object));
  Registered found;
  ACL_OK(found.get(stream_));
  EXPECT_EQ(found.object, nullptr) << "set after it was registered";
}

TEST_F(Allocator, RegisteredLastHolds) {
  aclrtAllocatorDesc second = complete();
  ACL_OK(aclrtAllocatorRegister(stream_, description_));
  ACL_OK(aclrtAllocatorRegister(stream_, second));
  Registered found;
  ACL_OK(found.get(stream_));
  EXPECT_EQ(found.description, second);
  ACL_OK(aclrtAllocatorDestroyDesc(second));
  ACL_OK(found.get(stream_));
  EXPECT_EQ(found.allocate, allocate) << "outlives its description";
}

TEST_F(Allocator, CanBeUnregisteredMoreThanOnce) {
  ACL_OK(aclrtAllocatorRegister(stream_, description_));
  ACL_OK(aclrtAllocatorUnregister(stream_));
  ACL_OK(aclrtAllocatorUnregister(stream_));
  Registered found;
  ACL_OK(found.get(stream_));
  EXPECT_EQ(found.description, nullptr);
}

TEST_F(Allocator, BelongsToOneStream) {
  aclrtStream other = nullptr;
  ACL_OK(aclrtCreateStream(&other));
  ACL_OK(aclrtAllocatorRegister(stream_, description_));
  Registered found;
  ACL_OK(found.get(other));
  EXPECT_EQ(found.description, nullptr);
}

TEST_F(Allocator, GoesWithItsStream) {
  ACL_OK(aclrtAllocatorRegister(stream_, description_));
  ACL_OK(aclrtDestroyStream(stream_));
  Registered found;
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, found.get(stream_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtAllocatorRegister(stream_, description_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtAllocatorUnregister(stream_));
}

TEST_F(Allocator, WithoutAFunctionItNeedsIsRefused) {
  aclrtAllocatorDesc empty = aclrtAllocatorCreateDesc();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtAllocatorRegister(stream_, empty));
  ACL_OK(aclrtAllocatorSetAllocFuncToDesc(empty, allocate));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtAllocatorRegister(stream_, empty));
  ACL_OK(aclrtAllocatorSetFreeFuncToDesc(empty, free_block));
  ASSERT_EQ(aclrtAllocatorRegister(stream_, empty), ACL_ERROR_RT_PARAM_INVALID);
  EXPECT_STREQ(why(), "aclrtAllocatorRegister: the description has no address function");
  ACL_OK(aclrtAllocatorDestroyDesc(empty));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtAllocatorDestroyDesc(empty));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtAllocatorSetObjToDesc(empty, nullptr));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtAllocatorRegister(stream_, empty));
}

TEST_F(Allocator, RefusesNull) {
  constexpr int kCode = ACL_ERROR_INVALID_PARAM;
  ACL_CODE(kCode, aclrtAllocatorDestroyDesc(nullptr));
  ACL_CODE(kCode, aclrtAllocatorSetObjToDesc(nullptr, nullptr));
  ACL_CODE(kCode, aclrtAllocatorSetAllocFuncToDesc(description_, nullptr));
  ACL_CODE(kCode, aclrtAllocatorSetFreeFuncToDesc(description_, nullptr));
  ACL_CODE(kCode, aclrtAllocatorSetGetAddrFromBlockFuncToDesc(description_, nullptr));
  ACL_CODE(kCode, aclrtAllocatorRegister(nullptr, description_));
  ACL_CODE(kCode, aclrtAllocatorRegister(stream_, nullptr));
  ACL_CODE(kCode, aclrtAllocatorUnregister(nullptr));
  Registered found;
  ACL_CODE(kCode, found.get(nullptr));
  ACL_CODE(kCode, aclrtAllocatorGetByStream(stream_, nullptr, &found.object, &found.allocate,
                                            &found.free, &found.advised, &found.address));
}

}  // namespace
}  // namespace canopy::test
