// The runtime's side of canopy/kernel.h.
#include "canopy/kernel.h"

#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/base/waiter.h"
#include "runtime/device/abi/fault_code.h"
#include "runtime/device/abi/remote_bell.h"
#include "runtime/device/kernel_registry.h"
#include "runtime/device/scheduler.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

namespace canopy {
namespace {

thread_local KernelCapture* t_capture = nullptr;

struct ProgramKernels {
  std::mutex mutex;
  std::vector<canopy_kernel_record> records;
};

// Leaked: static constructors of any module may register before ours have run.
ProgramKernels& program() {
  static auto* instance = new ProgramKernels;
  return *instance;
}

Block* current_block() {
  Executor* executor = Executor::current();
  return executor != nullptr ? executor->block() : canopy::AiCpuEngine::block();
}

bool on_aicpu(const Block& block) { return block.launch->kind == CoreKind::aicpu; }

std::string name_of(const Block& block) {
  return fmt::format("device {} kernel {} block {}", block.launch->strand->device().device(),
                     block.launch->image->name, block.index);
}

Block& block_or_die(const char* function) {
  Block* block = current_block();
  if (block == nullptr) {
    report(fmt::format("{} was called outside a kernel", function));
    CHECK(block != nullptr, "call it from a kernel's block only");
  }
  return *block;
}

// Ends the running block, and fails its task.
[[noreturn]] void fail_block(const Block& block, std::string sentence) {
  if (on_aicpu(block)) {
    sentence.insert(0, describe(block) + ' ');  // in place: nothing is unwound, what is not handed over leaks
    AiCpuEngine::abandon_block(fault_code(DeviceFault::trap, CoreKind::aicpu), std::move(sentence));
  }
  Executor::fail_block(DeviceFault::trap, std::move(sentence));
}

// AI CPU cores have no buffer of their own and no barrier across cores.
[[noreturn, gnu::cold]] void refuse_on_aicpu(const Block& block, const char* function) {
  fail_block(block, fmt::format("called {}, which is not for AI CPU kernels", function));
}

bool must_end(const Launch& launch) {
  return launch.failed.load(std::memory_order_relaxed) || launch.strand->scheduler().ends_early(launch);
}

// After a wait of the running block: the task may have failed meanwhile, or the stream be made to drop it.
void end_with_failed_launch() {
  const Block& block = *current_block();
  if (must_end(*block.launch)) [[unlikely]] {
    if (on_aicpu(block)) {
      AiCpuEngine::abandon_block(0, {});
    }
    Executor::abandon_block();
  }
}

// Puts the running block on the launch's list; who takes the list makes it ready. seq_cst: either this block
// sees that the kernel is to end, or that another block has failed, or who says so finds it on the list.
void enter_sync_list(Launch& launch, Fiber* self) {
  Fiber* head = launch.waiting.load(std::memory_order_relaxed);
  do {
    self->next = head;
  } while (!launch.waiting.compare_exchange_weak(head, self, std::memory_order_seq_cst, std::memory_order_relaxed));
  if (launch.failed.load(std::memory_order_seq_cst) || launch.strand->scheduler().ends_early(launch)) [[unlikely]] {
    launch.strand->scheduler().release_waiting(launch);
    Executor::park();  // whoever took the list has made this block ready
    end_with_failed_launch();
  }
}

static_assert(static_cast<int>(WordTest::equal) == CANOPY_WORD_EQUAL &&
              static_cast<int>(WordTest::all_bits) == CANOPY_WORD_ALL_BITS);

WordFacts facts_of(const canopy_awaited_word* word) {
  if (word == nullptr || word->test < CANOPY_WORD_EQUAL || word->test > CANOPY_WORD_ALL_BITS ||
      (word->bytes != 1 && word->bytes != 2 && word->bytes != 4 && word->bytes != 8)) {
    return {};  // a report without them is better than a wait that fails
  }
  return {word->address, word->wanted, word->bytes, static_cast<WordTest>(word->test), word->is_signed != 0};
}

void wait_on_aicpu(const Block& block, FunctionRef<bool()> ready, const char* what, const WordFacts& facts) {
  const Launch& launch = *block.launch;
  Fiber& fiber = *AiCpuEngine::running_block().fiber;
  fiber.begin_wait(what, facts);
  wait_until([&] { return ready() || must_end(launch); }, remote_bell(), BellScope::host, Deadline::never(),
             [&] { return fmt::format("{}: {}{}", name_of(block), what, describe_waits()); }, WakenBy::anyone);
  fiber.end_wait();
  end_with_failed_launch();
}

// ready(arg) was 0.
void wait_long(int (*ready)(void*), void* arg, const char* what, const WordFacts& facts) {
  const Block* block = current_block();
  if (block == nullptr) {
    wait_until([&] { return ready(arg) != 0; }, remote_bell(), BellScope::host, Deadline::never(),
               [&] { return what + describe_waits(); });
    return;
  }
  if (on_aicpu(*block)) {
    wait_on_aicpu(*block, [&] { return ready(arg) != 0; }, what, facts);
    return;
  }
  const bool traced = TraceBuffer::recording();
  if (traced) {
    canopy_span_begin(what);
  }
  Executor::park_polling(ready, arg, what, facts);
  end_with_failed_launch();
  if (traced) {
    canopy_span_end();
  }
}

uint32_t cores_for(const Launch& launch) {
  const uint32_t cores = launch.strand->device().pool(launch.kind).cores();
  const uint32_t limit = launch.options != nullptr ? launch.options->most_cores : 0;
  return limit != 0 ? std::min(cores, limit) : cores;
}

// Blocks beyond the cores that a launch may have start when others have ended, and these would wait for them.
[[noreturn, gnu::cold]] void fail_sync_all(Block& block, uint32_t cores) {
  fail_block(block, fmt::format("called SyncAll, which {} blocks can never pass: the launch may have {} cores, and a block "
                                "beyond them starts only when another has ended",
                                block.launch->blocks, cores));
}

}  // namespace

KernelCapture::KernelCapture() : outer_(t_capture) { t_capture = this; }
KernelCapture::~KernelCapture() { t_capture = outer_; }

std::vector<canopy_kernel_record> program_kernels() {
  std::lock_guard lock(program().mutex);
  return program().records;
}

}  // namespace canopy

using canopy::Block;
using canopy::Executor;
using canopy::Fiber;
using canopy::Launch;

extern "C" {

void canopy_register_kernel(const canopy_kernel_record* record) {
  if (canopy::t_capture != nullptr) {
    canopy::t_capture->records.push_back(*record);
    return;
  }
  std::lock_guard lock(canopy::program().mutex);
  canopy::program().records.push_back(*record);
}

uint32_t canopy_block_idx(void) { return canopy::block_or_die("GetBlockIdx").index; }
uint32_t canopy_block_num(void) { return canopy::block_or_die("GetBlockNum").launch->blocks; }

uint32_t canopy_core_kind(void) {
  return static_cast<uint32_t>(canopy::block_or_die("canopy_core_kind").launch->kind);
}

uint32_t canopy_core_id(void) {
  return static_cast<uint32_t>(canopy::block_or_die("canopy_core_id").core);
}

int32_t canopy_device_id(void) {
  return canopy::block_or_die("canopy_device_id").launch->strand->device().device();
}

int canopy_in_kernel(void) { return canopy::current_block() != nullptr ? 1 : 0; }

void canopy_yield(void) {
  const Block* block = canopy::current_block();
  if (block == nullptr) {
    return;
  }
  if (canopy::on_aicpu(*block)) {
    std::this_thread::yield();  // the cores of the AI CPU are threads of the host
  } else {
    Executor::yield();
  }
  canopy::end_with_failed_launch();
}

void canopy_wait_until(int (*ready)(void*), void* arg, const char* what) {
  if (ready(arg) == 0) {
    canopy::wait_long(ready, arg, what, {});
  }
}

void canopy_wait_for_word(int (*ready)(void*), void* arg, const char* what, const canopy_awaited_word* word) {
  if (ready(arg) == 0) {
    canopy::wait_long(ready, arg, what, canopy::facts_of(word));
  }
}

void canopy_sync_all(void) {
  Block& block = canopy::block_or_die("SyncAll");
  if (canopy::on_aicpu(block)) [[unlikely]] {
    canopy::refuse_on_aicpu(block, "SyncAll");
  }
  Launch& launch = *block.launch;
  if (launch.blocks == 1) {
    return;
  }
  const uint32_t cores = canopy::cores_for(launch);
  if (launch.blocks > cores) [[unlikely]] {
    canopy::fail_sync_all(block, cores);
  }
  Executor* executor = Executor::current();
  Fiber* self = executor->running_fiber();
  canopy::Scheduler& scheduler = executor->scheduler();
  // Relaxed: moves on only when this block has arrived as well.
  const uint32_t round = launch.rounds.load(std::memory_order_relaxed);
  self->begin_wait("SyncAll", {&launch.arrived, launch.blocks, sizeof(uint32_t), canopy::WordTest::at_least});
  // First onto the list, then counted: so the last to arrive finds everybody.
  canopy::enter_sync_list(launch, self);
  // acq_rel: everything the blocks did before is visible to all of them after.
  if (launch.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != launch.blocks) {
    for (;;) {
      Executor::park();
      // Acquire: pairs with the release below.
      if (launch.rounds.load(std::memory_order_acquire) != round) [[likely]] {
        break;
      }
      canopy::end_with_failed_launch();
      // Woken to see whether the kernel goes on, and it does.
      canopy::enter_sync_list(launch, self);
      if (launch.rounds.load(std::memory_order_seq_cst) != round) {
        scheduler.release_waiting(launch);  // the last one may have come before this entry
      }
    }
    self->end_wait();
    canopy::end_with_failed_launch();
    return;
  }
  launch.arrived.store(0, std::memory_order_relaxed);  // before anybody can arrive again
  launch.rounds.store(round + 1, std::memory_order_seq_cst);
  Fiber* others = launch.waiting.exchange(nullptr, std::memory_order_seq_cst);
  Fiber** at = &others;
  while (*at != nullptr && *at != self) {
    at = &(*at)->next;
  }
  const bool on_list = *at != nullptr;
  if (on_list) [[likely]] {
    *at = self->next;
  }
  scheduler.make_all_ready(others);
  if (!on_list) [[unlikely]] {
    Executor::park();  // somebody else took the list, and has made this block ready
  }
  self->end_wait();
}

void* canopy_unified_buffer(size_t* bytes) {
  Block& block = canopy::block_or_die("canopy_unified_buffer");
  if (canopy::on_aicpu(block)) [[unlikely]] {
    canopy::refuse_on_aicpu(block, "the unified buffer");
  }
  const size_t size = block.launch->strand->device().ub_bytes();
  if (block.unified_buffer == nullptr) {
    block.unified_buffer = Executor::current()->take_unified_buffer(size);
  }
  if (bytes != nullptr) {
    *bytes = size;
  }
  return block.unified_buffer;
}

uint32_t canopy_dynamic_buffer_bytes(void) {
  const canopy::LaunchOptions* options = canopy::block_or_die("canopy_dynamic_buffer_bytes").launch->options;
  return options != nullptr ? options->ub_bytes : 0;
}

void canopy_raise_overflow(void) {
  Launch& launch = *canopy::block_or_die("canopy_raise_overflow").launch;
  if (launch.options != nullptr && launch.options->detects_overflow) {
    launch.strand->device().raise_overflow();
  }
}

int canopy_saturates(void) {
  const canopy::LaunchOptions* options = canopy::block_or_die("canopy_saturates").launch->options;
  return options != nullptr && options->saturates ? 1 : 0;
}

void canopy_flag_set(uint32_t id) {
  Launch& launch = *canopy::block_or_die("canopy_flag_set").launch;
  canopy_assert(id < Launch::kFlags);
  launch.flags_used.store(true, std::memory_order_relaxed);
  // Release: what the setter did is visible to the block that takes the flag.
  launch.flags[id].fetch_add(1, std::memory_order_release);
}

void canopy_flag_wait(uint32_t id) {
  Launch& launch = *canopy::block_or_die("canopy_flag_wait").launch;
  canopy_assert(id < Launch::kFlags);
  const auto take_one = [](void* flag) -> int {
    auto& count = *static_cast<std::atomic<uint32_t>*>(flag);
    uint32_t seen = count.load(std::memory_order_relaxed);
    while (seen != 0) {
      // Acquire: pairs with canopy_flag_set().
      if (count.compare_exchange_weak(seen, seen - 1, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return 1;
      }
    }
    return 0;
  };
  const canopy_awaited_word word = {&launch.flags[id], 1, sizeof(uint32_t), CANOPY_WORD_AT_LEAST, 0};
  canopy_wait_for_word(take_one, &launch.flags[id], "flag", &word);
}

void canopy_kernel_assert(const char* condition, const char* file, int line) {
  Block* block = canopy::current_block();
  if (block == nullptr) {
    canopy::check_failed(condition, "see the source", file, line);
  }
  canopy::fail_block(*block, fmt::format("failed its assertion '{}' at {}:{}", condition, file, line));
}

int canopy_kernel_printf(const char* format, ...) {
  if (canopy::current_block() != nullptr) {
    canopy::end_with_failed_launch();  // whoever prints in a loop is hardly ever interrupted in its own code
  }
  va_list args;
  va_start(args, format);
  char* text = nullptr;
  const int length = vasprintf(&text, format, args);
  va_end(args);
  if (length >= 0) {
    std::fwrite(text, 1, static_cast<size_t>(length), stdout);  // one call: one piece
    std::free(text);
  }
  return length;
}

void canopy_span_begin(const char* name) {
  if (!canopy::TraceBuffer::recording()) {
    return;
  }
  if (Block* block = canopy::current_block(); block != nullptr && !canopy::on_aicpu(*block)) {
    if (block->span_depth < Block::kSpans) {
      block->spans[block->span_depth] = {name, canopy::ticks()};
    }
    ++block->span_depth;
  }
}

void canopy_span_end(void) {
  Block* block = canopy::current_block();
  if (block == nullptr || block->span_depth == 0) {
    return;
  }
  if (--block->span_depth >= Block::kSpans) {
    return;
  }
  const Block::Span& span = block->spans[block->span_depth];
  const canopy::DeviceCores& device = block->launch->strand->device();
  Executor::current()->trace().add({span.name, span.begin, canopy::ticks(), device.device(),
                                    device.track(block->launch->kind, block->core),
                                    static_cast<int32_t>(block->index)});
}

}  // extern "C"
