// Random numbers in device memory, in stream order.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/abi/sqe.h"
#include "runtime/device/random.h"

#include <cstdint>

namespace canopy {

class Runtime;

// A number, or the device address of one, which is read when the stream gets there.
struct RandomValue {
  bool is_address = false;
  uint8_t bytes = 0;  // of the number: 1 to 8
  uint64_t bits = 0;  // the number, or its address
};

struct RandomRequest {
  RandomKind kind = RandomKind::uniform;
  RandomType type = RandomType::fp32;
  RandomValue first;   // see RandomParameters
  RandomValue second;  // unused by masks
  RandomValue seed;
  RandomValue count;
  void* result = nullptr;
  const void* counter = nullptr;  // 16 bytes; null: 0
};

// Whether a task that is kept draws random numbers; if so, set_random_request() has it draw others from then on.
bool draws_random(const Sqe& kept);
void set_random_request(const Sqe& kept, const RandomRequest& request);
// What random_on_stream() refuses.
Result<> check_random(Runtime& runtime, const RandomRequest& request);

// Errc::invalid_argument for what can be seen at once. What comes from memory is checked when the
// task runs, which then fails with kCopyFault.
Result<> random_on_stream(Runtime& runtime, const RandomRequest& request, void* stream);

}  // namespace canopy
