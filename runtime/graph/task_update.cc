#include "runtime/graph/task_update.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"
#include "runtime/graph/models.h"

#include <cstring>
#include <new>

namespace canopy {
namespace {

constexpr uint32_t kMostBlocks = 65535;

// Arguments of the tasks that change others. The model is named by its handle: it may be gone.
struct Update {
  Runtime* runtime;
  Strand* strand;  // that runs this
  void* model;
  TaskName task;
};

struct KernelUpdate {
  Update update;
  void* binary;
  const void* entry;
  const void* blocks;
};

struct RandomUpdate {
  Update update;
  const void* memory;
  size_t bytes;
  ReadRandomRequest read;
};

template <class Change>
Result<> change_task(const Update& update, Change&& change) {
  CANOPY_ASSIGN(const auto model, Models::instance().find_any(update.model));
  return model->change_task(*update.task.stream, update.task.number, change);
}

// On an executor: what failed has nobody to return to.
void end(const Update& update, const Result<>& done) {
  if (!done) {
    update.strand->record_error(kCopyFault, error_text::take_newest());
  }
}

template <class Word>
Result<Word> read_word(Runtime& runtime, const char* what, const void* at) {
  Word word;
  CANOPY_TRY(read_when_running(runtime, what, at, &word, sizeof word));
  return word;
}

// The launch's arguments stay, so the kernel must do with them.
Result<> change_kernel(Sqe& kept, const KernelImage& image, uint32_t blocks) {
  const KernelImage& before = *kept.body.kernel.image;
  if (image.core_kind == CoreKind::aicpu || image.args_bytes > before.args_bytes) {
    return fail(Errc::invalid_argument,
                "kernel '{}' cannot take the place of '{}': its arguments have {} bytes, {} are there",
                image.name, before.name, image.args_bytes, before.args_bytes);
  }
  if (blocks == 0 || blocks > kMostBlocks) {
    return fail(Errc::invalid_argument, "kernel '{}': {} blocks, it must be 1 to {}", image.name,
                blocks, kMostBlocks);
  }
  kept.core_kind = static_cast<uint8_t>(image.core_kind);
  kept.blocks = static_cast<uint16_t>(blocks);
  kept.body.kernel.entry = image.entry;
  kept.body.kernel.image = &image;
  return {};
}

void run_kernel_update(void* argument) {
  const auto& [update, binary, entry, blocks] = *static_cast<const KernelUpdate*>(argument);
  Runtime& runtime = *update.runtime;
  const auto run = [&]() -> Result<> {
    CANOPY_ASSIGN(const auto address, read_word<uint64_t>(runtime, "kernel's entry", entry));
    CANOPY_ASSIGN(const auto count, read_word<uint32_t>(runtime, "number of blocks", blocks));
    CANOPY_ASSIGN(void* handle, runtime.function_by_entry(binary, address));
    CANOPY_ASSIGN(const Function* function, runtime.function(handle));
    const KernelImage& image = *function->image;
    return change_task(update, [&](Sqe& kept) { return change_kernel(kept, image, count); });
  };
  end(update, run());
}

void run_random_update(void* argument) {
  const auto& [update, memory, bytes, read] = *static_cast<const RandomUpdate*>(argument);
  Runtime& runtime = *update.runtime;
  const auto run = [&]() -> Result<> {
    const uint64_t frees = runtime.task_memory().frees();
    CANOPY_TRY(device_range(runtime, "description", memory, bytes, LookUp::running));
    RandomRequest request;
    CANOPY_TRY(use_memory(runtime.task_memory(), frees, {nullptr, 0, memory, bytes}, [&]() -> Result<> {
      CANOPY_ASSIGN(request, read(memory));
      return {};
    }));
    CANOPY_TRY(check_random(runtime, request));
    return change_task(update, [&](Sqe& kept) -> Result<> {
      set_random_request(kept, request);
      return {};
    });
  };
  end(update, run());
}

template <class Argument>
void post(Stream& on, CallFunction function, const Argument& argument) {
  on.post(sizeof(Argument), [&](Sqe& sqe, std::byte* memory) {
    sqe.kind = SqeKind::call;
    sqe.body.call = {function, new (memory) Argument(argument), "update of a task"};
  });
}

// The task is there, and of a kind that is(task) knows.
Result<Update> check_task(Runtime& runtime, TaskName task, Stream& on, bool (*is)(const Sqe&),
                          const char* kind) {
  CANOPY_ASSIGN(const auto model, Models::instance().of_stream(*task.stream));
  CANOPY_TRY(model->change_task(*task.stream, task.number, [&](Sqe& kept) -> Result<> {
    if (!is(kept)) {
      return fail(Errc::not_updatable, "task {} of stream {} is none that {}", task.number,
                  task.stream->id(), kind);
    }
    return {};
  }));
  return Update{&runtime, &on.strand(), task.stream->model(), task};
}

bool is_kernel(const Sqe& kept) {
  return kept.kind == SqeKind::kernel && (kept.launch & Sqe::kOnAiCpu) == 0;
}

}  // namespace

Result<> update_kernel(Runtime& runtime, TaskName task, void* binary, const void* entry,
                       const void* blocks, Stream& on) {
  CANOPY_ASSIGN(const Update update,
                check_task(runtime, task, on, &is_kernel, "launches a kernel on cores"));
  CANOPY_TRY(runtime.binary(binary));
  CANOPY_TRY(device_range(runtime, "kernel's entry", entry, sizeof(uint64_t)));
  CANOPY_TRY(device_range(runtime, "number of blocks", blocks, sizeof(uint32_t)));
  post(on, run_kernel_update, KernelUpdate{update, binary, entry, blocks});
  return {};
}

Result<> update_random(Runtime& runtime, TaskName task, const void* memory, size_t bytes,
                       ReadRandomRequest read, Stream& on) {
  CANOPY_ASSIGN(const Update update,
                check_task(runtime, task, on, &draws_random, "draws random numbers"));
  CANOPY_TRY(device_range(runtime, "description", memory, bytes));
  post(on, run_random_update, RandomUpdate{update, memory, bytes, read});
  return {};
}

}  // namespace canopy
