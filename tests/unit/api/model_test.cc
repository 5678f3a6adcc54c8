// Models: how they are built and taken apart, and what is refused meanwhile.
#include "tests/unit/api/models.h"

#include <string>

namespace canopy::test {
namespace {

using Model = ModelTest;

// ---- Building.

TEST_F(Model, AreBegunWithFlag0Only) {
  aclmdlRI other = kInvented;
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildBegin(&other, 1));
  EXPECT_EQ(other, kInvented);
}

TEST_F(Model, TakePersistentStreamsOnly) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(model_, make_stream(), kHead));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(model_, nullptr, kHead));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIBindStream(model_, kInvented, kHead));
}

TEST_F(Model, KnowTwoFlagsOfBoundStreams) {
  aclrtStream stream = make_persistent();
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(model_, stream, 1));
  ACL_OK(aclmdlRIBindStream(model_, stream, kDefault));
}

TEST_F(Model, AStreamIsBoundOnceToOneModel) {
  aclrtStream stream = bound();
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIBindStream(model_, stream, kHead));
  aclmdlRI other = nullptr;
  ACL_OK(aclmdlRIBuildBegin(&other, 0));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIBindStream(other, stream, kHead));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIUnbindStream(other, stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIEndTask(other, stream));
  ACL_OK(aclmdlRIUnbindStream(model_, stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIUnbindStream(model_, stream));
  ACL_OK(aclmdlRIBindStream(other, stream, kHead));
}

TEST_F(Model, NeedAStreamThatStartsWithThem) {
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(model_, nullptr));
  bound(kDefault);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(model_, nullptr));
  bound(kHead);
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(model_, kInvented));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
}

TEST_F(Model, AreBuiltOnce) {
  aclrtStream stream = bound();
  ACL_OK(end_and_build(stream));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBuildEnd(model_, nullptr));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIBindStream(model_, make_persistent(), kHead));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclmdlRIEndTask(model_, stream));
}

TEST_F(Model, ThatAreBuiltTakeNoMoreTasks) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  ACL_OK(aclmdlRIEndTask(model_, first));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, note(first, 1)) << "behind its end task";
  ACL_OK(note(second, 2));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, note(second, 3));
  EXPECT_NE(std::string(why()).find("its model is built"), std::string::npos);
}

TEST_F(Model, WhatAStreamHeldBeforeItWasBoundRunsToo) {
  aclrtStream stream = make_persistent();
  ACL_OK(note(stream, 1));
  ACL_OK(aclmdlRIBindStream(model_, stream, kHead));
  ACL_OK(note(stream, 2));
  ACL_OK(end_and_build(stream));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), (std::vector{1, 2}));
}

// ---- Before and after.

TEST_F(Model, DoNotRunBeforeTheyAreBuilt) {
  bound();
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecute(model_, -1));
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecuteAsync(model_, nullptr));
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIAbort(model_));
}

TEST_F(Model, RunTheStreamsThatAreLeft) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  ACL_OK(note(first, 1));
  ACL_OK(note(second, 2));
  ACL_OK(end_and_build(first));
  ACL_OK(aclmdlRIUnbindStream(model_, second));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), std::vector{1});
  ACL_OK(aclmdlRIUnbindStream(model_, first));
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecute(model_, -1)) << "none is left";
}

TEST_F(Model, DoNotRunWhenNoneOfTheStreamsThatAreLeftStartsByItself) {
  aclrtStream head = bound();
  aclrtStream other = bound(kDefault);
  ACL_OK(aclrtActiveStream(other, head));
  ACL_OK(note(other, 2));
  ACL_OK(end_and_build(other));
  ACL_OK(aclmdlRIUnbindStream(model_, head));
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecute(model_, -1));
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIExecuteAsync(model_, nullptr));
  ACL_CODE(ACL_ERROR_RT_MODEL_EXECUTE, aclmdlRIAbort(model_));
}

TEST_F(Model, AnUnboundStreamKeepsItsTasks) {
  aclrtStream stream = bound();
  ACL_OK(note(stream, 7));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclmdlRIUnbindStream(model_, stream));
  aclmdlRI other = nullptr;
  ACL_OK(aclmdlRIBuildBegin(&other, 0));
  ACL_OK(aclmdlRIBindStream(other, stream, kHead));
  ACL_OK(note(stream, 8));
  ACL_OK(aclmdlRIBuildEnd(other, nullptr));
  ACL_OK(aclmdlRIExecute(other, -1));
  EXPECT_EQ(trace(), (std::vector{7, 8}));
}

TEST_F(Model, BoundStreamsAreNotDestroyed) {
  aclrtStream stream = bound();
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtDestroyStream(stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtDestroyStreamForce(stream));
  ACL_OK(aclmdlRIDestroy(model_));
  ACL_OK(aclrtDestroyStream(stream)) << "the model let go of it";
}

TEST_F(Model, BoundStreamsAreNeitherAbortedNorStopped) {
  aclrtStream stream = bound();
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtStreamAbort(stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtStreamStop(stream));
}

TEST_F(Model, BoundStreamsHaveNoFailureMode) {
  aclrtStream stream = bound();
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
           aclrtSetStreamFailureMode(stream, ACL_STOP_ON_FAILURE));
}

TEST_F(Model, BoundStreamsSynchroniseAtOnce) {
  aclrtStream stream = bound();
  ACL_OK(note(stream, 1));
  ACL_OK(aclrtSynchronizeStream(stream));
  EXPECT_TRUE(trace().empty());
}

TEST_F(Model, BoundStreamsAreCleanedBeforeTheBuildOnly) {
  aclrtStream stream = bound();
  ACL_OK(note(stream, 1));
  ACL_OK(aclmdlRIEndTask(model_, stream));
  ACL_OK(aclrtPersistentTaskClean(stream));
  ACL_OK(note(stream, 2));
  ACL_OK(end_and_build(stream));
  ACL_CODE(ACL_ERROR_RT_STREAM_MODEL, aclrtPersistentTaskClean(stream));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), std::vector{2});
}

TEST_F(Model, AStreamHolds2013Tasks) {
  aclrtStream stream = bound();
  for (int i = 0; i < 2013; ++i) {
    ACL_OK(count(stream, words_));
  }
  ACL_CODE(ACL_ERROR_RT_STREAM_TASK_FULL, count(stream, words_));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 2013u);
}

// ---- Handles.

TEST_F(Model, StaleForeignAndInventedHandlesAre107017) {
  aclrtStream stream = bound();
  ACL_OK(end_and_build(stream));
  ACL_OK(aclmdlRIDestroy(model_));
  for (void* handle : {model_, static_cast<void*>(stream), kInvented}) {
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIExecute(handle, -1));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIExecuteAsync(handle, nullptr));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIAbort(handle));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIDestroy(handle));
    ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIBuildEnd(handle, nullptr));
  }
}

TEST_F(Model, OfAnotherContextIs107004) {
  aclrtContext other = nullptr;
  ACL_OK(aclrtCreateContext(&other, 0));
  ACL_CODE(ACL_ERROR_RT_MODEL_CONTEXT, aclmdlRIExecute(model_, -1));
  ACL_CODE(ACL_ERROR_RT_MODEL_CONTEXT, aclmdlRIDestroy(model_));
  ACL_CODE(ACL_ERROR_RT_MODEL_CONTEXT, aclmdlRIBindStream(model_, make_persistent(), kHead));
  ACL_OK(aclrtDestroyContext(other));
}

TEST_F(Model, GoWithTheirContext) {
  std::atomic<int> told{0};
  aclrtContext own = nullptr;
  ACL_OK(aclrtCreateContext(&own, 0));
  aclmdlRI model = nullptr;
  ACL_OK(aclmdlRIBuildBegin(&model, 0));
  ACL_OK(aclmdlRIBindStream(model, make_persistent(), kHead));
  ACL_OK(aclmdlRIDestroyRegisterCallback(model, &add, &told));
  ACL_OK(aclrtDestroyContext(own));
  EXPECT_EQ(told.load(), 1);
  ACL_OK(aclrtSetDevice(0));
  ACL_CODE(ACL_ERROR_RT_INVALID_HANDLE, aclmdlRIDestroy(model));
}

TEST_F(Model, NullArgumentsAre100000) {
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIBuildBegin(nullptr, 0));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIBindStream(nullptr, make_persistent(), kHead));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIEndTask(nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIBuildEnd(nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIUnbindStream(nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIExecute(nullptr, -1));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIExecuteAsync(nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIAbort(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIDestroy(nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIDestroyRegisterCallback(model_, nullptr, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIDestroyUnregisterCallback(model_, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRISetName(model_, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIGetName(model_, 10, nullptr));
  ACL_CODE(ACL_ERROR_INVALID_PARAM, aclmdlRIGetId(model_, nullptr));
}

// ---- Names, numbers, and who is told of the end.

TEST_F(Model, HaveNamesOf511BytesAtMost) {
  std::vector<char> name(600, 'x');
  ACL_OK(aclmdlRIGetName(model_, 600, name.data()));
  EXPECT_STREQ(name.data(), "");
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRISetName(model_, std::string(512, 'n').c_str()));
  ACL_OK(aclmdlRISetName(model_, std::string(511, 'n').c_str()));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIGetName(model_, 511, name.data()));
  ACL_OK(aclmdlRIGetName(model_, 512, name.data()));
  EXPECT_EQ(std::string(name.data()), std::string(511, 'n'));
}

TEST_F(Model, HaveNumbersOfTheirOwn) {
  aclmdlRI other = nullptr;
  ACL_OK(aclmdlRIBuildBegin(&other, 0));
  uint32_t first = 0;
  uint32_t second = 0;
  uint32_t again = 0;
  ACL_OK(aclmdlRIGetId(model_, &first));
  ACL_OK(aclmdlRIGetId(other, &second));
  ACL_OK(aclmdlRIGetId(model_, &again));
  EXPECT_NE(first, second);
  EXPECT_EQ(first, again);
}

TEST_F(Model, TellOfTheirDestruction) {
  std::atomic<int> first{0};
  std::atomic<int> second{0};
  const auto other = [](void* p) { static_cast<std::atomic<int>*>(p)->store(42); };
  ACL_OK(aclmdlRIDestroyRegisterCallback(model_, &add, &first));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIDestroyRegisterCallback(model_, &add, &second));
  ACL_OK(aclmdlRIDestroyRegisterCallback(model_, other, &second));
  ACL_OK(aclmdlRIDestroyUnregisterCallback(model_, other));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIDestroyUnregisterCallback(model_, other));
  ACL_OK(aclmdlRIDestroy(model_));
  EXPECT_EQ(first.load(), 1);
  EXPECT_EQ(second.load(), 0);
}

}  // namespace
}  // namespace canopy::test
