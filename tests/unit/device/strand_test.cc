// Streams of tasks: first in, first out, and nothing lost.
#include "tests/unit/device/rig.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace canopy::test {
namespace {

// Counts tasks of one stream; plain integers: the stream's order is the only protection.
struct Counter {
  uint64_t next = 0;
  uint64_t wrong = 0;
};
struct Step {
  Counter* counter;
  uint64_t index;
};
static_assert(sizeof(Step) <= Sqe::kInlineArgs);

void take_step(const void* args) {
  const Step step = *static_cast<const Step*>(args);
  step.counter->wrong += step.counter->next != step.index;
  ++step.counter->next;
}

void post_kernel_step(RigStream& stream, const KernelImage& image, Step step) {
  stream.post([&](Sqe& sqe) {
    sqe.kind = SqeKind::kernel;
    sqe.launch = Sqe::kPlainLaunch;
    sqe.core_kind = static_cast<uint8_t>(image.core_kind);
    sqe.blocks = 1;
    sqe.body.kernel.entry = image.entry;
    sqe.body.kernel.args = nullptr;
    sqe.body.kernel.image = &image;
    new (sqe.body.kernel.inline_args) Step(step);
  });
}

void call_step(void* argument) { take_step(argument); }

class StrandOrder : public testing::TestWithParam<uint32_t> {};

TEST_P(StrandOrder, EightStreamsOfKernelsFromEightThreadsStayInOrder) {
  const KernelImage image = image_of("take_step", &take_step);
  Rig rig({.executors = GetParam()});
  constexpr uint64_t kTasks = 100'000 / kSlowdown;
  Counter counters[8];
  {
    std::vector<std::unique_ptr<RigStream>> streams;
    for (int s = 0; s < 8; ++s) {
      streams.push_back(std::make_unique<RigStream>(rig));
    }
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (uint64_t i = 0; i < kTasks; ++i) {
          post_kernel_step(*streams[t], image, {&counters[t], i});
        }
        streams[t]->sync();
      });
    }
  }
  for (const Counter& counter : counters) {
    EXPECT_EQ(counter.next, kTasks);
    EXPECT_EQ(counter.wrong, 0u);
  }
}
INSTANTIATE_TEST_SUITE_P(Executors, StrandOrder, testing::Values(1u, 2u, 4u));

TEST(Strand, CallsAndKernelsOfAStreamMixInOrder) {
  const KernelImage image = image_of("take_step", &take_step);
  Rig rig;
  Counter counter;
  constexpr uint64_t kTasks = 50'000 / kSlowdown;
  std::vector<Step> steps(kTasks);
  {
    RigStream stream(rig);
    for (uint64_t i = 0; i < kTasks; ++i) {
      steps[i] = {&counter, i};
      if (i % 3 == 0) {
        stream.call(&call_step, &steps[i]);
      } else {
        post_kernel_step(stream, image, steps[i]);
      }
    }
  }
  EXPECT_EQ(counter.next, kTasks);
  EXPECT_EQ(counter.wrong, 0u);
}

TEST(Strand, SeveralProducersOfOneStreamLoseNothing) {
  Rig rig;
  std::atomic<uint64_t> ran{0};
  constexpr uint64_t kEach = 20'000 / kSlowdown;
  {
    RigStream stream(rig);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (uint64_t i = 0; i < kEach; ++i) {
          stream.call([](void* p) { static_cast<std::atomic<uint64_t>*>(p)->fetch_add(1); }, &ran);
        }
      });
    }
    threads.clear();
    EXPECT_EQ(stream.strand().submitted(), 4 * kEach);
  }
  EXPECT_EQ(ran.load(), 4 * kEach);
}

TEST(Strand, CompletedShowsWhatTheTasksDid) {
  Rig rig;
  RigStream stream(rig);
  uint64_t plain = 0;
  for (uint64_t i = 1; i <= 2'000; ++i) {
    stream.call([](void* p) { ++*static_cast<uint64_t*>(p); }, &plain);
    rig.await([&] { return stream.strand().completed() >= i; }, nullptr, "one task");
    ASSERT_EQ(plain, i);
  }
}

TEST(Strand, AnIdleStrandMayBeDestroyedAtOnce) {
  Rig rig;
  std::atomic<uint64_t> ran{0};
  for (int i = 0; i < 2'000 / kSlowdown; ++i) {
    RigStream stream(rig);
    for (int k = 0; k < 3; ++k) {
      stream.call([](void* p) { static_cast<std::atomic<uint64_t>*>(p)->fetch_add(1); }, &ran);
    }
  }
  EXPECT_EQ(ran.load(), 3u * (2'000 / kSlowdown));
}

TEST(Scheduler, MayBeDestroyedRightAfterWork) {
  std::atomic<uint64_t> ran{0};
  for (int i = 0; i < 300 / kSlowdown; ++i) {
    Rig rig({.executors = 3});
    RigStream first(rig);
    RigStream second(rig);
    for (int k = 0; k < 20; ++k) {
      for (RigStream* stream : {&first, &second}) {
        stream->call([](void* p) { static_cast<std::atomic<uint64_t>*>(p)->fetch_add(1); }, &ran);
      }
    }
  }
  EXPECT_EQ(ran.load(), 40u * (300 / kSlowdown));
}

TEST(Scheduler, MayBeDestroyedWithoutHavingWorked) {
  for (int i = 0; i < 50; ++i) {
    Rig rig({.executors = 2});
  }
}

}  // namespace
}  // namespace canopy::test
