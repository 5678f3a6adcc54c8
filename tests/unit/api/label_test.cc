// Labels: made and listed anywhere; set and jumped to in streams that are bound to a model only.
#include "tests/unit/api/gate.h"

#include <string>
#include <vector>

namespace canopy::test {
namespace {

class LabelTest : public AclTest {
 protected:
  void SetUp() override {
    AclTest::SetUp();
    ACL_OK(aclrtCreateStream(&stream_));
    for (aclrtLabel& label : labels_) {
      ACL_OK(aclrtCreateLabel(&label));
    }
    void* memory = nullptr;
    ACL_OK(aclrtMalloc(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
    ACL_OK(aclrtMemset(memory, 64, 0, 64));
    index_ = static_cast<uint32_t*>(memory);
  }

  aclrtStream stream_ = nullptr;
  aclrtLabel labels_[3] = {};
  uint32_t* index_ = nullptr;
};

TEST_F(LabelTest, SetOnAStreamWithoutAModelIs107005) {
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtSetLabel(labels_[0], stream_));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtSetLabel(labels_[0], nullptr));
  EXPECT_NE(std::string(why()).find("not bound to a model"), std::string::npos);
}

TEST_F(LabelTest, SwitchOnAStreamWithoutAModelIs107005) {
  aclrtLabelList list = nullptr;
  ACL_OK(aclrtCreateLabelList(labels_, 3, &list));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtSwitchLabelByIndex(index_, 3, list, stream_));
  ACL_OK(aclrtSynchronizeStream(stream_));
  ACL_OK(aclrtDestroyLabelList(list));
}

TEST_F(LabelTest, ASwitchChecksItsArgumentsFirst) {
  aclrtLabelList list = nullptr;
  ACL_OK(aclrtCreateLabelList(labels_, 3, &list));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSwitchLabelByIndex(index_, 0, list, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSwitchLabelByIndex(index_, 4, list, stream_));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID,
           aclrtSwitchLabelByIndex(reinterpret_cast<char*>(index_) + 2, 3, list, stream_));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSwitchLabelByIndex(index_, 3, kInvented, stream_));
  ACL_OK(aclrtDestroyLabel(labels_[1]));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSwitchLabelByIndex(index_, 3, list, stream_));
}

TEST_F(LabelTest, AListTakesLiveLabelsOnly) {
  aclrtLabelList list = kInvented;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateLabelList(labels_, 0, &list));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtCreateLabelList(labels_, 65'536, &list));
  ACL_OK(aclrtDestroyLabel(labels_[2]));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtCreateLabelList(labels_, 3, &list));
  EXPECT_EQ(list, kInvented);
  ACL_OK(aclrtCreateLabelList(labels_, 2, &list));
  ACL_OK(aclrtDestroyLabelList(list));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabelList(list));
}

TEST_F(LabelTest, OfAnotherContextIs507031) {
  aclrtLabelList list = nullptr;
  ACL_OK(aclrtCreateLabelList(labels_, 3, &list));
  aclrtContext other = nullptr;
  ACL_OK(aclrtCreateContext(&other, 0));
  ACL_CODE(ACL_ERROR_RT_LABEL_CONTEXT, aclrtSetLabel(labels_[0], nullptr));
  ACL_CODE(ACL_ERROR_RT_LABEL_CONTEXT, aclrtSwitchLabelByIndex(index_, 3, list, nullptr));
  aclrtLabelList foreign = nullptr;
  ACL_CODE(ACL_ERROR_RT_LABEL_CONTEXT, aclrtCreateLabelList(labels_, 3, &foreign));
  ACL_OK(aclrtDestroyContext(other));
}

TEST_F(LabelTest, GoWithTheirContext) {
  aclrtContext own = nullptr;
  aclrtLabel label = nullptr;
  aclrtLabelList list = nullptr;
  ACL_OK(aclrtCreateContext(&own, 0));
  ACL_OK(aclrtCreateLabel(&label));
  ACL_OK(aclrtCreateLabelList(&label, 1, &list));
  ACL_OK(aclrtDestroyContext(own));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabel(label));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabelList(list));
}

TEST_F(LabelTest, AProcessHas65535AndSaysSo) {
  std::vector<aclrtLabel> labels(65'535 - 3);
  for (aclrtLabel& label : labels) {
    ASSERT_EQ(aclrtCreateLabel(&label), ACL_SUCCESS);
  }
  aclrtLabel one_more = kInvented;
  ACL_CODE(ACL_ERROR_RT_RESOURCE_ALLOC_FAIL, aclrtCreateLabel(&one_more));
  EXPECT_EQ(one_more, kInvented);
  ACL_OK(aclrtDestroyLabel(labels.back()));
  ACL_OK(aclrtCreateLabel(&one_more));
}

TEST_F(LabelTest, StaleForeignAndInventedHandlesAre107017) {
  ACL_OK(aclrtDestroyLabel(labels_[0]));
  for (void* handle : {static_cast<void*>(labels_[0]), static_cast<void*>(stream_), kInvented}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabel(handle));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtSetLabel(handle, stream_));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclrtDestroyLabelList(handle));
  }
}

}  // namespace
}  // namespace canopy::test
