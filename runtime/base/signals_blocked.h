// SignalsBlocked: while it lives, the calling thread takes no signals, and neither ever does a thread that it
// starts: the program's signals are for the program's own threads.
//
//   SignalsBlocked blocked;
//   thread_ = std::jthread(...);  // if this throws, the caller's mask comes back all the same
#pragma once

#include <pthread.h>
#include <signal.h>

#include <initializer_list>

namespace canopy {

class SignalsBlocked {
 public:
  // All but `open`. Set, not added to what the caller blocks: what is to be open is.
  template <class Signals = std::initializer_list<int>>
  explicit SignalsBlocked(const Signals& open = {}) {
    sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int signal : open) {
      ::sigdelset(&blocked, signal);
    }
    ::pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace canopy
