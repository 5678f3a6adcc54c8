#include "runtime/device/aicpu_engine.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/signals_blocked.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/fault_handler.h"
#include "runtime/device/fiber.h"
#include "runtime/device/scheduler.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace canopy {

// What a thread of the engine works with; lies on its stack.
struct AiCpuEngine::Core {
  Fiber root;  // the thread's own stack
  Fiber* fiber = nullptr;
  Block* block = nullptr;
  bool abandoned = false;
};

namespace {

// As much as threads of the host usually have: what runs here is host code.
constexpr size_t kStackBytes = 8 << 20;

thread_local void* t_core = nullptr;

}  // namespace

Block* AiCpuEngine::block() {
  return t_core != nullptr ? static_cast<Core*>(t_core)->block : nullptr;
}

AiCpuEngine::~AiCpuEngine() {
  // Release: pairs with the loads of thread_main().
  stopping_.store(true, std::memory_order_release);
  bell_.ring(BellScope::process);
}

void AiCpuEngine::open(Launch* launch) {
  launch->ended.store(0, std::memory_order_relaxed);
  launch->next_open = nullptr;
  {
    std::lock_guard lock(mutex_);
    (last_ != nullptr ? last_->next_open : first_) = launch;
    last_ = launch;
    waiting_blocks_ += launch->blocks;
    start_threads(std::min<uint64_t>(cores_, uint64_t{waiting_blocks_} + busy_));
  }
  bell_.ring(BellScope::process);
}

// REQUIRES: mutex_ held.
void AiCpuEngine::start_threads(uint32_t wanted) {
  if (threads_.size() >= wanted) {
    return;
  }
  const SignalsBlocked blocked(kFaultSignals);
  while (threads_.size() < wanted) {
    const auto index = static_cast<uint32_t>(threads_.size());
    threads_.emplace_back([this, index] { thread_main(index); });
  }
}

void AiCpuEngine::count_time() {
  const uint64_t now = ticks();
  busy_ticks_ += (now - counted_until_) * busy_;
  counted_until_ = now;
}

bool AiCpuEngine::claim(Block* block) {
  std::lock_guard lock(mutex_);
  if (first_ == nullptr) {
    return false;
  }
  block->launch = first_;
  block->index = first_->next_block++;
  --waiting_blocks_;
  count_time();
  ++busy_;
  if (first_->next_block == first_->end_block) {
    first_ = first_->next_open;
    last_ = first_ == nullptr ? nullptr : last_;
  }
  return true;
}

void AiCpuEngine::thread_main(uint32_t index) {
  pthread_setname_np(pthread_self(), "canopy-aicpu");
  Core core;
  FiberPool stack(kStackBytes, &fiber_main);
  core.fiber = stack.take();
  t_core = &core;
  while (!stopping_.load(std::memory_order_acquire)) {
    Block block;
    if (!claim(&block)) {
      bell_.sleep(BellScope::process, std::chrono::nanoseconds::max(),
                  [this] { return !work_waits() && !stopping_.load(std::memory_order_acquire); });
      continue;
    }
    block.core = static_cast<int32_t>(index);
    core.block = &block;
    Fiber::switch_to(core.root, *core.fiber);
    core.block = nullptr;
    if (std::exchange(core.abandoned, false)) {
      core.fiber->rewind(&fiber_main);
    }
    {
      std::lock_guard lock(mutex_);
      count_time();
      --busy_;
    }
    end_block(block);
  }
}

void AiCpuEngine::fiber_main() {
  for (;;) {
    Core& core = *static_cast<Core*>(t_core);
    const Launch& launch = *core.block->launch;
    if (launch.failed.load(std::memory_order_relaxed) || launch.strand->scheduler().ends_early(launch)) [[unlikely]] {
      // The task is over, or the stream was made to drop it.
    } else if (launch.image->cpu_entry == nullptr) {
      launch.entry(launch.args);
    } else if (const uint32_t code = launch.image->cpu_entry(const_cast<void*>(launch.args));
               code != 0) {
      launch.strand->scheduler().fail_launch(
          *core.block->launch, fault_code(DeviceFault::exception, CoreKind::aicpu),
          fmt::format("AI CPU kernel '{}' block {} returned {}", launch.image->name,
                      core.block->index, code));
    }
    Fiber::switch_to(*core.fiber, core.root);
  }
}

void AiCpuEngine::abandon_block(int32_t code, std::string sentence) {
  Core& core = *static_cast<Core*>(t_core);
  Launch& launch = *core.block->launch;
  if (code != 0) {
    launch.strand->scheduler().fail_launch(launch, code, std::move(sentence));
  }
  core.abandoned = true;
  Fiber::switch_to(*core.fiber, core.root);
  CHECK(false, "an abandoned block must not be resumed");
  __builtin_unreachable();
}

void AiCpuEngine::end_block(const Block& block) {
  Launch& launch = *block.launch;
  Strand* strand = launch.strand;
  const uint32_t blocks = launch.blocks;
  // acq_rel: as in Executor::end_block().
  if (launch.ended.fetch_add(1, std::memory_order_acq_rel) + 1 != blocks) {
    return;
  }
  if (launch.limited || launch.failed.load(std::memory_order_relaxed)) {
    strand->scheduler().settle(launch);
  }
  if (strand->retire()) {
    strand->scheduler().submit(strand);
  }
}

}  // namespace canopy
