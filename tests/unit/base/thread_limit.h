// ThreadLimit: a system that gives this process no more threads, from the k-th on or for the k-th alone. A program with
// thread_limit.cc has a pthread_create of its own, which all its libraries call.
#pragma once

namespace canopy::test {

class ThreadLimit {
 public:
  // The next thread is number 1. Any thread may ask for threads meanwhile.
  static void refuse_from(int number) { set(number, false); }
  static void refuse_only(int number) { set(number, true); }
  static void lift() { set(0, false); }
  // How many threads were asked for since the last of these.
  static int asked();

 private:
  static void set(int number, bool only);
};

}  // namespace canopy::test
