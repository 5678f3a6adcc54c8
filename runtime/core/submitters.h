// Which thread queued a task: a number of 16 bits per thread, small enough for every queue entry.
//
// Any thread. Numbers are given out in turn: that of a thread means another one once 65,535 more have queued
// tasks since it did first.
#pragma once

#include <cstdint>

namespace canopy {

namespace submitters_detail {
// 0: the thread has none yet. initial-exec: read with every task.
extern thread_local uint16_t t_number __attribute__((tls_model("initial-exec")));
uint16_t take_number();
}  // namespace submitters_detail

inline uint16_t submitter_of_this_thread() {
  const uint16_t number = submitters_detail::t_number;
  return number != 0 ? number : submitters_detail::take_number();
}

// The thread's id, as the system knows it.
uint32_t thread_of_submitter(uint16_t number);

}  // namespace canopy
