// wait_for(): how everything in shmem waits, on the host and in a kernel.
//
// On the host the calling thread follows the waiting policy (runtime/base/waiter.h) and sleeps on
// its PE's bell; in a kernel the fiber gives its executor away. What waits for a word of the user's
// also looks by itself every ms, because a plain store through shmem_ptr rings no bell.
//
// Where there are PEs that loads and stores do not reach, whoever waits makes progress: what comes
// from them, and what is under way to them, moves on between two looks.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/waiter.h"
#include "shmem/world/kernel_side.h"

#include <string>
#include <type_traits>

namespace canopy::shmem {

struct ControlPage;
class World;

// The host side after the first polls failed. At the user's deadline it reports and ends the job. elsewhere(): where PEs
// outnumber CPUs, whether all PEs that are waited for were last seen on other ones than this thread's.
void wait_on_host(World& world, Doorbell& bell, FunctionRef<bool()> ready, WakenBy waker,
                  FunctionRef<std::string()> describe, FunctionRef<bool()> elsewhere);

// Whether a PE of this host was last seen on another CPU than the calling thread's.
bool is_elsewhere(const ControlPage& page);

// The host side of a wait for what this PE has posted to `pe` itself (-1: to anybody): ready()
// makes progress.
void wait_posted(World& world, FunctionRef<bool()> ready, int pe, const char* routine);

// Progress on the paths to far PEs, from a wait that failed; nothing where there are none.
void make_progress(World& world);

template <class Ready>
void wait_in_kernel(Ready&& ready, const char* what, const AwaitedWord* word = nullptr) {
  using Callable = std::remove_reference_t<Ready>;
  kernel_side().wait_until(
      [](void* callable) { return static_cast<int>((*static_cast<Callable*>(callable))()); },
      const_cast<void*>(static_cast<const void*>(&ready)), what, word);
}

// Returns when ready() is true. `bell` is the one that whoever ends the wait rings. `what` names
// the wait in a kernel's reports, which also tell of `word`; describe() makes the host's sentence ("pe 3
// waits for ..."). elsewhere(): as for wait_on_host().
template <class Ready, class Describe, class Elsewhere>
void wait_for(World& world, Doorbell& bell, Ready&& ready, WakenBy waker, const char* what,
              Describe&& describe, const AwaitedWord* word, Elsewhere&& elsewhere) {
  if (ready()) {
    return;
  }
  cpu_relax();
  if (ready()) {
    return;
  }
  if (in_kernel()) {
    wait_in_kernel(
        [&] {
          if (ready()) {
            return true;
          }
          make_progress(world);
          return ready();
        },
        what, word);
    return;
  }
  wait_on_host(world, bell, ready, waker, describe, elsewhere);
}

// The same where nobody knows for whom.
template <class Ready, class Describe>
void wait_for(World& world, Doorbell& bell, Ready&& ready, WakenBy waker, const char* what, Describe&& describe,
              const AwaitedWord* word = nullptr) {
  wait_for(world, bell, ready, waker, what, describe, word, [] { return false; });
}

}  // namespace canopy::shmem
