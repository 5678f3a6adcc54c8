// PmixFence: one fence over all PEs of the job, posted now and waited for by our own waiter.
//
// PMIx_Fence would block inside libpmix without a deadline and without a chance to look whether
// anybody is missing. The state outlives this object for as long as libpmix may still call back.
#pragma once

#include "runtime/base/doorbell.h"
#include "runtime/base/result.h"

#include <memory>

namespace canopy {

class PmixFence {
 public:
  enum class Data : bool { none, collect };

  // Posts the fence. With Data::collect, what every PE has committed is everywhere when it is done.
  // `who` is for the error sentence.
  static Result<PmixFence> post(Data data, std::string_view who);

  bool done() const;
  Doorbell& bell();  // rings (process scope) when done() turns true
  // PMIX_SUCCESS or libpmix's error. REQUIRES: done().
  int status() const;

 private:
  struct State;
  explicit PmixFence(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace canopy
