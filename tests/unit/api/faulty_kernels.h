// What the kernels of faulty_kernels.cc can be told to do wrong.
#pragma once

#include <atomic>
#include <cstdint>

namespace canopy::test {

enum class Wrong : uint32_t {
  nothing,
  write_null,
  read_wild,        // an address that no memory can have
  read_wild_stack,  // the same by the register of the stack's frame, which is another fault of the processor's
  read_misaligned,
  divide_by_zero,
  illegal_instruction,
  overflow_stack,
  large_array_on_stack,
  fail_assert,
  call_abort,
  fail_canopy_assert,
  throw_exception,
  end_thread,
  break_noexcept,
  copy_from_null,
  fill_null,
  length_of_null,
  call_null,
  print_null_in_libc,  // inside of libc, which holds a lock then
  loop,
  loop_calling,
  loop_yielding,
  loop_printing,
  wait_for_word,
  wait_for_flag,
  sync_all_alone,  // block 0 does not come
  spin_on_word,
  store_to_word,
  load_word,
  // Loops that are hardly ever found in their own code.
  loop_sleeping,
  loop_formatting,
  loop_throwing,
  loop_starting_threads
};

struct FaultArgs {
  Wrong wrong;
  uint32_t block;  // which one does wrong; the others as `others`
  Wrong others;
  uint32_t reserved;
  std::atomic<uint32_t>* word;     // of wait_for_word and spin_on_word: until it is not 0
  std::atomic<uint32_t>* started;  // counts blocks
  std::atomic<uint32_t>* ended;
  // What the threads of loop_starting_threads run: one may begin after its block was ended and the binary is gone.
  void* (*thread_main)(void*);
};

}  // namespace canopy::test
