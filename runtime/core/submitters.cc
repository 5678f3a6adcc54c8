#include "runtime/core/submitters.h"

#include <unistd.h>

#include <atomic>

namespace canopy {
namespace {

constexpr uint32_t kNumbers = 1 << 16;
// Pages that no number has reached take no memory. Relaxed: whoever sees a task sees what was written before it
// was queued.
std::atomic<uint32_t> g_threads[kNumbers];
std::atomic<uint32_t> g_next{0};

}  // namespace

namespace submitters_detail {

thread_local constinit Submitter t_submitter __attribute__((tls_model("initial-exec")));

uint16_t take_number() {
  const uint32_t turn = g_next.fetch_add(1, std::memory_order_relaxed);
  const auto number = static_cast<uint16_t>(1 + turn % (kNumbers - 1));
  t_submitter.number = number;
  g_threads[number].store(static_cast<uint32_t>(::gettid()), std::memory_order_relaxed);
  return number;
}

}  // namespace submitters_detail

uint32_t thread_of_submitter(uint16_t number) { return g_threads[number].load(std::memory_order_relaxed); }

}  // namespace canopy
