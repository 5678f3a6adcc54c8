// memcpy_{h2d,d2h,d2d}_GBps and memcpy_{h2d,d2h,d2d}64m_GBps: aclrtMemcpy, pageable host memory, all of it touched.
#include "tests/bench/device/bench.h"

#include <cstring>
#include <string>

namespace canopy::bench {
namespace {

constexpr size_t kSmall = size_t{1} << 20;
constexpr size_t kLarge = size_t{64} << 20;

// `from` is written to before each copy, and read in the target after it.
void copy_rate(const char* name, aclrtMemcpyKind kind, size_t bytes, double ns_per_tick) {
  Session session;
  HbmArray<uint64_t> first(bytes / 8);
  HbmArray<uint64_t> second(bytes / 8);
  std::vector<uint64_t> host(bytes / 8, 1);
  uint64_t* from = kind == ACL_MEMCPY_HOST_TO_DEVICE ? host.data() : &first[0];
  uint64_t* to = kind == ACL_MEMCPY_DEVICE_TO_HOST ? host.data() : &second[0];
  const size_t copies = bench_repeats(bytes == kSmall ? 1600 : 40);
  std::vector<double> rates;
  for (size_t i = 0; i < copies + 4; ++i) {
    from[bytes / 8 - 1] = i;
    const uint64_t start = bench_ticks();
    must(aclrtMemcpy(to, bytes, from, bytes, kind), "aclrtMemcpy");
    const double ns = static_cast<double>(bench_ticks() - start) * ns_per_tick;
    expect_equal(to[bytes / 8 - 1], i, "memcpy: the last word that arrived");
    if (i >= 4) {
      rates.push_back(static_cast<double>(bytes) / ns);
    }
  }
  report(name, rates, true);
}

}  // namespace

void memcpy_h2d(double ns_per_tick) {
  copy_rate("memcpy_h2d_GBps", ACL_MEMCPY_HOST_TO_DEVICE, kSmall, ns_per_tick);
}
void memcpy_d2h(double ns_per_tick) {
  copy_rate("memcpy_d2h_GBps", ACL_MEMCPY_DEVICE_TO_HOST, kSmall, ns_per_tick);
}
void memcpy_d2d(double ns_per_tick) {
  copy_rate("memcpy_d2d_GBps", ACL_MEMCPY_DEVICE_TO_DEVICE, kSmall, ns_per_tick);
}
void memcpy_h2d64m(double ns_per_tick) {
  copy_rate("memcpy_h2d64m_GBps", ACL_MEMCPY_HOST_TO_DEVICE, kLarge, ns_per_tick);
}
void memcpy_d2h64m(double ns_per_tick) {
  copy_rate("memcpy_d2h64m_GBps", ACL_MEMCPY_DEVICE_TO_HOST, kLarge, ns_per_tick);
}
void memcpy_d2d64m(double ns_per_tick) {
  copy_rate("memcpy_d2d64m_GBps", ACL_MEMCPY_DEVICE_TO_DEVICE, kLarge, ns_per_tick);
}

}  // namespace canopy::bench
