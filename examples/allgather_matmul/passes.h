// Passes: one rank's data on its card, and the four kinds of pass over it.
//
// Construction and run() are collective. One thread. A failure within run() is this rank's alone:
// the others may be waiting for its tiles, so the caller ends the job.
#pragma once

#include "examples/allgather_matmul/device.h"
#include "examples/allgather_matmul/job.h"
#include "examples/allgather_matmul/kernels.h"
#include "examples/allgather_matmul/matrix_source.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace agmm {

// Milliseconds on the card, the medians over the repetitions.
struct PassTimes {
  double compute = 0;
  double comm = 0;
  double serial = 0;
  double fused = 0;
};

class Passes {
 public:
  // Allocates, and loads the rank's row block of A and column block of B.
  static Fallible<std::unique_ptr<Passes>> create(Job& job, const Partition& part,
                                                  const MatrixSource& a, const MatrixSource& b,
                                                  uint32_t blocks);

  // Every pass starts from a card on which C is NaN, and the other ranks' rows of A too unless the
  // pass is about computing alone; the C of all passes must be the same bit by bit.
  Fallible<PassTimes> run(int repetitions);

  std::span<const float> b_block() const { return b_host_; }
  // C of the last pass: M x cols of this rank.
  std::span<const float> c_block() const { return c_host_; }
  // The symmetric memory that holds C on every rank, for gathering it.
  const float* symmetric_c() const { return c_.get(); }

 private:
  Passes(Job& job, const Partition& part, uint32_t blocks)
      : job_(job), part_(part), blocks_(blocks) {}
  Fallible<void> allocate();
  Fallible<void> load(const MatrixSource& a, const MatrixSource& b);
  Fallible<void> forget_a();
  Fallible<void> forget_c();

  struct PassKind {
    const char* name;
    bool communicates;  // otherwise it finds what the pass before has brought
    bool computes;
  };
  template <class Queue>
  Fallible<void> pass(const PassKind& kind, Queue&& queue, std::vector<double>* times);
  Fallible<void> same_result(const char* pass);

  Job& job_;
  const Partition part_;
  const uint32_t blocks_;
  // Symmetric memory is freed collectively: in the same order on every rank.
  SymmetricPtr<float> a_;
  SymmetricPtr<float> c_;
  SymmetricPtr<int32_t> arrived_;
  DevicePtr<float> b_;
  DevicePtr<uint64_t> tickets_;
  std::unique_ptr<TimedStream> stream_;
  Card card_{};
  std::vector<float> b_host_;
  std::vector<float> c_host_;
  std::optional<uint64_t> fingerprint_;  // of the first C
  int32_t pass_ = 0;
};

}  // namespace agmm
