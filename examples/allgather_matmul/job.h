// Job: the ranks of one run, seen from one of them. Joining, agreeing, and passing short texts
// around.
//
// All calls are collective: every rank makes the same calls in the same order. One thread. What
// travels here is set-up and reports, through OpenSHMEM's host interface; the matrices travel only
// through the kernels.
#pragma once

#include "examples/allgather_matmul/fallible.h"

#include <string>
#include <vector>

namespace agmm {

class Job {
 public:
  // Joins the job that mpirun started (a job of one without it) and leaves it when destroyed.
  Job();
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  int pe() const { return pe_; }
  int n_pes() const { return n_pes_; }
  void barrier();

  // Every rank gets the texts of all ranks, in rank order.
  std::vector<std::string> all_gather(const std::string& mine);
  // One rank's failure is everybody's: all ranks get the same sentences, one per rank that failed,
  // or one where all failed alike.
  Fallible<void> agree(const Fallible<void>& mine);

 private:
  int pe_ = 0;
  int n_pes_ = 1;
};

}  // namespace agmm
