// SideShow: what has no place in a sequential model - aborted and stopped streams, contexts that
// stop on failure, notifies with several waiters - on streams of its own, beside a random program.
// What is left to chance does not change the outcome, which is known exactly.
#pragma once

#include "acl/acl.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace canopy::test {

class SideShow {
 public:
  // What kernels have written down, in the order in which they ran.
  struct Log {
    std::atomic<uint32_t> count{0};
    std::array<uint32_t, 64> entries{};
    uint32_t next = 0;  // to be queued
  };

  // `device`: that of the current context.
  SideShow(std::mt19937_64& random, int device) : random_(random), device_(device) {}
  // "" or what is wrong. A stream that does not end ends the test program.
  std::string run();

 private:
  // What a stream can wait for and what does not come by itself.
  struct Obstacle {
    uint32_t kind = 0;
    aclrtEvent event = nullptr;
    aclrtNotify notify = nullptr;
    aclrtCntNotify counter = nullptr;
    uint64_t* word = nullptr;
    std::atomic<uint32_t> begun{0};  // kernels: blocks that wait
  };

  void abort_or_stop();
  void stop_on_failure();
  void several_waiters();

  void set_up(Obstacle& obstacle, uint32_t kind);
  void wait_for(Obstacle& obstacle, aclrtStream stream);
  void remove(Obstacle& obstacle, aclrtStream stream);
  void tear_down(Obstacle& obstacle);
  aclrtStream make_stream();
  void append(Log& log, uint32_t count, aclrtStream stream);
  void synchronize(aclrtStream stream, aclError wanted = ACL_SUCCESS);
  // Of `count` entries, 0 to count - 1 in their order.
  void expect(const Log& log, uint32_t count, const char* what);
  void must(aclError code, const char* what) { must(ACL_SUCCESS, code, what); }
  void must(aclError wanted, aclError code, const char* what);
  uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

  std::mt19937_64& random_;
  const int device_;
  std::string failure_;
};

}  // namespace canopy::test
