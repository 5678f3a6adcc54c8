// Gate: what a stream hands itself over to until somebody gives it back.
//
// Each gate task is entered, or dropped, once. It is its owner's business that the gate lives until then.
#pragma once

namespace canopy {

class Strand;

class Gate {
 public:
  // The stream has got here. True: it goes on at once. After false the strand is the gate's, which
  // gives it back by Scheduler::submit(strand, true), on any thread, at once perhaps.
  virtual bool enter(Strand& strand) = 0;
  // Instead of enter(), when the task is dropped.
  virtual void drop() = 0;

 protected:
  ~Gate() = default;
};

}  // namespace canopy
