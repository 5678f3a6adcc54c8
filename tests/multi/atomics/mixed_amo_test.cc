// mixed_amo_test [OPERATIONS [SEEN [FAR_OPERATIONS]]]: every PE works on one word of PE 0 at once, those on its host
// by CPU atomics and the others by messages; nothing may be lost.
//
// The PEs are two sides: those that can reach the word by load and store, and those that cannot; on
// one host, even and odd ones. A PE is through when it has done OPERATIONS (200,000; PEs that are far
// away FAR_OPERATIONS, 2,000) and has seen SEEN (1,000) different states that the other side made; it goes on until all are through, so that
// both sides overlap to the end. Then the word must be exactly what all of them did.
#include "runtime/base/clock.h"

#include <aclshmem.h>
#include <shmem.h>

#include <sched.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace {

constexpr uint64_t kPatienceNs = 50'000'000'000;
constexpr int kSides = 2;

// Symmetric.
struct Shared {
  alignas(64) uint64_t word;
  alignas(64) uint64_t through;  // PEs, on PE 0
  alignas(64) uint64_t totals[kSides];
  alignas(64) uint64_t tokens;
  alignas(64) uint64_t per_pe[64];
};

Shared* shared = nullptr;
int me = 0;
int pes = 0;
int side = 0;               // 0: near the word
uint64_t sides_of_pes = 0;  // bit p: the side of PE p
uint64_t wanted_operations = 200'000;  // of this PE
uint64_t wanted_seen = 1'000;
bool any_far = false;
int failures = 0;

bool check(bool right, const char* test, const char* what, uint64_t got, uint64_t wanted) {
  if (!right) {
    ++failures;
    std::fprintf(stderr, "mixed_amo: pe %d: %s: %s is %#lx, not %#lx\n", me, test, what, got,
                 wanted);
  }
  return right;
}

template <class T>
struct Routines;
#define ROUTINES(NAME, TYPE)                                                                    \
  template <>                                                                                   \
  struct Routines<TYPE> {                                                                       \
    static TYPE add(TYPE* at, TYPE v) { return shmem_##NAME##_atomic_fetch_add(at, v, 0); }     \
    static void inc(TYPE* at) { shmem_##NAME##_atomic_inc(at, 0); }                             \
    static TYPE swap(TYPE* at, TYPE v) { return shmem_##NAME##_atomic_swap(at, v, 0); }         \
    static TYPE fetch(TYPE* at) { return shmem_##NAME##_atomic_fetch(at, 0); }                  \
    static TYPE compare_swap(TYPE* at, TYPE c, TYPE v) {                                        \
      return shmem_##NAME##_atomic_compare_swap(at, c, v, 0);                                   \
    }                                                                                           \
    static TYPE bit_and(TYPE* at, TYPE v) { return shmem_##NAME##_atomic_fetch_and(at, v, 0); } \
    static TYPE bit_or(TYPE* at, TYPE v) { return shmem_##NAME##_atomic_fetch_or(at, v, 0); }   \
    static TYPE bit_xor(TYPE* at, TYPE v) { return shmem_##NAME##_atomic_fetch_xor(at, v, 0); } \
  };
ROUTINES(uint32, uint32_t)
ROUTINES(uint64, uint64_t)
#undef ROUTINES

// How often the other side's part of the word was different from last time.
class Watch {
 public:
  void see(uint64_t others) {
    if (others != last_) {
      last_ = others;
      ++seen_;
    }
  }
  uint64_t seen() const { return seen_; }

 private:
  uint64_t last_ = ~uint64_t{0};
  uint64_t seen_ = 0;
};

// Calls operation(n) for n = 0, 1, ... until every PE is through, at most `limit` times; returns
// how often. needs_seen: whether `watch` counts.
template <class Operation>
uint64_t work(const char* test, uint64_t limit, const Watch* watch, Operation&& operation) {
  shmem_barrier_all();
  const uint64_t begin = canopy::monotonic_ns();
  uint64_t done = 0;
  uint64_t seen_before = 0;
  bool told = false;
  for (uint64_t turn = 0;; ++turn) {
    // Where PEs share a core each would use its time up alone. An odd number of turns: some operations undo each other.
    if (watch != nullptr && turn % 1021 == 1020 && std::exchange(seen_before, watch->seen()) == watch->seen()) {
      sched_yield();
    }
    if (done < limit) {
      operation(done);
      ++done;
    }
    const bool enough = done >= wanted_operations || done == limit;
    if (!told && enough && (watch == nullptr || watch->seen() >= wanted_seen)) {
      told = true;
      shmem_uint64_atomic_inc(&shared->through, 0);
    }
    if ((turn % 64 == 63 || done == limit) && told &&
        shmem_uint64_atomic_fetch(&shared->through, 0) == static_cast<uint64_t>(pes)) {
      break;
    }
    if (turn % 64 == 63 && canopy::monotonic_ns() - begin > kPatienceNs) {
      std::fprintf(
          stderr,
          "mixed_amo: pe %d: %s: after 50 s: %lu operations, saw %lu states of the other side\n",
          me, test, done, watch == nullptr ? 0 : watch->seen());
      shmem_global_exit(1);
    }
  }
  shmem_barrier_all();
  return done;
}

void start(uint64_t initial) {
  shmem_barrier_all();
  if (me == 0) {
    *shared = Shared{};
    shared->word = initial;
  }
  shmem_barrier_all();
}

// Tells PE 0 how many operations this PE did.
void account(uint64_t done) {
  shmem_uint64_atomic_add(&shared->totals[side], done, 0);
  shmem_uint64_p(&shared->per_pe[me], done, 0);
  shmem_barrier_all();
}

template <class T>
T* word() {
  return reinterpret_cast<T*>(&shared->word);
}

// The far side counts in the low half of the word, the near side in the high half; both may
// overflow, and the word is still the sum. (A carry of the far side's own looks to it like one
// state of the near side: of 32 bits, one in 65,536 operations.)
template <class T>
struct Halves {
  static constexpr int kHalf = sizeof(T) * 4;
  static T unit() { return side == 0 ? static_cast<T>(T{1} << kHalf) : T{1}; }
  static uint64_t others(T value) {
    return side == 0 ? static_cast<T>(value << kHalf) >> kHalf : value >> kHalf;
  }
  static T expected() {
    return static_cast<T>((static_cast<T>(shared->totals[0]) << kHalf) +
                          static_cast<T>(shared->totals[1]));
  }
};

template <class T>
void fetch_add(const char* test) {
  start(0);
  Watch watch;
  account(work(test, ~uint64_t{0}, &watch, [&](uint64_t) {
    watch.see(Halves<T>::others(Routines<T>::add(word<T>(), Halves<T>::unit())));
  }));
  if (me == 0) {
    check(*word<T>() == Halves<T>::expected(), test, "the sum", *word<T>(), Halves<T>::expected());
  }
}

// A compare-swap by message takes a thousand times as long as one by the CPU: against PEs that never pause it would
// never find the word as it was. So those leave it alone now and then, until it changes or a while has passed.
template <class T>
void give_way() {
  constexpr uint64_t kWhileNs = 300'000;
  const uint64_t begin = canopy::monotonic_ns();
  const T before = Routines<T>::fetch(word<T>());
  while (Routines<T>::fetch(word<T>()) == before && canopy::monotonic_ns() - begin < kWhileNs) {
    sched_yield();
  }
}

template <class T>
void compare_swap(const char* test) {
  constexpr uint64_t kBurst = 64;
  start(0);
  Watch watch;
  account(work(test, ~uint64_t{0}, &watch, [&](uint64_t n) {
    if (any_far && side == 0 && n % kBurst == 0) {
      give_way<T>();
    }
    T expected = Routines<T>::fetch(word<T>());
    for (;;) {
      const T seen = Routines<T>::compare_swap(word<T>(), expected, expected + Halves<T>::unit());
      watch.see(Halves<T>::others(seen));
      if (seen == expected) {
        return;
      }
      expected = seen;
    }
  }));
  if (me == 0) {
    check(*word<T>() == Halves<T>::expected(), test, "the sum", *word<T>(), Halves<T>::expected());
  }
}

template <class T>
void increment(const char* test) {
  start(0);
  account(work(test, ~uint64_t{0}, nullptr, [&](uint64_t) { Routines<T>::inc(word<T>()); }));
  const T total = static_cast<T>(shared->totals[0] + shared->totals[1]);
  if (me == 0) {
    check(*word<T>() == total, test, "the count", *word<T>(), total);
  }
}

// The bits of the PEs on the other side.
template <class T>
uint64_t others_bits(T value) {
  const uint64_t mine = side == 0 ? ~sides_of_pes : sides_of_pes;
  return value & ~mine;
}

template <class T>
void bits(const char* test, bool by_xor) {
  start(0);
  Watch watch;
  const T mine = static_cast<T>(T{1} << me);
  uint64_t wrong = 0;
  const uint64_t done = work(test, ~uint64_t{0}, &watch, [&](uint64_t n) {
    const bool was_set = n % 2 == 1;
    T old;
    if (by_xor) {
      old = Routines<T>::bit_xor(word<T>(), mine);
    } else if (was_set) {
      old = Routines<T>::bit_and(word<T>(), static_cast<T>(~mine));
    } else {
      old = Routines<T>::bit_or(word<T>(), mine);
    }
    wrong += ((old & mine) != 0) != was_set;
    watch.see(others_bits(old));
  });
  check(wrong == 0, test, "operations that found their own bit changed", wrong, 0);
  account(done);
  if (me == 0) {
    T expected = 0;
    for (int pe = 0; pe < pes; ++pe) {
      expected |= static_cast<T>(static_cast<T>(shared->per_pe[pe] % 2) << pe);
    }
    check(*word<T>() == expected, test, "the word", *word<T>(), expected);
  }
}

// Every token that was swapped in comes out exactly once, or is the last one.
template <class T>
void swap(const char* test) {
  constexpr int kPeShift = sizeof(T) * 8 - 6;
  start(0);
  Watch watch;
  uint64_t in = 0;
  uint64_t out = 0;
  work(test, (uint64_t{1} << kPeShift) - 2, &watch, [&](uint64_t n) {
    const T token = static_cast<T>((static_cast<T>(me) << kPeShift) | static_cast<T>(n + 1));
    const T old = Routines<T>::swap(word<T>(), token);
    in += token;
    out += old;
    if (old != 0 && ((sides_of_pes >> (old >> kPeShift) & 1) != 0) != (side == 1)) {
      watch.see(old);
    }
  });
  shmem_uint64_atomic_add(&shared->tokens, in - out, 0);
  shmem_barrier_all();
  if (me == 0) {
    check(shared->tokens == *word<T>(), test, "what went in and did not come out", shared->tokens,
          *word<T>());
  }
}

template <class T, class Add>
void floating(const char* test, Add&& add) {
  start(0);
  // Sums stay below what T holds exactly.
  account(work(test, (uint64_t{1} << 23) / static_cast<uint64_t>(pes), nullptr,
               [&](uint64_t) { add(word<T>(), T{1}); }));
  if (me == 0) {
    const auto sum = static_cast<uint64_t>(*word<T>());
    check(sum == shared->totals[0] + shared->totals[1], test, "the sum", sum,
          shared->totals[0] + shared->totals[1]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    wanted_operations = std::strtoull(argv[1], nullptr, 10);
  }
  if (argc > 2) {
    wanted_seen = std::strtoull(argv[2], nullptr, 10);
  }
  const uint64_t far_operations = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 2'000;
  shmem_init();
  me = shmem_my_pe();
  pes = shmem_n_pes();
  if (pes < 2 || pes > 31) {
    std::fprintf(stderr, "skipped: 2 to 31 PEs, not %d\n", pes);
    shmem_finalize();
    return 77;
  }
  shared = static_cast<Shared*>(shmem_align(64, sizeof(Shared)));
  *shared = Shared{};
  shmem_barrier_all();
  shmem_uint64_p(&shared->per_pe[me], shmem_ptr(shared, 0) == nullptr, 0);
  shmem_barrier_all();
  std::vector<uint64_t> far(static_cast<size_t>(pes));
  shmem_uint64_get(far.data(), shared->per_pe, far.size(), 0);
  shmem_barrier_all();
  for (uint64_t one : far) {
    any_far = any_far || one != 0;
  }
  for (int pe = 0; pe < pes; ++pe) {
    const bool other = any_far ? far[static_cast<size_t>(pe)] != 0 : pe % 2 == 1;
    sides_of_pes |= static_cast<uint64_t>(other) << pe;
  }
  side = static_cast<int>(sides_of_pes >> me & 1);
  if (any_far && side == 1) {
    wanted_operations = far_operations;
  }

  fetch_add<uint64_t>("fetch_add 64");
  fetch_add<uint32_t>("fetch_add 32");
  compare_swap<uint64_t>("compare_swap 64");
  compare_swap<uint32_t>("compare_swap 32");
  increment<uint64_t>("inc 64");
  increment<uint32_t>("inc 32");
  bits<uint64_t>("xor 64", true);
  bits<uint32_t>("xor 32", true);
  bits<uint64_t>("or, and 64", false);
  bits<uint32_t>("or, and 32", false);
  swap<uint64_t>("swap 64");
  swap<uint32_t>("swap 32");
  floating<float>("float add", [](float* at, float v) { aclshmem_float_atomic_add(at, v, 0); });
  if (me == 0 && failures == 0) {
    std::printf("mixed_amo: %d PEs, %s: passed\n", pes, any_far ? "near and far" : "all near");
  }
  shmem_free(shared);
  shmem_finalize();
  return failures == 0 ? 0 : 1;
}
