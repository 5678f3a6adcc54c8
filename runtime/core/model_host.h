// ModelHost: what the core asks of models, which lie above it and register here when the first is made.
// Called by host threads that hold no lock of the core's.
#pragma once

#include <cstdint>

namespace canopy {

class Strand;

class ModelHost {
 public:
  // The context is dead to all look-ups. Returns when its models have run what was queued, and are gone.
  virtual void close_context(void* context) = 0;
  // The tasks of `strand`, or the one at its head, are to be dropped: ends the run that it waits for, or
  // its wait for one.
  virtual void leave(Strand& strand) = 0;
  // Ends the runs of the device's models, and what is in line for one.
  virtual void abort_device(int device) = 0;

 protected:
  ~ModelHost() = default;
};

}  // namespace canopy
