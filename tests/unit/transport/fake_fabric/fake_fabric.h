// A double of libfabric: the five functions of the library that the plugin's code calls, and behind
// them a provider in memory whose behaviour a test chooses - memory modes, orders, limits,
// refusals, errors - because no provider on an ordinary machine has most of them. A test program
// links it in place of the library.
//
// It is as unkind as its promises allow: a put without delivery-complete completes before it has
// moved anything, what may be reordered is, memory is reached only through keys and descriptors
// that are valid in the chosen modes, and the head of an operation's context is overwritten while
// the operation is out (FI_CONTEXT). Misuse is counted, with a sentence, and refused.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>

#include <cstdint>
#include <limits>
#include <string>

namespace canopy::fake_fabric {

struct Behaviour {
  uint64_t order = FI_ORDER_SAS | FI_ORDER_SAW | FI_ORDER_WAW;
  bool delivery_complete = true;
  bool cq_data = true;
  bool wait_fd = true;
  int mr_mode = 0;
  uint64_t mode = 0;  // FI_CONTEXT
  size_t max_msg = std::numeric_limits<size_t>::max();
  size_t inject = 64;
  size_t depth = 64;    // of the transmit queue; then posts are refused
  uint32_t refuse = 0;  // of each accepted post, so many are refused with -FI_EAGAIN first
  uint32_t seed = 1;    // of everything random
  std::string provider = "fake";
  std::string domain = "fake0";
};

// For what is opened from now on; forgets counts and misuse.
void reset(const Behaviour& behaviour);

struct Counts {
  uint64_t puts = 0;            // with completion of any kind, and without
  uint64_t delivered_puts = 0;  // that asked for their arrival
  uint64_t messages = 0;
  uint64_t registrations = 0;  // alive
  uint64_t refusals = 0;
};
Counts counts();
// What the code under test did wrong, one line each; "" when nothing.
std::string misuse();

enum class Traffic : uint8_t { put, get, message };
// While frozen no target takes anything in: what is posted stays under way. reset() thaws.
void freeze(bool frozen);
// The next operation of that kind fails with these words in the completion queue.
void fail_next(Traffic traffic, int fi_errno, const std::string& words);

}  // namespace canopy::fake_fabric
