// What the device benchmarks share: a session on device 0, loud checks, and the list of benchmarks.
#pragma once

#include "acl/acl.h"
#include "tests/bench/support/report.h"
#include "tests/bench/support/ticks.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace canopy::bench {

// Ends the program with a sentence when an acl call failed: what it measured would be worthless.
inline void must(aclError code, const char* what) {
  if (code != ACL_SUCCESS) {
    const char* text = aclGetRecentErrMsg();
    std::fprintf(stderr, "%s: %s: error %d: %s\n", program_invocation_short_name, what, code,
                 text ? text : "");
    std::exit(1);
  }
}

inline void expect_equal(uint64_t got, uint64_t wanted, const char* what) {
  if (got != wanted) {
    std::fprintf(stderr, "%s: %s: %llu, not %llu\n", program_invocation_short_name, what,
                 static_cast<unsigned long long>(got), static_cast<unsigned long long>(wanted));
    std::exit(1);
  }
}

// A device of a fresh runtime.
class Session {
 public:
  explicit Session(int device = 0) {
    must(aclInit(nullptr), "aclInit");
    must(aclrtSetDevice(device), "aclrtSetDevice");
  }
  ~Session() { must(aclFinalize(), "aclFinalize"); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

class Stream {
 public:
  Stream() { must(aclrtCreateStream(&stream_), "aclrtCreateStream"); }
  ~Stream() { must(aclrtDestroyStream(stream_), "aclrtDestroyStream"); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  void synchronize() { must(aclrtSynchronizeStream(stream_), "aclrtSynchronizeStream"); }
  operator aclrtStream() const { return stream_; }

 private:
  aclrtStream stream_ = nullptr;
};

// `count` zeroed values in HBM. A device address is one of the host's too.
template <class T>
class HbmArray {
 public:
  explicit HbmArray(size_t count) {
    void* at = nullptr;
    must(aclrtMalloc(&at, count * sizeof(T), ACL_MEM_MALLOC_HUGE_FIRST), "aclrtMalloc");
    must(aclrtMemset(at, count * sizeof(T), 0, count * sizeof(T)), "aclrtMemset");
    data_ = static_cast<T*>(at);
  }
  ~HbmArray() { must(aclrtFree(data_), "aclrtFree"); }
  HbmArray(const HbmArray&) = delete;
  HbmArray& operator=(const HbmArray&) = delete;
  T& operator[](size_t i) { return data_[i]; }
  uint8_t* address(size_t i = 0) { return reinterpret_cast<uint8_t*>(data_ + i); }

 private:
  T* data_ = nullptr;
};

inline void report(const char* name, std::vector<double>& samples, bool higher_is_better = false) {
  bench_report(name, samples.data(), samples.size(), higher_is_better);
}

// Each runs one benchmark and prints its RESULT line.
void launch_ns(double ns_per_tick);
void launch_rate(double ns_per_tick);
void launch_sync_us(double ns_per_tick);
void launch_sync_asleep_us(double ns_per_tick);
void task_gap_ns(double ns_per_tick);
void event_sync_same_ns(double ns_per_tick);
void event_sync_other_ns(double ns_per_tick);
void event_sync_over_line_ns(double ns_per_tick);
void blocks48_us(double ns_per_tick);
void idle_cpu(double ns_per_tick);
void malloc_ns(double ns_per_tick);
void malloc64m_us(double ns_per_tick);
void soma_malloc_ns(double ns_per_tick);
void soma_free_ns(double ns_per_tick);
void launch_cold_ns(double ns_per_tick);
void launch_rate_1stream(double ns_per_tick);
void launch_rate_8streams(double ns_per_tick);
void launch_rate_64streams(double ns_per_tick);
void launch_rate_512streams(double ns_per_tick);
void launch_ns_8streams(double ns_per_tick);
void launch_ns_64streams(double ns_per_tick);
void launch_ns_512streams(double ns_per_tick);
void task_ns_1stream(double ns_per_tick);
void task_ns_8streams(double ns_per_tick);
void task_ns_64streams(double ns_per_tick);
void task_ns_512streams(double ns_per_tick);
void launch_rate_8threads(double ns_per_tick);
void callback_us(double ns_per_tick);
void callback_asleep_us(double ns_per_tick);
void sync_us(double ns_per_tick);
void sync_wake_us(double ns_per_tick);
void idle_rss(double ns_per_tick);
void memcpy_h2d(double ns_per_tick);
void memcpy_d2h(double ns_per_tick);
void memcpy_d2d(double ns_per_tick);
void memcpy_h2d64m(double ns_per_tick);
void memcpy_d2h64m(double ns_per_tick);
void memcpy_d2d64m(double ns_per_tick);

}  // namespace canopy::bench
