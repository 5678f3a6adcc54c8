// Kernels that do one thing wrong, in a binary of their own as users' kernels are: those that are linked with
// the runtime's objects, like a test's own, cannot be told from it.
#include "tests/unit/api/faulty_kernels.h"

#include "canopy/kernel.h"

#include <pthread.h>
#include <unistd.h>

#undef NDEBUG  // assert() works, whatever the build is
#include <cassert>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace {

using canopy::test::FaultArgs;
using canopy::test::Wrong;

// Volatile, so that the compiler knows nothing of what is wrong with them.
char* volatile null_address = nullptr;
char* volatile wild_address = reinterpret_cast<char*>(0x8000'0000'0000'0000);
volatile int zero = 0;
volatile size_t some_bytes = 3000;
volatile bool always = true;

[[gnu::noinline]] int recurse(int depth) {
  volatile char frame[200];
  frame[0] = static_cast<char>(depth);
  return always ? recurse(depth + 1) + frame[0] : 0;
}

// More than a block's stack; and many times that, where the guard is wide.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr size_t kLargeArray = 300u << 10;
#else
constexpr size_t kLargeArray = 12u << 20;
#endif
[[gnu::noinline]] int use_large_array() {
  volatile char large[kLargeArray];
  large[0] = 1;
  return large[0];
}

[[gnu::noinline]] void throw_number() {
  if (always) {
    throw 1;
  }
}
void break_noexcept() noexcept { throw_number(); }

// Of what ends as a scope does, by return or by unwinding.
struct CountAtEnd {
  std::atomic<uint32_t>* word;
  ~CountAtEnd() { word->fetch_add(1); }
};

// UndefinedBehaviorSanitizer would report what is done here on purpose.
[[gnu::no_sanitize("undefined")]] void misbehave(Wrong wrong, const FaultArgs& args) {
  switch (wrong) {
    case Wrong::nothing:
      return;
    case Wrong::write_null:
      *null_address = 1;
      return;
    case Wrong::read_wild:
      zero = *wild_address;
      return;
    case Wrong::read_wild_stack: {
#if defined(__x86_64__)
      char* address = wild_address;
      asm volatile("xchg %%rbp, %0; movb (%%rbp), %%al; xchg %%rbp, %0" : "+r"(address) : : "rax", "memory");
#else
      zero = *wild_address;
#endif
      return;
    }
    case Wrong::read_misaligned: {
#if defined(__x86_64__)
      alignas(16) char vector[32] = {};
      asm volatile("movaps (%0), %%xmm0" : : "r"(vector + 1) : "xmm0", "memory");
#else
      zero = *wild_address;
#endif
      return;
    }
    case Wrong::divide_by_zero: {
#if defined(__x86_64__)
      int quotient = 17;  // the compiler makes 1 / x a comparison
      asm volatile("cltd; idivl %1" : "+a"(quotient) : "r"(static_cast<int>(zero)) : "edx", "cc");
      zero = quotient;
#else
      std::raise(SIGFPE);
#endif
      return;
    }
    case Wrong::illegal_instruction:
      __builtin_trap();
    case Wrong::overflow_stack:
      recurse(0);
      return;
    case Wrong::large_array_on_stack:
      use_large_array();
      return;
    case Wrong::fail_assert:
      assert(zero == 1);
      return;
    case Wrong::call_abort:
      std::abort();
    case Wrong::fail_canopy_assert:
      canopy_assert(zero == 1);
      return;
    case Wrong::throw_exception:
      throw std::runtime_error("no more of it");
    case Wrong::end_thread: {
      const CountAtEnd unwound{args.word};
      ::pthread_exit(nullptr);
    }
    case Wrong::break_noexcept:
      break_noexcept();
      return;
    case Wrong::copy_from_null: {
      char here[4000];
      std::memcpy(here, null_address, some_bytes);
      zero = here[some_bytes - 1] == 77;
      return;
    }
    case Wrong::fill_null:
      std::memset(null_address, 1, some_bytes);
      return;
    case Wrong::length_of_null:
      zero = std::strlen(null_address) == 77;
      return;
    case Wrong::call_null:
      reinterpret_cast<void (*volatile)()>(null_address)();
      return;
    case Wrong::print_null_in_libc:
      std::fprintf(stderr, "%s", wild_address);
      return;
    case Wrong::loop:
      while (always) {
      }
      return;
    case Wrong::loop_calling:
      while (always) {
        zero = static_cast<int>(GetBlockIdx()) * 0;
      }
      return;
    case Wrong::loop_yielding:
      while (always) {
        canopy_yield();
      }
      return;
    case Wrong::loop_printing:
      while (always) {
        canopy_kernel_printf("%s", "");
      }
      return;
    case Wrong::wait_for_word:
      canopy_wait_until([](void* word) { return static_cast<int>(static_cast<std::atomic<uint32_t>*>(word)->load()); },
                        args.word, "a test's word");
      return;
    case Wrong::wait_for_flag:
      canopy_flag_wait(3);
      return;
    case Wrong::sync_all_alone:
      if (GetBlockIdx() != args.block) {
        SyncAll();
      }
      return;
    case Wrong::store_to_word:
      args.word->store(1);
      return;
    case Wrong::load_word:
      zero = static_cast<int>(args.word->load());
      return;
    case Wrong::spin_on_word:
      while (args.word->load() == 0) {
      }
      return;
    case Wrong::loop_sleeping:
      while (always) {
        ::usleep(100);
      }
      return;
    case Wrong::loop_formatting:
      while (always) {
        char text[64];
        std::snprintf(text, sizeof text, "%d %f", static_cast<int>(zero), 1.5);
      }
      return;
    case Wrong::loop_throwing:
      while (always) {
        try {
          throw_number();
        } catch (int) {
        }
      }
      return;
    case Wrong::loop_starting_threads:  // libc blocks all signals while it starts one
      while (always) {
        pthread_t thread;
        if (::pthread_create(&thread, nullptr, args.thread_main, nullptr) == 0) {
          ::pthread_join(thread, nullptr);
        }
      }
      return;
  }
}

void run(const FaultArgs& args) {
  args.started->fetch_add(1);
  misbehave(GetBlockIdx() == args.block ? args.wrong : args.others, args);
  args.ended->fetch_add(1);
}

}  // namespace

__global__ __aicore__ void faulty_vector(FaultArgs args) { run(args); }
CANOPY_KERNEL(faulty_vector)
__global__ __aicore__ void faulty_cube(FaultArgs args) { run(args); }
CANOPY_KERNEL_CUBE(faulty_cube)
__global__ __aicore__ void faulty_mix(FaultArgs args) { run(args); }
CANOPY_KERNEL_MIX(faulty_mix)
__global__ __aicore__ void faulty_aicpu(FaultArgs args) { run(args); }
CANOPY_KERNEL_AICPU(faulty_aicpu)

// The other form of AI CPU kernels: a function that a binary registers under a name.
extern "C" uint32_t faulty_function(void* args) {
  run(*static_cast<const FaultArgs*>(args));
  return 0;
}
