// ThreadWorld: a job whose PEs are threads of the test, each with a World of its own.
//
//   thread_world(4, [](World& world) { ... });   // returns when all PEs have finalized
//
// Inside, the World is current for its thread, so the templates behind the public names (shmem/rma,
// amo, sync) and the public names themselves act for that PE.
#pragma once

#include "launcher/bootstrap/thread_group.h"
#include "shmem/world/world.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

namespace canopy::test {

struct ThreadWorldOptions {
  uint64_t heap_bytes = 4u << 20;
  bool finalize = true;  // leave in order when the body returns
  std::optional<shmem::PathWish> paths;
  bool debug = false;
  int debug_pe = -1;  // which PE wishes it; -1: all
};

template <class Body>
void thread_world(int n_pes, Body&& body, ThreadWorldOptions options = {}) {
  ThreadGroup group(n_pes, std::chrono::seconds(60));
  group.run([&](std::unique_ptr<Bootstrap> bootstrap) {
    shmem::WorldOptions world_options;
    world_options.heap_bytes = options.heap_bytes;
    world_options.for_thread = true;
    world_options.paths = options.paths;
    world_options.debug = options.debug && (options.debug_pe < 0 || options.debug_pe == bootstrap->pe());
    auto world = shmem::World::create(std::move(bootstrap), world_options);
    ASSERT_TRUE(world) << error_text::newest();
    body(**world);
    if (options.finalize) {
      ASSERT_TRUE((*world)->finalize()) << error_text::newest();
    }
  });
  EXPECT_FALSE(group.aborted());
}

}  // namespace canopy::test
