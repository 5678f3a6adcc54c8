#include "runtime/core/random.h"

#include "runtime/core/memory.h"
#include "runtime/core/runtime.h"

#include <cstring>
#include <new>

namespace canopy {
namespace {

constexpr uint64_t kCounterBytes = 16;

struct RandomTask {
  Runtime* runtime;
  Strand* strand;
  RandomRequest request;
};

// Of the numbers: which may be addresses. Both parameters have the width of the elements.
Result<> check_value(Runtime& runtime, const char* what, const RandomValue& value, size_t bytes) {
  if (value.bytes == 0 || value.bytes > 8 || (bytes != 0 && value.bytes != bytes)) {
    return fail(Errc::invalid_argument, "random numbers: {} has {} bytes, {} wanted", what,
                value.bytes, bytes != 0 ? fmt::format("{}", bytes) : "1 to 8");
  }
  if (value.is_address) {
    CANOPY_TRY(device_range(runtime, what, reinterpret_cast<const void*>(value.bits), value.bytes));
  }
  return {};
}

Result<uint64_t> read(Runtime& runtime, const char* what, const RandomValue& value) {
  uint64_t bits = 0;
  if (!value.is_address) {
    std::memcpy(&bits, &value.bits, value.bytes);
    return bits;
  }
  const auto* address = reinterpret_cast<const void*>(value.bits);
  CANOPY_TRY(read_when_running(runtime, what, address, &bits, value.bytes));
  return bits;
}

// The numbers as they are now.
Result<RandomDraw> draw_of(Runtime& runtime, const RandomRequest& request) {
  RandomDraw draw;
  draw.kind = request.kind;
  draw.type = request.type;
  CANOPY_ASSIGN(draw.parameters.first, read(runtime, "first parameter", request.first));
  if (request.kind != RandomKind::dropout_mask) {
    CANOPY_ASSIGN(draw.parameters.second, read(runtime, "second parameter", request.second));
  }
  CANOPY_ASSIGN(draw.seed, read(runtime, "seed", request.seed));
  if (std::string why = refuse_parameters(draw); !why.empty()) {
    return fail(Errc::invalid_argument, "random numbers: {}", why);
  }
  return draw;
}

Result<uint64_t> bytes_of(const RandomDraw& draw, uint64_t count) {
  if (count > ~uint64_t{0} / 8) {
    return fail(Errc::invalid_argument, "random numbers: {} of them", count);
  }
  return random_bytes(draw, count);
}

Result<> run(const RandomTask& task) {
  Runtime& runtime = *task.runtime;
  const RandomRequest& request = task.request;
  CANOPY_ASSIGN(RandomDraw draw, draw_of(runtime, request));
  CANOPY_ASSIGN(const uint64_t count, read(runtime, "number of numbers", request.count));
  CANOPY_ASSIGN(const uint64_t bytes, bytes_of(draw, count));
  const uint64_t frees = runtime.task_memory().frees();
  CANOPY_TRY(device_range(runtime, "result", request.result, bytes, LookUp::running, Access::read_write));
  if (request.counter != nullptr) {
    CANOPY_TRY(read_when_running(runtime, "counter", request.counter, &draw.counter, kCounterBytes));
  }
  return use_memory(runtime.task_memory(), frees, {request.result, bytes, nullptr, 0}, [&]() -> Result<> {
    fill_random(draw, request.result, count);
    return {};
  });
}

// On an executor: nobody else takes the sentence from its thread.
void run_task(void* memory) {
  const auto& task = *static_cast<const RandomTask*>(memory);
  if (!run(task)) {
    task.strand->record_error(kCopyFault, error_text::take_newest());
  }
}

}  // namespace

bool draws_random(const Sqe& kept) {
  return kept.kind == SqeKind::call && kept.body.call.function == &run_task;
}

void set_random_request(const Sqe& kept, const RandomRequest& request) {
  static_cast<RandomTask*>(kept.body.call.argument)->request = request;
}

Result<> check_random(Runtime& runtime, const RandomRequest& request) {
  const size_t element = element_bytes(request.type);
  if (!is_float(request.type) && request.kind != RandomKind::uniform) {
    return fail(Errc::invalid_argument, "random numbers: integers are drawn uniformly only");
  }
  CANOPY_TRY(check_value(runtime, "first parameter", request.first, element));
  if (request.kind != RandomKind::dropout_mask) {
    CANOPY_TRY(check_value(runtime, "second parameter", request.second, element));
  }
  CANOPY_TRY(check_value(runtime, "seed", request.seed, 0));
  CANOPY_TRY(check_value(runtime, "number of numbers", request.count, 0));
  if (reinterpret_cast<uintptr_t>(request.result) % element != 0) {
    return fail(Errc::misaligned,
                "random numbers: the result ({}) is not on a boundary of {} bytes",
                fmt::ptr(request.result), element);
  }
  uint64_t bytes = 1;  // at least there
  if (!request.first.is_address && !request.second.is_address && !request.seed.is_address) {
    CANOPY_ASSIGN(const RandomDraw draw, draw_of(runtime, request));
    if (!request.count.is_address) {
      CANOPY_ASSIGN(bytes, bytes_of(draw, request.count.bits));
    }
  }
  CANOPY_TRY(device_range(runtime, "result", request.result, bytes, LookUp::queued, Access::read_write));
  if (request.counter != nullptr) {
    CANOPY_TRY(device_range(runtime, "counter", request.counter, kCounterBytes));
  }
  return {};
}

Result<> random_on_stream(Runtime& runtime, const RandomRequest& request, void* handle) {
  CANOPY_ASSIGN(Stream * stream, runtime.stream(handle));
  CANOPY_TRY(check_random(runtime, request));
  stream->post(sizeof(RandomTask), [&](Sqe& sqe, std::byte* memory) {
    sqe.kind = SqeKind::call;
    sqe.body.call = {&run_task, new (memory) RandomTask{&runtime, &stream->strand(), request},
                     "random numbers"};
  });
  return {};
}

}  // namespace canopy
