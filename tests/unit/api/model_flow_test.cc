// What decides in a model which task comes next: labels, activated streams, comparisons.
#include "tests/unit/api/models.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace canopy::test {
namespace {

class ModelFlow : public ModelTest {
 protected:
  static aclrtLabel make_label() {
    aclrtLabel label = nullptr;
    EXPECT_EQ(aclrtCreateLabel(&label), ACL_SUCCESS) << why();
    return label;
  }
  static aclrtLabelList list_of(std::vector<aclrtLabel> labels) {
    aclrtLabelList list = nullptr;
    EXPECT_EQ(aclrtCreateLabelList(labels.data(), labels.size(), &list), ACL_SUCCESS) << why();
    return list;
  }
  // A jump by the lower half of words_[word].
  aclError jump(aclrtStream stream, std::vector<aclrtLabel> labels, int word) {
    return aclrtSwitchLabelByIndex(words_ + word, static_cast<uint32_t>(labels.size()),
                                   list_of(labels), stream);
  }
  aclError branch(aclrtStream stream, aclrtCondition condition, aclrtStream on_true,
                  aclrtCompareDataType type = ACL_RT_SWITCH_INT64) {
    return aclrtSwitchStream(words_, condition, words_ + 1, type, on_true, nullptr, stream);
  }
};

// ---- Labels.

TEST_F(ModelFlow, AJumpGoesOnAtTheLabelOfTheIndex) {
  aclrtStream stream = bound();
  std::vector<aclrtLabel> cases = {make_label(), make_label(), make_label()};
  aclrtLabel end = make_label();
  ACL_OK(jump(stream, cases, 0));
  for (int i = 0; i < 3; ++i) {
    ACL_OK(aclrtSetLabel(cases[static_cast<size_t>(i)], stream));
    ACL_OK(note(stream, i));
    ACL_OK(jump(stream, {end}, 7));
  }
  ACL_OK(aclrtSetLabel(end, stream));
  ACL_OK(note(stream, 9));
  ACL_OK(end_and_build(stream));
  for (uint64_t index : {0, 1, 2}) {
    set_word(0, index);
    ACL_OK(aclmdlRIExecute(model_, -1));
    EXPECT_EQ(trace(), (std::vector{static_cast<int>(index), 9}));
  }
}

TEST_F(ModelFlow, AnIndexTooLargeMeansTheLastLabel) {
  aclrtStream stream = bound();
  std::vector<aclrtLabel> cases = {make_label(), make_label()};
  ACL_OK(jump(stream, cases, 0));
  ACL_OK(aclrtSetLabel(cases[0], stream));
  ACL_OK(note(stream, 0));
  ACL_OK(aclrtSetLabel(cases[1], stream));
  ACL_OK(note(stream, 1));
  ACL_OK(end_and_build(stream));
  for (uint64_t index : {uint64_t{2}, uint64_t{0xFFFFFFFF}}) {
    set_word(0, index);
    ACL_OK(aclmdlRIExecute(model_, -1));
    EXPECT_EQ(trace(), std::vector{1});
  }
}

TEST_F(ModelFlow, FewerLabelsThanTheListHasMayBeNamed) {
  aclrtStream stream = bound();
  aclrtLabel used = make_label();
  aclrtLabelList list = list_of({used, make_label()});
  ACL_OK(aclrtSwitchLabelByIndex(words_, 1, list, stream));
  ACL_OK(note(stream, 0));
  ACL_OK(aclrtSetLabel(used, stream));
  ACL_OK(end_and_build(stream)) << "the second label is set nowhere, and nobody jumps there";
  set_word(0, 1);
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_TRUE(trace().empty());
}

TEST_F(ModelFlow, AJumpBackIsALoop) {
  aclrtStream stream = bound();
  aclrtLabel top = make_label();
  aclrtLabel out = make_label();
  ACL_OK(aclrtSetLabel(top, stream));
  ACL_OK(aclrtLaunchHostFunc(
      stream,
      [](void* p) {
        auto* words = static_cast<uint64_t*>(p);
        const uint64_t turns = std::atomic_ref(words[2]).fetch_add(1) + 1;
        std::atomic_ref(words[0]).store(turns % 1000 == 0 ? 1 : 0);
      },
      words_));
  ACL_OK(jump(stream, {top, out}, 0));
  ACL_OK(note(stream, 5)) << "skipped";
  ACL_OK(aclrtSetLabel(out, stream));
  ACL_OK(note(stream, 6));
  ACL_OK(end_and_build(stream));
  for (uint64_t run = 1; run <= 2; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    EXPECT_EQ(word(2), 1000 * run);
    EXPECT_EQ(trace(), std::vector{6});
  }
}

TEST_F(ModelFlow, AnEndlessLoopIsEndedByAbort) {
  aclrtStream stream = bound();
  aclrtLabel top = make_label();
  ACL_OK(aclrtSetLabel(top, stream));
  ACL_OK(count(stream, words_ + 2));
  ACL_OK(jump(stream, {top}, 0));
  ACL_OK(end_and_build(stream));
  for (int round = 0; round < 3; ++round) {
    set_word(2, 0);
    ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclmdlRIExecute(model_, 5));
    await_word(2);
    ACL_OK(aclmdlRIAbort(model_));
    const uint64_t after = word(2);
    std::this_thread::yield();
    EXPECT_EQ(word(2), after);
  }
}

TEST_F(ModelFlow, AJumpToAnotherStreamStartsThatThere) {
  aclrtStream first = bound();
  aclrtStream second = bound(kDefault);
  aclrtLabel label = make_label();
  ACL_OK(note(second, 1));
  ACL_OK(aclrtSetLabel(label, second));
  ACL_OK(note(second, 2));
  ACL_OK(note(first, 0));
  ACL_OK(jump(first, {label}, 0));
  ACL_OK(note(first, 3));
  ACL_OK(end_and_build(first));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), (std::vector{0, 2}));
}

TEST_F(ModelFlow, LabelsAreSetOncePerModel) {
  aclrtStream stream = bound();
  aclrtLabel label = make_label();
  ACL_OK(aclrtSetLabel(label, stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSetLabel(label, stream));
  aclmdlRI other = nullptr;
  ACL_OK(aclmdlRIBuildBegin(&other, 0));
  aclrtStream its = make_persistent();
  ACL_OK(aclmdlRIBindStream(other, its, kHead));
  ACL_OK(aclrtSetLabel(label, its));
}

TEST_F(ModelFlow, AJumpToALabelThatIsNotSetDoesNotBuild) {
  aclrtStream stream = bound();
  ACL_OK(jump(stream, {make_label()}, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(model_, nullptr));
  EXPECT_NE(std::string(why()).find("is not set"), std::string::npos);
}

TEST_F(ModelFlow, LabelsMayGoOnceTheModelIsBuilt) {
  aclrtStream stream = bound();
  aclrtLabel label = make_label();
  aclrtLabelList list = list_of({label});
  ACL_OK(aclrtSwitchLabelByIndex(words_, 1, list, stream));
  ACL_OK(aclrtDestroyLabelList(list));
  ACL_OK(note(stream, 1));
  ACL_OK(aclrtSetLabel(label, stream));
  ACL_OK(aclrtDestroyLabel(label));
  ACL_OK(end_and_build(stream));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_TRUE(trace().empty());
}

TEST_F(ModelFlow, TheIndexLiesInDeviceMemory) {
  aclrtStream stream = bound();
  aclrtLabel label = make_label();
  aclrtLabelList list = list_of({label});
  uint32_t on_the_host = 0;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclrtSwitchLabelByIndex(&on_the_host, 1, list, stream));
  void* gone = zeroed_memory(64);
  ACL_OK(aclrtSwitchLabelByIndex(gone, 1, list, stream));
  ACL_OK(note(stream, 1));
  ACL_OK(aclrtSetLabel(label, stream));
  ACL_OK(end_and_build(stream));
  ACL_OK(aclrtFree(gone));
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), std::vector{1}) << "it goes on behind the switch";
}

// ---- Activated streams.

TEST_F(ModelFlow, AnActivatedStreamRunsBesideTheOther) {
  aclrtStream first = bound();
  aclrtStream second = bound(kDefault);
  ACL_OK(note(first, 1));
  ACL_OK(aclrtActiveStream(second, first));
  ACL_OK(aclrtValueWait(words_ + 3, 1, ACL_STREAM_WAIT_VALUE_EQ, first));
  ACL_OK(note(first, 3));
  ACL_OK(note(second, 2));
  ACL_OK(aclrtValueWrite(words_ + 3, 1, 0, second));
  ACL_OK(end_and_build(first));
  for (int run = 0; run < 3; ++run) {
    set_word(3, 0);
    ACL_OK(aclmdlRIExecute(model_, -1));
    EXPECT_EQ(trace(), (std::vector{1, 2, 3}));
  }
}

TEST_F(ModelFlow, AStreamThatActivatesItselfStartsOver) {
  aclrtStream stream = bound();
  aclrtStream out = bound(kDefault);
  set_word(1, 5);
  ACL_OK(count(stream, words_));
  ACL_OK(branch(stream, ACL_RT_EQUAL, out));
  ACL_OK(aclrtActiveStream(stream, stream));
  ACL_OK(note(out, 1));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 5u);
  EXPECT_EQ(trace(), std::vector{1});
}

TEST_F(ModelFlow, TwoStreamsThatActivateEachOtherAreALoopForAbort) {
  aclrtStream first = bound();
  aclrtStream second = bound(kDefault);
  ACL_OK(count(first, words_));
  ACL_OK(aclrtActiveStream(second, first));
  ACL_OK(count(second, words_ + 1));
  ACL_OK(aclrtActiveStream(first, second));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  while (word(1) < 100) {
    std::this_thread::yield();
  }
  ACL_OK(aclmdlRIAbort(model_));
  ACL_CODE(ACL_ERROR_RT_MODEL_ABORT_NORMAL, aclrtSynchronizeStream(user));
}

TEST_F(ModelFlow, LoopsRunToTheirEndWhenAnotherStreamHasTheEndTask) {
  aclrtStream stream = bound();
  aclrtStream loop = bound();
  aclrtLabel top = make_label();
  aclrtLabel out = make_label();
  ACL_OK(aclrtSetLabel(top, loop));
  ACL_OK(count(loop, words_ + 2));
  ACL_OK(jump(loop, {top, out}, 0));
  ACL_OK(aclrtSetLabel(out, loop));
  ACL_OK(note(loop, 2));
  ACL_OK(note(stream, 1));
  ACL_OK(end_and_build(stream));
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  while (word(2) < 100) {
    std::this_thread::yield();
  }
  set_word(0, 1);
  ACL_OK(aclrtSynchronizeStream(user));
  std::vector<int> seen = trace();
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector{1, 2}));
}

TEST_F(ModelFlow, OnlyStreamsOfTheModelAreActivated) {
  aclrtStream stream = bound();
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtActiveStream(make_stream(), stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtActiveStream(make_persistent(), stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, branch(stream, ACL_RT_EQUAL, make_persistent()));
  aclrtStream other = bound(kDefault);
  ACL_OK(aclrtActiveStream(other, stream));
  ACL_OK(aclmdlRIUnbindStream(model_, other));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIBuildEnd(model_, nullptr));
}

// ---- Comparisons.

struct Case {
  aclrtCondition condition;
  bool below, same, above;  // whether it holds when the left word is ...
};

class ModelBranch : public ModelFlow, public testing::WithParamInterface<Case> {
 protected:
  // Whether the true stream was taken.
  bool taken(int64_t left, int64_t right, size_t bytes) {
    set_word(0, 0xAAAAAAAA'AAAAAAAA);  // what lies behind 32 bits does not count
    set_word(1, 0x55555555'55555555);
    std::memcpy(words_, &left, bytes);
    std::memcpy(words_ + 1, &right, bytes);
    EXPECT_EQ(aclmdlRIExecute(model_, -1), ACL_SUCCESS) << why();
    const std::vector<int> seen = trace();
    EXPECT_TRUE(seen == std::vector{1} || seen == std::vector{2});
    return seen == std::vector{1};
  }
};

TEST_P(ModelBranch, ComparesSignedWords) {
  for (const aclrtCompareDataType type : {ACL_RT_SWITCH_INT32, ACL_RT_SWITCH_INT64}) {
    aclrtStream stream = bound();
    aclrtStream on_true = bound(kDefault);
    ACL_OK(branch(stream, GetParam().condition, on_true, type));
    ACL_OK(note(stream, 2));
    ACL_OK(note(on_true, 1));
    ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
    const size_t bytes = type == ACL_RT_SWITCH_INT32 ? 4 : 8;
    const int64_t least = bytes == 4 ? std::numeric_limits<int32_t>::min()
                                     : std::numeric_limits<int64_t>::min();
    EXPECT_EQ(taken(-1, 1, bytes), GetParam().below);
    EXPECT_EQ(taken(least, 0, bytes), GetParam().below);
    EXPECT_EQ(taken(-7, -7, bytes), GetParam().same);
    EXPECT_EQ(taken(3, -3, bytes), GetParam().above);
    ACL_OK(aclmdlRIDestroy(model_));
    ACL_OK(aclmdlRIBuildBegin(&model_, 0));
  }
}

INSTANTIATE_TEST_SUITE_P(Conditions, ModelBranch,
                         testing::Values(Case{ACL_RT_EQUAL, false, true, false},
                                         Case{ACL_RT_NOT_EQUAL, true, false, true},
                                         Case{ACL_RT_GREATER, false, false, true},
                                         Case{ACL_RT_GREATER_OR_EQUAL, false, true, true},
                                         Case{ACL_RT_LESS, true, false, false},
                                         Case{ACL_RT_LESS_OR_EQUAL, true, true, false}));

TEST_F(ModelFlow, ComparedWordsLieInDeviceMemoryAtTheirBoundary) {
  aclrtStream stream = bound();
  aclrtStream other = bound(kDefault);
  int64_t on_the_host = 0;
  const auto compare = [&](void* left, void* right, aclrtCompareDataType type) {
    return aclrtSwitchStream(left, ACL_RT_EQUAL, right, type, other, nullptr, stream);
  };
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, compare(&on_the_host, words_, ACL_RT_SWITCH_INT64));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, compare(words_, &on_the_host, ACL_RT_SWITCH_INT64));
  void* odd = reinterpret_cast<char*>(words_) + 4;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, compare(odd, words_, ACL_RT_SWITCH_INT64));
  ACL_OK(compare(odd, words_, ACL_RT_SWITCH_INT32));
}

}  // namespace
}  // namespace canopy::test
