// Control tasks: those of a model's streams that decide what runs next. Each is a step whose argument,
// a Control, lies with the stored task and goes with it, so nothing in it needs a destructor.
//
// Streams and labels are named as the program named them until Model::build() has put places into
// `targets`; a run reads those only.
#pragma once

#include "runtime/base/result.h"
#include "runtime/device/abi/sqe.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace canopy {

class Stream;

// A place in a model: in front of task `position` of its stream `stream`.
struct ModelPlace {
  uint32_t stream = 0;
  uint32_t position = 0;
};

struct Control {
  enum class Kind : uint8_t {
    activate,  // starts the target
    branch,    // if the comparison holds, starts the target, and the stream ends
    jump,      // goes on at the target that the word says
    end        // the stream ends
  };
  // How branch compares; the numbers of the C API.
  enum class Condition : uint8_t { equal, not_equal, greater, at_least, less, at_most };
  struct Target {
    const void* name;  // the Stream, or the label's handle
    ModelPlace place;
  };

  Kind kind;
  Condition condition = Condition::equal;
  bool wide = false;  // words of 64 bits
  uint32_t target_count = 0;
  const void* left = nullptr;   // of branch; the word of jump
  const void* right = nullptr;  // of branch
  uint64_t frees = 0;           // when the words were last known to be there

  // Behind it in memory.
  Target* targets() { return reinterpret_cast<Target*>(this + 1); }
  static size_t bytes(size_t targets) { return sizeof(Control) + targets * sizeof(Target); }
  // Whether what follows it in its stream runs at all is up to it.
  bool ends_stretch() const { return kind != Kind::activate; }
  // Of branch: whether the comparison holds. Of jump: which of the targets is meant. Errc::invalid_argument: the words do
  // not lie in device memory any more.
  Result<bool> holds();
  Result<uint32_t> chosen();
};

// Queues a control task on a stored stream; `names` are its targets.
void post_control(Stream& stream, const Control& control, std::span<const void* const> names);
// The control of a task, null when it is no control task.
Control* control_of(const Sqe& task);

}  // namespace canopy
