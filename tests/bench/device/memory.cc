// Allocation: malloc_ns (4 KiB, warm), malloc64m_us, soma_malloc_ns and soma_free_ns (4 KiB of a
// stream-ordered pool, warm). Each figure is of the one call; what it hands out is written to.
#include "acl/acl_rt_memory_soma.h"
#include "tests/bench/device/bench.h"

#include <array>

namespace canopy::bench {
namespace {

constexpr size_t kBatch = 64;
constexpr size_t kSmall = 4096;

// Writes to every block, and proves that no two are the same.
void check_apart(std::array<void*, kBatch>& blocks) {
  for (size_t i = 0; i < kBatch; ++i) {
    *static_cast<uint64_t*>(blocks[i]) = i;
  }
  for (size_t i = 0; i < kBatch; ++i) {
    expect_equal(*static_cast<uint64_t*>(blocks[i]), i, "memory: the content of a block");
  }
}

// The time of one of kBatch calls.
template <class Call>
double each_ns(double ns_per_tick, Call&& call) {
  const uint64_t start = bench_ticks();
  for (size_t i = 0; i < kBatch; ++i) {
    call(i);
  }
  return static_cast<double>(bench_ticks() - start) * ns_per_tick / kBatch;
}

struct PoolTimes {
  std::vector<double> malloc_ns;
  std::vector<double> free_ns;
};

PoolTimes time_pool(double ns_per_tick) {
  Session session;
  Stream stream;
  aclrtMemPoolProps props{};
  props.location = {0, ACL_MEM_LOCATION_TYPE_DEVICE};
  aclrtMemPool pool = nullptr;
  must(aclrtMemPoolCreate(&pool, &props), "aclrtMemPoolCreate");
  std::array<void*, kBatch> blocks;
  PoolTimes times;
  const size_t rounds = bench_repeats(1000);
  for (size_t round = 0; round < rounds + 10; ++round) {
    const double malloc_ns = each_ns(ns_per_tick, [&](size_t i) {
      must(aclrtMemPoolMallocAsync(&blocks[i], kSmall, pool, stream), "aclrtMemPoolMallocAsync");
    });
    check_apart(blocks);
    const double free_ns = each_ns(ns_per_tick, [&](size_t i) {
      must(aclrtMemPoolFreeAsync(blocks[i], stream), "aclrtMemPoolFreeAsync");
    });
    if (round >= 10) {
      times.malloc_ns.push_back(malloc_ns);
      times.free_ns.push_back(free_ns);
    }
  }
  must(aclrtMemPoolDestroy(pool), "aclrtMemPoolDestroy");
  return times;
}

}  // namespace

void malloc_ns(double ns_per_tick) {
  Session session;
  std::array<void*, kBatch> blocks;
  std::vector<double> samples;
  const size_t rounds = bench_repeats(1000);
  for (size_t round = 0; round < rounds + 10; ++round) {
    const double ns = each_ns(ns_per_tick, [&](size_t i) {
      must(aclrtMalloc(&blocks[i], kSmall, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
    });
    check_apart(blocks);
    for (void* block : blocks) {
      must(aclrtFree(block), "aclrtFree");
    }
    if (round >= 10) {
      samples.push_back(ns);
    }
  }
  report("malloc_ns", samples);
}

void malloc64m_us(double ns_per_tick) {
  Session session;
  std::vector<double> samples;
  const size_t rounds = bench_repeats(300);
  for (size_t round = 0; round < rounds; ++round) {
    void* memory = nullptr;
    const uint64_t start = bench_ticks();
    must(aclrtMalloc(&memory, size_t{64} << 20, ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
    samples.push_back(static_cast<double>(bench_ticks() - start) * ns_per_tick / 1000);
    static_cast<char*>(memory)[(size_t{64} << 20) - 1] = 1;
    must(aclrtFree(memory), "aclrtFree");
  }
  report("malloc64m_us", samples);
}

void soma_malloc_ns(double ns_per_tick) {
  PoolTimes times = time_pool(ns_per_tick);
  report("soma_malloc_ns", times.malloc_ns);
}

void soma_free_ns(double ns_per_tick) {
  PoolTimes times = time_pool(ns_per_tick);
  report("soma_free_ns", times.free_ns);
}

}  // namespace canopy::bench
