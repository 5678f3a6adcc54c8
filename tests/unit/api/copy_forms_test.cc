// Copies of rows, batches of copies, fills with words.
#include "tests/unit/api/gate.h"

#include <cstring>
#include <numeric>
#include <vector>

namespace canopy::test {
namespace {

constexpr size_t kBytes = 64 << 10;

class CopyForms : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    ACL_OK(aclrtMalloc(&device_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMalloc(&other_, kBytes, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMallocHost(&pinned_, kBytes));
    pageable_.resize(kBytes);
    for (void* memory : {device_, other_, pinned_}) {
      std::memset(memory, 0, kBytes);
    }
  }
  void TearDown() override {
    EXPECT_EQ(aclrtFreeHost(pinned_), ACL_SUCCESS);
    AclTest::TearDown();
  }
  static void count_up(void* memory) {
    auto* bytes = static_cast<uint8_t*>(memory);
    std::iota(bytes, bytes + kBytes, uint8_t{1});
  }
  // Rows of 10 bytes, 16 apart, arrived in rows 24 apart, and nothing between them was touched.
  static bool rows_arrived(const void* dst, const void* src, size_t rows) {
    const auto* to = static_cast<const uint8_t*>(dst);
    const auto* from = static_cast<const uint8_t*>(src);
    for (size_t i = 0; i < rows * 24; ++i) {
      if (to[i] != (i % 24 < 10 ? from[i / 24 * 16 + i % 24] : 0)) {
        return false;
      }
    }
    return true;
  }

  aclrtStream stream_ = nullptr;
  void* device_ = nullptr;
  void* other_ = nullptr;
  void* pinned_ = nullptr;
  std::vector<uint8_t> pageable_;
};

TEST_F(CopyForms, RowsGoToTheirPlacesAndNothingElseChanges) {
  count_up(pageable_.data());
  ACL_OK(aclrtMemcpy2d(device_, 24, pageable_.data(), 16, 10, 100, ACL_MEMCPY_HOST_TO_DEVICE));
  EXPECT_TRUE(rows_arrived(device_, pageable_.data(), 100));
  count_up(other_);
  std::memset(pinned_, 0, kBytes);
  ACL_OK(aclrtMemcpy2d(pinned_, 24, other_, 16, 10, 100, ACL_MEMCPY_DEVICE_TO_HOST));
  EXPECT_TRUE(rows_arrived(pinned_, other_, 100));
}

TEST_F(CopyForms, RowsWithoutGapsAreOneCopy) {
  count_up(pageable_.data());
  ACL_OK(aclrtMemcpy2d(device_, 1024, pageable_.data(), 1024, 1024, 64, ACL_MEMCPY_DEFAULT));
  EXPECT_EQ(std::memcmp(device_, pageable_.data(), kBytes), 0);
}

TEST_F(CopyForms, RowsInStreamOrder) {
  count_up(pinned_);
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemcpy2dAsync(device_, 24, pinned_, 16, 10, 100, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  EXPECT_EQ(*static_cast<uint8_t*>(device_), 0) << "the copy overtook the stream";
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(rows_arrived(device_, pinned_, 100));
}

TEST_F(CopyForms, RowsOfPageableMemoryAreDoneOnReturn) {
  count_up(pageable_.data());
  ACL_OK(aclrtMemcpy2dAsync(device_, 24, pageable_.data(), 16, 10, 100, ACL_MEMCPY_HOST_TO_DEVICE,
                            stream_));
  EXPECT_TRUE(rows_arrived(device_, pageable_.data(), 100));
}

TEST_F(CopyForms, RowsThatDoNotFitAre107000) {
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode,
           aclrtMemcpy2d(device_, 15, pageable_.data(), 16, 16, 2, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_CODE(kCode,
           aclrtMemcpy2d(device_, 16, pageable_.data(), 15, 16, 2, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_CODE(kCode,
           aclrtMemcpy2dAsync(device_, 16, pinned_, 15, 16, 2, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  // The last row ends behind the allocation.
  ACL_CODE(kCode,
           aclrtMemcpy2d(device_, kBytes, pageable_.data(), 16, 16, 3, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_CODE(kCode, aclrtMemcpy2d(device_, ~size_t{0}, pageable_.data(), 16, 16, 3,
                                ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_OK(aclrtMemcpy2d(device_, kBytes, pageable_.data(), 16, 16, 1, ACL_MEMCPY_HOST_TO_DEVICE));
}

TEST_F(CopyForms, NoRowsAndRowsOfNothingSucceed) {
  ACL_OK(aclrtMemcpy2d(device_, 16, pageable_.data(), 16, 0, 5, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_OK(aclrtMemcpy2d(device_, 16, pageable_.data(), 16, 16, 0, ACL_MEMCPY_HOST_TO_DEVICE));
  ACL_OK(aclrtMemcpy2dAsync(device_, 16, pinned_, 16, 0, 0, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
}

TEST_F(CopyForms, RowsGoBetweenHostAndDeviceOnly) {
  for (int kind : {0, 3, 6, 8}) {
    ACL_CODE(ACL_ERROR_INVALID_PARAM, aclrtMemcpy2d(device_, 16, pageable_.data(), 16, 16, 2,
                                                    static_cast<aclrtMemcpyKind>(kind)));
    ACL_CODE(ACL_ERROR_INVALID_PARAM,
             aclrtMemcpy2dAsync(device_, 16, pinned_, 16, 16, 2, static_cast<aclrtMemcpyKind>(kind),
                                stream_));
  }
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtMemcpy2dAsync(pageable_.data(), 16, pinned_, 16, 16, 2, ACL_MEMCPY_DEVICE_TO_HOST,
                              stream_));
}

TEST_F(CopyForms, AsyncRowsHaveTheDocumentedLimits) {
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtMemcpy2dAsync(device_, 5'000'001, pinned_, 5'000'001, 5'000'001, 0,
                                     ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ACL_CODE(kCode, aclrtMemcpy2dAsync(device_, 0, pinned_, 0, 0, (5 << 20) + 1,
                                     ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ACL_OK(aclrtMemcpy2dAsync(device_, 5'000'000, pinned_, 5'000'000, 5'000'000, 0,
                            ACL_MEMCPY_HOST_TO_DEVICE, stream_));
  ACL_OK(
      aclrtMemcpy2dAsync(device_, 0, pinned_, 0, 0, 5 << 20, ACL_MEMCPY_HOST_TO_DEVICE, stream_));
}

TEST_F(CopyForms, WithConditionIsTheAsyncCopy) {
  count_up(pinned_);
  ACL_OK(aclrtMemcpyAsyncWithCondition(device_, kBytes, pinned_, kBytes, ACL_MEMCPY_HOST_TO_DEVICE,
                                       stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(std::memcmp(device_, pinned_, kBytes), 0);
}

TEST_F(CopyForms, WordsFillAllAndNoMore) {
  auto* words = static_cast<uint32_t*>(device_);
  ACL_OK(aclrtMemsetD32(device_, kBytes, 0x12345678, 100));
  EXPECT_EQ(words[0], 0x12345678u);
  EXPECT_EQ(words[99], 0x12345678u);
  EXPECT_EQ(words[100], 0u);
  ACL_OK(aclrtMemsetD32(pageable_.data(), 400, 7, 100));
  EXPECT_EQ(reinterpret_cast<uint32_t*>(pageable_.data())[99], 7u);
  ACL_OK(aclrtMemsetD32(device_, 0, 9, 0));
  EXPECT_EQ(words[0], 0x12345678u);
}

TEST_F(CopyForms, WordsBeyondTheMemoryAre107000) {
  constexpr int kCode = ACL_ERROR_RT_PARAM_INVALID;
  ACL_CODE(kCode, aclrtMemsetD32(device_, 399, 1, 100));
  ACL_CODE(kCode, aclrtMemsetD32(device_, 4 * kBytes, 1, kBytes));
  ACL_CODE(kCode, aclrtMemsetD32(device_, ~size_t{0}, 1, ~size_t{0} / 4 + 2));
  ACL_CODE(kCode, aclrtMemsetD32(static_cast<char*>(device_) + 2, 400, 1, 10));
  ACL_CODE(kCode, aclrtMemsetD32Async(device_, 399, 1, 100, stream_));
}

TEST_F(CopyForms, WordsInStreamOrderOnADeviceAndAtOnceOnTheHost) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(aclrtMemsetD32Async(device_, kBytes, 5, 100, stream_));
  EXPECT_EQ(*static_cast<uint32_t*>(device_), 0u) << "the fill overtook the stream";
  gate.open();
  ACL_OK(aclrtMemsetD32Async(pinned_, kBytes, 6, 100, stream_));
  EXPECT_EQ(static_cast<uint32_t*>(pinned_)[99], 6u) << "complete on return";
  EXPECT_EQ(static_cast<uint32_t*>(device_)[99], 5u) << "after the stream";
}

class CopyBatch : public CopyForms {
 protected:
  static constexpr size_t kCount = 5;
  static constexpr size_t kEach = 1000;
  void SetUp() override {
    CopyForms::SetUp();
    count_up(pinned_);
    count_up(pageable_.data());
    for (size_t i = 0; i < kCount; ++i) {
      dsts_[i] = static_cast<char*>(device_) + i * 2 * kEach;
      srcs_[i] = static_cast<char*>(pinned_) + i * kEach;
      maxs_[i] = kEach;
      sizes_[i] = kEach - i;
    }
    attrs_[0].dstLoc = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
    attrs_[0].srcLoc = {0, ACL_MEM_LOCATION_TYPE_HOST};
    attrs_[1] = attrs_[0];
  }
  void from_pageable() {
    for (size_t i = 0; i < kCount; ++i) {
      srcs_[i] = pageable_.data() + i * kEach;
    }
  }
  aclError now() {
    return aclrtMemcpyBatch(dsts_, maxs_, srcs_, sizes_, kCount, attrs_, indexes_, attr_count_,
                            &failed_);
  }
  aclError on_stream() {
    return aclrtMemcpyBatchAsync(dsts_, maxs_, srcs_, sizes_, kCount, attrs_, indexes_, attr_count_,
                                 &failed_, stream_);
  }
  bool arrived() const {
    for (size_t i = 0; i < kCount; ++i) {
      if (std::memcmp(dsts_[i], srcs_[i], sizes_[i]) != 0) {
        return false;
      }
    }
    return true;
  }

  void* dsts_[kCount];
  void* srcs_[kCount];
  size_t maxs_[kCount];
  size_t sizes_[kCount];
  aclrtMemcpyBatchAttr attrs_[kCount + 1] = {};
  size_t indexes_[kCount + 1] = {};
  size_t attr_count_ = 1;
  size_t failed_ = 77;
};

TEST_F(CopyBatch, CopiesAll) {
  ACL_OK(now());
  EXPECT_TRUE(arrived());
  std::memset(device_, 0, kBytes);
  ACL_OK(aclrtMemcpyBatchV2(dsts_, maxs_, srcs_, sizes_, kCount, attrs_, indexes_, attr_count_));
  EXPECT_TRUE(arrived());
}

TEST_F(CopyBatch, InStreamOrder) {
  Gate gate;
  ACL_OK(gate.close(stream_));
  ACL_OK(on_stream());
  ACL_OK(aclrtMemcpyBatchAsyncV2(dsts_, maxs_, srcs_, sizes_, kCount, attrs_, indexes_, attr_count_,
                                 stream_));
  EXPECT_FALSE(arrived()) << "the batch overtook the stream";
  gate.open();
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_TRUE(arrived());
}

TEST_F(CopyBatch, OfPageableMemoryIsDoneOnReturn) {
  from_pageable();
  ACL_OK(on_stream());
  EXPECT_TRUE(arrived());
}

TEST_F(CopyBatch, MoreThanTheArgumentRingHoldsArrives) {
  constexpr size_t kMany = 20'000;
  std::vector<void*> dsts(kMany, device_);
  std::vector<void*> srcs(kMany, pinned_);
  std::vector<size_t> sizes(kMany, 1);
  for (size_t i = 0; i < kMany; ++i) {
    dsts[i] = static_cast<char*>(device_) + i;
    srcs[i] = static_cast<char*>(pinned_) + i;
  }
  ACL_OK(aclrtMemcpyBatchAsyncV2(dsts.data(), sizes.data(), srcs.data(), sizes.data(), kMany,
                                 attrs_, indexes_, 1, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(std::memcmp(device_, pinned_, kMany), 0);
}

TEST_F(CopyBatch, AWrongCopyIsNamedAndNothingIsCopied) {
  maxs_[3] = 10;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, now());
  EXPECT_EQ(failed_, 3u);
  EXPECT_EQ(*static_cast<uint8_t*>(device_), 0);
  maxs_[3] = kEach;
  srcs_[4] = nullptr;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, on_stream());
  EXPECT_EQ(failed_, 4u);
  srcs_[4] =
      static_cast<char*>(device_) + kBytes / 2;  // device to device in a batch of host to device
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, now());
  EXPECT_EQ(failed_, 4u);
  ACL_OK(aclrtSynchronizeStream(stream_));
  EXPECT_EQ(*static_cast<uint8_t*>(device_), 0);
}

TEST_F(CopyBatch, AnAttributeThatNamesTheWrongDeviceFailsTheCopy) {
  attrs_[0].dstLoc.id = 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, now());
  EXPECT_EQ(failed_, 0u);
}

TEST_F(CopyBatch, AttributesHoldFromTheirIndexOn) {
  attr_count_ = 2;
  indexes_[1] = 3;
  ACL_OK(now());
  attrs_[1].dstLoc.id = 1;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, now());
  EXPECT_EQ(failed_, 3u);
}

TEST_F(CopyBatch, AWrongShapeIsNobodysFault) {
  const auto refused = [&] {
    failed_ = 77;
    ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, now());
    EXPECT_EQ(failed_, SIZE_MAX);
  };
  indexes_[0] = 1;  // must start at 0
  refused();
  indexes_[0] = 0;
  attr_count_ = 0;
  refused();
  attr_count_ = kCount + 1;
  refused();
  attr_count_ = 2;  // not rising
  refused();
  indexes_[1] = kCount;  // behind the last
  refused();
  indexes_[1] = 2;
  attrs_[1].dstLoc.type = ACL_MEM_LOCATION_TYPE_HOST;  // two directions
  refused();
  failed_ = 77;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtMemcpyBatch(dsts_, maxs_, srcs_, sizes_, 0, attrs_, indexes_, 1, &failed_));
  EXPECT_EQ(failed_, SIZE_MAX);
}

}  // namespace
}  // namespace canopy::test
