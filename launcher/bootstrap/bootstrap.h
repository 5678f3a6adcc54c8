// Bootstrap: introduces the PEs of a job to each other, before any of our own connections exist.
//
// One object per World. Only the thread that owns the World calls it; the calls are collective over
// the job unless said otherwise. Every wait has a deadline and names who is missing.
#pragma once

#include "runtime/base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace canopy {

class Bootstrap {
 public:
  virtual ~Bootstrap() = default;

  virtual int pe() const = 0;
  virtual int n_pes() const = 0;
  virtual std::string_view kind() const = 0;  // "pmix", "single", "threads"

  // Gives every PE the cards of all PEs, in PE order. A card is a short byte string (may hold NULs).
  virtual Result<std::vector<std::string>> exchange(std::string_view card) = 0;
  // Returns when all PEs have called it.
  virtual Result<> barrier() = 0;
  // Ends the whole job with `status`; not collective. Returns at most after a grace period in which
  // the launcher did not end this process: the caller then exits by itself.
  virtual void abort(int status, std::string_view reason) = 0;
  // Leaves the job in order; collective. Idempotent.
  virtual Result<> finalize() = 0;

  // PMIx when a launcher offers it, otherwise a job of one. CANOPY_BOOTSTRAP=pmix|single overrides.
  static Result<std::unique_ptr<Bootstrap>> create();
};

}  // namespace canopy
