#include "runtime/device/aicpu_engine.h"

#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/start_thread.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/fault_handler.h"
#include "runtime/device/scheduler.h"
#include "runtime/device/signal_stack.h"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

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
  Fault fault;
  const pid_t thread = ::gettid();
};

namespace {

// As much as threads of the host usually have: what runs here is host code.
constexpr size_t kStackBytes = 8 << 20;

// Read by signal handlers, in any thread: initial-exec, because the first use of other
// thread-locals allocates.
[[gnu::tls_model("initial-exec")]] thread_local void* t_core = nullptr;

bool is_to_end(const Launch& launch) {
  // Relaxed: whoever asks too early asks again.
  return launch.failed.load(std::memory_order_relaxed) ||
         launch.strand->scheduler().ends_early(launch);
}

}  // namespace

AiCpuEngine::Core* AiCpuEngine::current() { return static_cast<Core*>(t_core); }

Block* AiCpuEngine::block() { return t_core != nullptr ? current()->block : nullptr; }

AiCpuEngine::~AiCpuEngine() {
  // Release: pairs with the loads of thread_main().
  stopping_.store(true, std::memory_order_release);
  bell_.ring(BellScope::process);
}

Result<> AiCpuEngine::prepare(uint32_t blocks) {
  std::lock_guard lock(mutex_);
  return start_threads(std::min(cores_, blocks));
}

void AiCpuEngine::open(Launch* launch) {
  launch->ended.store(0, std::memory_order_relaxed);
  launch->next_open = nullptr;
  size_t too_few = 0;
  {
    std::lock_guard lock(mutex_);
    (last_ != nullptr ? last_->next_open : first_) = launch;
    last_ = launch;
    waiting_blocks_ += launch->blocks;
    const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(cores_, uint64_t{waiting_blocks_} + clock_.active()));
    if (!start_threads(wanted) && !std::exchange(told_of_too_few_, true)) {
      too_few = threads_.size();
    }
  }
  bell_.ring(BellScope::process);
  if (too_few != 0) [[unlikely]] {
    report(fmt::format("device {}: {} of {} AI CPUs run kernels, others wait for them: {}", device_, too_few, cores_,
                       error_text::take_newest()));
  }
}

// REQUIRES: mutex_ held.
Result<> AiCpuEngine::start_threads(uint32_t wanted) {
  while (threads_.size() < wanted) {
    CANOPY_ASSIGN(std::unique_ptr<Thread> thread, make_thread(static_cast<uint32_t>(threads_.size())));
    threads_.push_back(std::move(thread));
  }
  return {};
}

// As Executor::start(): the stacks first.
Result<std::unique_ptr<AiCpuEngine::Thread>> AiCpuEngine::make_thread(uint32_t index) {
  const std::string what = fmt::format("AI CPU {} of device {}", index, device_);
  const auto refuse = [&](const Error& error) {
    error_text::take_newest();
    return refuse_thread(what, error.native);
  };
  auto made = std::make_unique<Thread>();
  auto signal_memory = SignalStack::reserve();
  if (!signal_memory) {
    return refuse(signal_memory.error());
  }
  auto fiber = Fiber::create(kStackBytes, &fiber_main);
  if (!fiber) {
    return refuse(fiber.error());
  }
  made->signal_memory = std::move(*signal_memory);
  made->fiber = std::move(*fiber);
  CANOPY_TRY(start_thread(&made->thread, what, [this, mine = made.get(), index] { thread_main(*mine, index); }, kFaultSignals));
  return made;
}

bool AiCpuEngine::claim(Core& core, Block* block) {
  std::lock_guard lock(mutex_);
  if (first_ == nullptr) {
    return false;
  }
  block->launch = first_;
  block->index = first_->next_block++;
  --waiting_blocks_;
  clock_.begin(ticks());
  core.block = block;
  running_.push_back(&core);
  if (first_->next_block == first_->end_block) {
    first_ = first_->next_open;
    last_ = first_ == nullptr ? nullptr : last_;
  }
  return true;
}

void AiCpuEngine::note_ended(Core& core) {
  std::lock_guard lock(mutex_);
  std::erase(running_, &core);
  core.block = nullptr;
  clock_.end(ticks());
}

void AiCpuEngine::thread_main(Thread& mine, uint32_t index) {
  pthread_setname_np(pthread_self(), "canopy-aicpu");
  const SignalStack signal_stack(mine.signal_memory);
  Core core;
  core.fiber = mine.fiber.get();
  t_core = &core;
  while (!stopping_.load(std::memory_order_acquire)) {
    Block block;
    block.core = static_cast<int32_t>(index);
    if (!claim(core, &block)) {
      bell_.sleep(BellScope::process, std::chrono::nanoseconds::max(),
                  [this] { return !work_waits() && !stopping_.load(std::memory_order_acquire); });
      continue;
    }
    core.fiber->block = &block;
    Fiber::switch_to(core.root, *core.fiber);
    core.fiber->block = nullptr;
    note_ended(core);
    if (std::exchange(core.abandoned, false)) {
      core.fiber->rewind_abandoned(&fiber_main);
    }
    end_block(block);
  }
}

void AiCpuEngine::fiber_main() {
  for (;;) {
    Core& core = *current();
    run_entry(*core.block);
    Fiber::switch_to(*core.fiber, core.root);
  }
}

void AiCpuEngine::run_entry(Block& block) {
  Launch& launch = *block.launch;
  if (is_to_end(launch)) [[unlikely]] {
    return;
  }
  block.entry_stack = reinterpret_cast<uintptr_t>(
      __builtin_frame_address(0));  // of a frame that is not left meanwhile
  try {
    if (launch.image->cpu_entry == nullptr) {
      launch.entry(launch.args);
    } else if (const uint32_t code = launch.image->cpu_entry(const_cast<void*>(launch.args));
               code != 0) {
      launch.strand->scheduler().fail_launch(launch,
                                             fault_code(DeviceFault::exception, CoreKind::aicpu),
                                             fmt::format("AI CPU kernel '{}' block {} returned {}",
                                                         launch.image->name, block.index, code));
    }
  } catch (...) {
    block.is_over = true;
    if (ends_thread()) [[unlikely]] {
      std::string sentence = fmt::format("{} {}", describe(block), kEndsThread);  // whole before: as in leave_faulted_block()
      abandon_block(fault_code(DeviceFault::trap, CoreKind::aicpu), std::move(sentence));
    }
    launch.strand->scheduler().fail_launch(
        launch, fault_code(DeviceFault::trap, CoreKind::aicpu),
        fmt::format("{} threw {}", describe(block), describe_thrown()));
  }
}

// ---- Blocks that do not return.

void AiCpuEngine::abandon_block(int32_t code, std::string sentence) {
  Core& core = *current();
  Launch& launch = *core.block->launch;
  if (code != 0) {
    launch.strand->scheduler().fail_launch(launch, code, std::move(sentence));
  }
  std::string().swap(sentence);  // nothing is unwound
  core.abandoned = true;
  Fiber::switch_to(*core.fiber, core.root);
  CHECK(false, "an abandoned block must not be resumed");
  __builtin_unreachable();
}

RunningBlock AiCpuEngine::running_block() {
  Core* core = current();
  if (core == nullptr) {
    return {};
  }
  return {core->block, core->fiber, &core->fault, &leave_faulted_block};
}

void AiCpuEngine::leave_faulted_block() {
  const Core& core = *current();
  if (core.fault.signal == kEndBlockSignal) {
    abandon_block(0, {});  // another block, or the time limit, has failed the launch
  }
  // Whole before the call: what lives until its end lives for ever.
  std::string sentence = fmt::format("{} {}", describe(*core.block), describe(core.fault, core.fiber->stack_bytes()));
  abandon_block(fault_code(kind_of(core.fault.signal), CoreKind::aicpu), std::move(sentence));
}

void AiCpuEngine::interrupt_blocks() {
  std::lock_guard lock(mutex_);  // while it is held the blocks' launches are there
  for (const Core* core : running_) {
    if (is_to_end(*core->block->launch)) {
      ask_to_end_block(core->thread);
    }
  }
}

void AiCpuEngine::end_block(const Block& block) {
  Launch& launch = *block.launch;
  Strand* strand = launch.strand;
  const uint32_t blocks = launch.blocks;
  // acq_rel: as in Executor::end_block().
  if (launch.ended.fetch_add(1, std::memory_order_acq_rel) + 1 != blocks) {
    return;
  }
  // Relaxed: as there.
  if (launch.limited || launch.failed.load(std::memory_order_relaxed)) {
    strand->scheduler().settle(launch);
  }
  if (strand->retire()) {
    strand->scheduler().submit(strand);
  }
}

}  // namespace canopy
