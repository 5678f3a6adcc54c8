// Which thread queued a task: a number of 16 bits per thread, small enough for every queue entry. And which task a
// thread queued last.
//
// Any thread. Numbers are given out in turn: that of a thread means another one once 65,535 more have queued
// tasks since it did first.
#pragma once

#include <cstdint>

namespace canopy {

namespace submitters_detail {
struct Submitter {
  uint16_t number = 0;  // 0: the thread has none yet
  uint32_t last_task = ~0u;
};
// initial-exec: used with every task.
extern thread_local constinit Submitter t_submitter __attribute__((tls_model("initial-exec")));
uint16_t take_number();
}  // namespace submitters_detail

inline uint16_t submitter_of_this_thread() {
  const uint16_t number = submitters_detail::t_submitter.number;
  return number != 0 ? number : submitters_detail::take_number();
}

// The number, in its stream, of the task that this thread has queued last on a stream that it named; ~0: none yet.
inline uint32_t last_task_of_this_thread() { return submitters_detail::t_submitter.last_task; }
inline void note_task_of_this_thread(uint64_t ticket) {
  submitters_detail::t_submitter.last_task = static_cast<uint32_t>(ticket);
}

// The thread's id, as the system knows it.
uint32_t thread_of_submitter(uint16_t number);

}  // namespace canopy
