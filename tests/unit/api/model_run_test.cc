// Runs of models: how often, in which order, and how they end.
#include "tests/unit/api/models.h"

#include "canopy/kernel.h"

#include <chrono>
#include <string>

namespace canopy::test {
namespace {

class ModelRun : public ModelTest {
 protected:
  void TearDown() override {
    gate_.open();
    ModelTest::TearDown();
  }
  // Of one stream, which counts in word 0, stops at the gate, and then leaves 1 in the trace.
  aclError build_gated() {
    aclrtStream stream = bound();
    for (const aclError code : {count(stream, words_), gate_.close(stream), note(stream, 1)}) {
      if (code != ACL_SUCCESS) {
        return code;
      }
    }
    return end_and_build(stream);
  }

  Gate gate_;
};

__global__ __aicore__ void fail_always(uint64_t* done) {
  *done += 1;
  canopy_assert(done == nullptr);
}
CANOPY_KERNEL(fail_always)

__global__ __aicore__ void add_block(uint64_t* sum, uint64_t value) {
  std::atomic_ref(*sum).fetch_add(value + GetBlockIdx());
}
CANOPY_KERNEL(add_block)

TEST_F(ModelRun, MayBeRepeated) {
  aclrtStream stream = bound();
  for (int i = 0; i < 3; ++i) {
    ACL_OK(note(stream, i));
  }
  ACL_OK(end_and_build(stream));
  EXPECT_TRUE(trace().empty()) << "nothing ran before";
  for (int run = 0; run < 3; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    EXPECT_EQ(trace(), (std::vector{0, 1, 2}));
  }
}

TEST_F(ModelRun, RunsKernelsWithTheArgumentsOfTheirLaunch) {
  aclrtStream stream = bound();
  for (uint64_t value : {10, 20}) {
    ACL_OK(launch(add_block, 4, stream, words_, value));
  }
  ACL_OK(end_and_build(stream));
  for (uint64_t run = 1; run <= 100; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(word(0), run * (4 * 30 + 2 * 6));
  }
}

TEST_F(ModelRun, StartsAllItsHeads) {
  for (int i = 0; i < 8; ++i) {
    ACL_OK(count(bound(), words_ + i));
  }
  ACL_OK(count(bound(kDefault), words_ + 8));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  ACL_OK(aclmdlRIExecute(model_, -1));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(word(i), 1u) << i;
  }
  EXPECT_EQ(word(8), 0u) << "nobody started it";
}

TEST_F(ModelRun, IsOverWhenAllItsStreamsAre) {
  aclrtStream first = bound();
  aclrtStream second = bound();
  Gate gate;
  ACL_OK(gate.close(second));
  ACL_OK(note(second, 2));
  ACL_OK(end_and_build(first));
  ACL_CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, aclmdlRIExecute(model_, 20));
  gate.open();
  ACL_OK(aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), (std::vector{2, 2})) << "the run that nobody waited for went on";
}

TEST_F(ModelRun, LongerThanAStretchRunsInOrder) {
  aclrtStream stream = bound();
  std::vector<int> wanted;
  for (int i = 0; i < 1000; ++i) {
    ACL_OK(note(stream, i));
    wanted.push_back(i);
  }
  ACL_OK(end_and_build(stream));
  for (int run = 0; run < 3; ++run) {
    ACL_OK(aclmdlRIExecute(model_, -1));
    ASSERT_EQ(trace(), wanted);
  }
}

TEST_F(ModelRun, HasATimeoutInMilliseconds) {
  ACL_OK(end_and_build(bound()));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIExecute(model_, 0));
  ACL_CODE(ACL_ERROR_RT_PARAM_INVALID, aclmdlRIExecute(model_, -2));
  ACL_OK(aclmdlRIExecute(model_, 10'000));
}

// ---- In a stream.

TEST_F(ModelRun, IsOneTaskOfAStream) {
  aclrtStream stream = bound();
  ACL_OK(note(stream, 2));
  ACL_OK(note(stream, 3));
  ACL_OK(end_and_build(stream));
  aclrtStream user = make_stream();
  ACL_OK(note(user, 1));
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_OK(note(user, 4));
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_OK(aclmdlRIExecuteAsync(model_, nullptr));
  ACL_OK(aclrtSynchronizeStream(user));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  const std::vector<int> seen = trace();
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_EQ(seen[0] == 1 || seen[0] == 2, true);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 3), 3);
}

TEST_F(ModelRun, RunsFollowEachOther) {
  aclrtStream stream = bound();
  // Without the order one of two runs at a time would lose an addition.
  ACL_OK(aclrtLaunchHostFunc(
      stream,
      [](void* p) {
        auto* word = static_cast<uint64_t*>(p);
        const uint64_t before = std::atomic_ref(word[0]).load();
        std::this_thread::yield();
        std::atomic_ref(word[0]).store(before + 1);
      },
      words_));
  ACL_OK(end_and_build(stream));
  std::vector<aclrtStream> users;
  for (int i = 0; i < 4; ++i) {
    users.push_back(make_stream());
  }
  for (int i = 0; i < 200; ++i) {
    ACL_OK(aclmdlRIExecuteAsync(model_, users[static_cast<size_t>(i) % 4]));
    if (i % 50 == 0) {
      ACL_OK(aclmdlRIExecute(model_, -1));
    }
  }
  for (aclrtStream user : users) {
    ACL_OK(aclrtSynchronizeStream(user));
  }
  EXPECT_EQ(word(0), 204u);
}

TEST_F(ModelRun, IsNoTaskOfAPersistentStream) {
  ACL_OK(end_and_build(bound()));
  ACL_CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, aclmdlRIExecuteAsync(model_, make_persistent()));
}

TEST_F(ModelRun, IsRefusedInsideAHostFunction) {
  ACL_OK(end_and_build(bound()));
  std::pair<aclmdlRI, std::atomic<int>> seen{model_, 0};
  ACL_OK(aclrtLaunchHostFunc(
      nullptr,
      [](void* p) {
        auto& [model, code] = *static_cast<std::pair<aclmdlRI, std::atomic<int>>*>(p);
        code = aclmdlRIExecute(model, -1);
      },
      &seen));
  ACL_OK(aclrtSynchronizeStream(nullptr));
  EXPECT_EQ(seen.second.load(), ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
}

// ---- Failures.

TEST_F(ModelRun, FailsWithTheCodeOfItsTask) {
  aclrtStream stream = bound();
  ACL_OK(launch(fail_always, 1, stream, words_));
  ACL_OK(note(stream, 1));
  ACL_OK(end_and_build(stream));
  for (uint64_t run = 1; run <= 3; ++run) {
    ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclmdlRIExecute(model_, -1));
    EXPECT_EQ(word(0), run);
  }
  EXPECT_EQ(trace(), (std::vector{1, 1, 1})) << "later tasks run";
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclrtSynchronizeStream(user));
  ACL_OK(aclrtSynchronizeStream(user)) << "told once";
}

TEST_F(ModelRun, ExceptionsNameTheTaskAsItsStreamCounts) {
  static std::vector<std::pair<uint32_t, uint32_t>> told;
  told.clear();
  aclrtStream stream = bound();
  int32_t id = -1;
  ACL_OK(aclrtStreamGetId(stream, &id));
  for (int i = 0; i < 300; ++i) {
    ACL_OK(count(stream, words_ + 1));
  }
  ACL_OK(launch(fail_always, 1, stream, words_));
  uint32_t number = 0;
  ACL_OK(aclrtGetThreadLastTaskId(&number));
  EXPECT_EQ(number, 300u);
  ACL_OK(end_and_build(stream));
  ACL_OK(aclrtSetExceptionInfoCallback([](aclrtExceptionInfo* info) {
    told.emplace_back(aclrtGetStreamIdFromExceptionInfo(info), aclrtGetTaskIdFromExceptionInfo(info));
  }));
  for (int run = 0; run < 2; ++run) {
    ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclmdlRIExecute(model_, -1));
  }
  const std::pair one(static_cast<uint32_t>(id), number);
  EXPECT_EQ(told, (std::vector{one, one}));
  ACL_OK(aclrtSetExceptionInfoCallback(nullptr));
}

TEST_F(ModelRun, FailsWhenMemoryOfATaskWasFreed) {
  aclrtStream stream = bound();
  void* gone = zeroed_memory(64);
  ACL_OK(aclrtMemsetAsync(gone, 64, 1, 64, stream));
  ACL_OK(note(stream, 1));
  ACL_OK(end_and_build(stream));
  ACL_OK(aclmdlRIExecute(model_, -1));
  ACL_OK(aclrtFree(gone));
  ACL_CODE(ACL_ERROR_RT_SYS_DMA, aclmdlRIExecute(model_, -1));
  EXPECT_EQ(trace(), (std::vector{1, 1}));
}

TEST_F(ModelRun, StopsAContextThatStopsOnFailure) {
  aclrtStream user = make_stream();
  ACL_OK(aclrtSetStreamFailureMode(user, ACL_STOP_ON_FAILURE));
  aclrtStream stream = bound();
  ACL_OK(launch(fail_always, 1, stream, words_));
  ACL_OK(note(stream, 1));
  ACL_OK(end_and_build(stream));
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclrtSynchronizeStream(user));
  EXPECT_TRUE(trace().empty());
  ACL_CODE(ACL_ERROR_RT_VECTOR_CORE_TRAP_EXCEPTION, aclmdlRIExecute(model_, -1));
  EXPECT_EQ(word(0), 1u) << "did not run again";
}

// ---- Ends before their time.

TEST_F(ModelRun, AbortEndsIt) {
  ACL_OK(build_gated());
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  await_word(0);
  ACL_OK(aclmdlRIAbort(model_));
  ACL_CODE(ACL_ERROR_RT_MODEL_ABORT_NORMAL, aclrtSynchronizeStream(user));
  EXPECT_TRUE(trace().empty());
  gate_.open();
  ACL_OK(aclmdlRIExecute(model_, -1)) << "it runs again";
  EXPECT_EQ(trace(), std::vector{1});
}

TEST_F(ModelRun, AbortEndsEveryKindOfWait) {
  aclrtEvent event = nullptr;
  aclrtEvent late = nullptr;
  aclrtNotify notify = nullptr;
  ACL_OK(aclrtCreateEventWithFlag(&event, ACL_EVENT_SYNC));
  ACL_OK(aclrtCreateEventWithFlag(&late, ACL_EVENT_SYNC));
  ACL_OK(aclrtCreateNotify(&notify, 0));
  aclrtStream waits[4];
  for (aclrtStream& stream : waits) {
    stream = bound();
  }
  ACL_OK(aclrtRecordEvent(event, waits[3]));
  ACL_OK(aclrtResetEvent(event, waits[3]));
  ACL_OK(aclrtWaitAndResetNotify(notify, waits[1], 0));
  ACL_OK(aclrtValueWait(words_ + 1, 1, ACL_STREAM_WAIT_VALUE_EQ, waits[2]));
  ACL_OK(aclrtRecordEvent(late, waits[2]));
  ACL_OK(aclrtStreamWaitEvent(waits[0], late));
  ACL_OK(aclrtStreamWaitEventWithTimeout(waits[3], event, 1000));
  ACL_OK(aclmdlRIBuildEnd(model_, nullptr));
  for (int round = 0; round < 20; ++round) {
    aclrtStream user = make_stream();
    ACL_OK(aclmdlRIExecuteAsync(model_, user));
    if (round % 2 == 0) {
      EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(user, 1), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    }
    aclError code = ACL_ERROR_RT_STREAM_SYNC_TIMEOUT;
    while (code == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {  // the run may not have begun at the abort
      ACL_OK(aclmdlRIAbort(model_));
      code = aclrtSynchronizeStreamWithTimeout(user, 1);
    }
    EXPECT_EQ(code, ACL_ERROR_RT_MODEL_ABORT_NORMAL);
    ACL_OK(aclrtDestroyStream(user));
  }
}

TEST_F(ModelRun, AbortEndsWhatIsInLine) {
  ACL_OK(build_gated());
  aclrtStream users[2] = {make_stream(), make_stream()};
  ACL_OK(aclmdlRIExecuteAsync(model_, users[0]));
  await_word(0);
  ACL_OK(count(users[1], words_ + 1));
  ACL_OK(aclmdlRIExecuteAsync(model_, users[1]));
  await_word(1);
  EXPECT_EQ(aclrtSynchronizeStreamWithTimeout(users[1], 20), ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  ACL_OK(aclmdlRIAbort(model_));
  for (aclrtStream user : users) {
    ACL_CODE(ACL_ERROR_RT_MODEL_ABORT_NORMAL, aclrtSynchronizeStream(user));
  }
  EXPECT_EQ(word(0), 1u);
}

TEST_F(ModelRun, AbortOfAnIdleModelIsFine) {
  ACL_OK(end_and_build(bound()));
  ACL_OK(aclmdlRIAbort(model_));
  ACL_OK(aclmdlRIExecute(model_, -1));
}

TEST_F(ModelRun, AbortOfItsStreamEndsIt) {
  ACL_OK(build_gated());
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  await_word(0);
  ACL_OK(aclrtStreamAbort(user));
  ACL_OK(aclrtSynchronizeStream(user));
  EXPECT_TRUE(trace().empty());
  EXPECT_EQ(word(0), 1u);
  ACL_OK(aclmdlRIDestroy(model_));
}

TEST_F(ModelRun, StopOfItsStreamEndsThatRun) {
  ACL_OK(build_gated());
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_OK(note(user, 2));
  await_word(0);
  ACL_OK(aclrtStreamStop(user));
  ACL_OK(aclrtSynchronizeStream(user));
  EXPECT_EQ(trace(), std::vector{2});
}

TEST_F(ModelRun, AbortOfTheDeviceEndsIt) {
  ACL_OK(build_gated());
  aclError code = ACL_SUCCESS;
  std::thread host([&] {
    aclrtSetDevice(0);
    code = aclmdlRIExecute(model_, -1);
    aclrtResetDevice(0);
  });
  await_word(0);
  ACL_OK(aclrtDeviceTaskAbort(0, 0));
  host.join();
  EXPECT_EQ(code, ACL_ERROR_RT_DEVICE_TASK_ABORT);
}

TEST_F(ModelRun, DestroyDuringARunIs107037) {
  aclrtStream stream = bound();
  Gate gate;
  ACL_OK(gate.close(stream));
  ACL_OK(end_and_build(stream));
  aclrtStream user = make_stream();
  ACL_OK(aclmdlRIExecuteAsync(model_, user));
  ACL_CODE(ACL_ERROR_RT_MODEL_RUNNING, aclmdlRIDestroy(model_));
  ACL_CODE(ACL_ERROR_RT_MODEL_RUNNING, aclmdlRIUnbindStream(model_, stream));
  gate.open();
  ACL_OK(aclmdlRIDestroy(model_)) << "it waits a while";
  ACL_OK(aclrtSynchronizeStream(user));
}

TEST_F(ModelRun, WhatIsQueuedRunsBeforeItsContextGoes) {
  aclrtContext own = nullptr;
  ACL_OK(aclrtCreateContext(&own, 0));
  aclmdlRI model = nullptr;
  ACL_OK(aclmdlRIBuildBegin(&model, 0));
  aclrtStream stream = make_persistent();
  ACL_OK(aclmdlRIBindStream(model, stream, kHead));
  ACL_OK(note(stream, 1));
  ACL_OK(aclmdlRIBuildEnd(model, nullptr));
  for (int i = 0; i < 3; ++i) {
    ACL_OK(aclmdlRIExecuteAsync(model, nullptr));
  }
  ACL_OK(aclrtDestroyContext(own));
  EXPECT_EQ(trace(), (std::vector{1, 1, 1}));
  ACL_OK(aclrtSetDevice(0));
}

}  // namespace
}  // namespace canopy::test
