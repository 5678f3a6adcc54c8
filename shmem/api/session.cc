#include "shmem/api/session.h"

#include "acl/acl_rt.h"
#include "canopy/kernel.h"
#include "launcher/bootstrap/bootstrap.h"
#include "runtime/base/log.h"
#include "runtime/device/abi/remote_bell.h"
#include "runtime/driver/driver.h"
#include "shmem.h"
#include "shmem/world/kernel_side.h"
#include "shmem/world/memory_limit.h"
#include "shmem/world/world.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace canopy::shmem::session {
namespace {

struct State {
  std::mutex mutex;  // guards all
  std::unique_ptr<World> world;
  int users = 0;
  pid_t pid = 0;  // of the process that joined: a forked child owns nothing
  bool exit_watched = false;
};

// Leaked on purpose: exit handlers and executors may look while static destructors run.
State& state() {
  static State* instance = new State;
  return *instance;
}

// Cube and vector cores are numbered apart; a mixed kernel's blocks run on cube cores.
uint64_t core_of_block() {
  const uint64_t vector = canopy_core_kind() == CANOPY_CORE_VECTOR;
  return static_cast<uint64_t>(canopy_device_id()) << 33 | vector << 32 | canopy_core_id();
}

static_assert(CANOPY_WORD_EQUAL == 1 && CANOPY_WORD_AT_MOST == 6, "in the order of AwaitedWord::Test");

void wait_in_block(int (*ready)(void* arg), void* arg, const char* what, const AwaitedWord* word) {
  if (word == nullptr) {
    canopy_wait_until(ready, arg, what);
    return;
  }
  const canopy_awaited_word awaited = {word->address, word->wanted, word->bytes,
                                       static_cast<uint8_t>(1 + static_cast<uint8_t>(word->test)), word->is_signed};
  canopy_wait_for_word(ready, arg, what, &awaited);
}

[[maybe_unused]] const bool kernel_side_registered = [] {
  register_kernel_side({.in_kernel = canopy_in_kernel,
                        .wait_until = wait_in_block,
                        .core = core_of_block,
                        .set_remote_bell = [](Doorbell* bell) { set_remote_bell(bell); }});
  return true;
}();

// A program that ends without finalize: with status 0 it leaves as finalize does (the
// specification's implicit finalization: it waits until all PEs leave); with another status the job
// ends with it.
void at_exit(int status, void*) {
  State& s = state();
  if (s.world == nullptr || s.pid != ::getpid()) {
    return;
  }
  if (status != 0) {
    const int pe = s.world->my_pe();
    s.world->fail_job(status, fmt::format("pe {} on host {} ended with exit status {} before finalize", pe,
                                          s.world->card(pe).host.text(), status));
  }
  if (!s.world->finalize()) {
    report(error_text::newest());
  }
}

void print_info(const World& world) {
  if (world.my_pe() != 0) {
    return;
  }
  if (shmem_variable("VERSION")) {
    std::printf("%s, OpenSHMEM %d.%d\n", SHMEM_VENDOR_STRING, SHMEM_MAJOR_VERSION,
                SHMEM_MINOR_VERSION);
  }
  if (shmem_variable("INFO")) {
    std::printf(
        "SHMEM_VERSION          print the library's version at init\n"
        "SHMEM_INFO             print this table at init\n"
        "SHMEM_SYMMETRIC_SIZE   bytes of the symmetric heap per PE, with suffix k m g t (now %zu)\n"
        "SHMEM_DEBUG            any value: check every operation and collective, print debugging messages\n"
        "CANOPY_HEAP_REPORT     1: list the live blocks of the symmetric heaps at finalize\n"
        "CANOPY_DEVICE_HEAP_SIZE bytes of the device heap per PE (default 256M)\n"
        "CANOPY_TIMEOUT         seconds after which a wait gives up (default: never)\n"
        "CANOPY_HOST_TIMEOUT_MS silence after which a host counts as dead (default 10000)\n"
        "CANOPY_PATH            mapped, ofi or faulty: the path to take (default: the best)\n"
        "CANOPY_FAULTY          faults for tests (transport/faulty/fault_plan.h)\n"
        "CANOPY_PES_PER_HOST    takes each so many PEs for a host of their own\n"
        "CANOPY_OFI_PROVIDER    the libfabric provider to use\n"
        "CANOPY_OFI_INTERFACE   the network interfaces to use, with commas in between\n"
        "CANOPY_OFI_RAILS       how many networks to use (default: all)\n"
        "CANOPY_OFI_STRIPE      bytes from which on a put or get goes over several networks (default 512K)\n"
        "CANOPY_STREAM_THRESHOLD bytes from which on copies stream past the cache (default: by its size)\n"
        "CANOPY_REQUEST_RING    entries of a core's request ring (default 256)\n"
        "CANOPY_LOG             debug, info, warn, error, off\n",
        world.host_heap().bytes());
  }
  std::fflush(stdout);
}

Result<std::unique_ptr<World>> join() {
  WorldOptions options;
  int32_t device = -1;
  if (aclrtGetDevice(&device) == ACL_SUCCESS) {  // before debugging messages are on: it is no failure of the program's
    options.device = device;
  } else {
    (void)aclGetRecentErrMsg();
  }
#ifdef CANOPY_DEBUG_CHECKS
  options.debug = true;
#endif
  if (shmem_variable("DEBUG")) {
    set_log_level(LogLevel::debug);
    options.debug = true;
  }
  // Without the device runtime a program of host memory still runs; a device heap will say why not.
  if (auto driver = Driver::current()) {
    options.driver = *driver;
  } else {
    log(LogLevel::info, "the device runtime did not start: {}", error_text::take_newest());
  }
  CANOPY_ASSIGN(auto bootstrap, Bootstrap::create());
  set_log_identity(fmt::format("pe {}", bootstrap->pe()));
  return World::create(std::move(bootstrap), options);
}

}  // namespace

namespace {

// The child of a fork has its parent's memory and nothing else of a PE.
Result<> require_no_child(const State& s, const char* call) {
  if (s.users != 0 && s.pid != ::getpid()) {
    return fail(Errc::forked, "{} in a forked child of PE {} (pid {}): the child is no PE", call,
                s.world->my_pe(), s.pid);
  }
  return {};
}

}  // namespace

Result<World*> enter() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  CANOPY_TRY(require_no_child(s, "init"));
  if (s.world == nullptr) {
    CANOPY_ASSIGN(s.world, join());
    s.pid = ::getpid();
    if (!s.exit_watched) {
      s.exit_watched = ::on_exit(at_exit, nullptr) == 0;
    }
    print_info(*s.world);
  }
  ++s.users;
  return s.world.get();
}

Result<> leave() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (s.users == 0) {
    return fail(Errc::not_initialized, "finalize without a matching init");
  }
  CANOPY_TRY(require_no_child(s, "finalize"));
  if (--s.users != 0) {
    s.world->barrier_all();
    return {};
  }
  const std::unique_ptr<World> last = std::move(s.world);
  return last->finalize();
}

bool is_open() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.users != 0 && s.pid == ::getpid();
}

}  // namespace canopy::shmem::session
