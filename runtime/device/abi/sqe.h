// Submission queue entries: what the runtime core writes and the device reads. 64 bytes each.
#pragma once

#include "runtime/base/cache_line.h"

#include <cstddef>
#include <cstdint>

namespace canopy {

class Gate;
class MemoryWatch;
struct EventCell;
struct KernelImage;
struct LaunchOptions;
struct TimedEventWait;
class NotifyCell;
class Strand;

enum class SqeKind : uint8_t {
  kernel,
  copy,          // dst, src, bytes
  fill,          // dst, value, bytes
  event_record,  // completes the cell
  call,          // the generic kind: a function of an upper side, run in stream order
  notify_record,  // changes a notify's word
  value_write,    // stores 64 bits
  event_clear,    // a cell that is used again is pending from here on
  step,           // a short function of an upper side, with the strand in its hand
  // Waits come last: see is_wait().
  event_wait,        // blocks the stream until the cell is complete
  timed_event_wait,  // the same, with a limit
  notify_wait,       // ... until the word is as wanted, or the limit has passed
  value_wait,        // ... until 64 bits of memory are as wanted
  gate               // ... until somebody gives the strand back
};

constexpr bool is_wait(SqeKind kind) { return kind >= SqeKind::event_wait; }

// What a notify_record does with the word and its value; the numbers of the C API.
enum class NotifyChange : uint8_t { set = 0, add = 1, bit_or = 2, bit_and = 4 };
// What a notify_wait wants the word to be, compared with its value; the numbers of the C API.
enum class NotifyTest : uint8_t { below = 0, equal = 1, above = 2, at_least = 3, has_bits = 4 };
// What a value_wait wants: word - value >= 0 as a signed number; word == value; (word & value) != 0;
// ~(word | value) != 0. The numbers of the C API.
enum class ValueTest : uint8_t { at_least = 0, equal = 1, some_bits = 2, some_zero = 3 };

// A function of an upper side that runs on an executor as a task of the stream. It may wait through
// the kernel waits (its fiber parks); it must not throw.
using CallFunction = void (*)(void* argument);

// The same between two tasks, on the executor's own stack: it must not wait, and may publish behind
// itself into its strand. `dropped`: called instead of being run.
using StepFunction = void (*)(Strand& strand, void* argument, bool dropped);

//  0        1          2            4          8            16            24                 64
//  [ kind ] [ core  ]  [ timed, launch ] [ blocks, submitter ] [ args_end ] [ heap_args ] [ body: 40 bytes ]
//
// Single writer: the thread that holds the stream's lock. The entry stays untouched until its task
// has completed, so kernels may read inline arguments in place.
struct alignas(kCacheLine) Sqe {
  static constexpr size_t kInlineArgs = 16;
  static constexpr uint8_t kPlainLaunch = 0;
  static constexpr uint8_t kWithOptions = 1;  // body.kernel.options holds, and args is not null
  static constexpr uint8_t kOnAiCpu = 2;      // runs on the AI CPU engine

  SqeKind kind;
  uint8_t core_kind;  // CoreKind, of kernels
  uint8_t timed;      // of event_record: take a time stamp
  uint8_t launch;     // of kernels: kPlainLaunch, or the bits below
  uint16_t blocks;    // of kernels
  uint16_t submitter;  // which thread queued the task; the upper side's number
  uint64_t args_end;  // where the argument ring may be freed up to once this task is done; 0: nothing
  void* heap_args;    // arguments too large for the ring, freed with the task; null: none
  union Body {
    struct Kernel {
      void (*entry)(const void* args);
      const void* args;  // null: inline_args
      const KernelImage* image;
      union {
        std::byte inline_args[kInlineArgs];
        const LaunchOptions* options;
      };
    } kernel;
    struct Copy {
      void* dst;
      const void* src;
      uint64_t bytes;
      const MemoryWatch* watch;  // asked when frees differs from its count; null: never
      uint64_t frees;
    } copy;
    struct Fill {
      void* dst;
      uint64_t bytes;
      int32_t value;
      const MemoryWatch* watch;  // as above
      uint64_t frees;
    } fill;
    struct Event {
      EventCell* cell;
      uint32_t id;  // of event_wait: the event's number, for reports
      uint64_t order;  // of stored tasks: which came first
    } event;  // of event_clear, too
    struct TimedEvent {
      TimedEventWait* wait;
      uint64_t limit_ns;
      EventCell* cell;  // the wait's
      uint32_t id;
      uint64_t order;  // as above
    } timed_event;
    struct NotifyRecord {
      NotifyCell* cell;
      uint32_t value;
      NotifyChange change;
    } notify_record;
    struct NotifyWait {
      NotifyCell* cell;
      const char* what;  // with the id it names the notify in reports; outlives the task
      uint64_t limit_ns;  // 0: none
      uint32_t id;
      uint32_t value;
      NotifyTest test;
      bool clear;  // to 0 once satisfied
    } notify_wait;
    struct Value {
      uint64_t* address;
      uint64_t value;
      ValueTest test;  // of value_wait
      const MemoryWatch* watch;  // as above
      uint64_t frees;
    } value;
    struct Call {
      CallFunction function;
      void* argument;
      const char* what;  // names the call in reports and timelines
    } call;
    struct Step {
      StepFunction function;
      void* argument;
    } step;
    Gate* gate;
  } body;
};
static_assert(sizeof(Sqe) == 64);
static_assert(offsetof(Sqe, args_end) == 8);
static_assert(offsetof(Sqe, body) == 24);

}  // namespace canopy
