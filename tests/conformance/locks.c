/* §9.13 Distributed locking. */
#include "conformance.h"

/* Plain loads and stores of a sum on PE 0, which the lock alone keeps apart. */
static void add_one(long* sum) { shmem_long_p(sum, shmem_long_g(sum, 0) + 1, 0); }

void chapter_locks(void) {
  enum { kRounds = 10 };
  long* locks = (long*)block;
  long* sums = locks + 2;
  for (int round = 0; round < kRounds; ++round) {
    shmem_set_lock(locks + round % 2);
    add_one(sums + round % 2);
    shmem_clear_lock(locks + round % 2);
  }
  for (int done = 0; done < kRounds;) {
    if (shmem_test_lock(locks) == 0) {
      add_one(sums);
      shmem_clear_lock(locks);
      ++done;
    }
  }
  shmem_barrier_all();
  if (me == 0)
    CHECK("§9.13: one at a time",
          sums[0] + sums[1] == 2L * kRounds * n && sums[1] == (kRounds / 2) * n);
  if (me == 0) CHECK("§9.13.3: 0 when it takes the lock", shmem_test_lock(locks) == 0);
  shmem_barrier_all();
  CHECK("§9.13.3: 1 while it is held", shmem_test_lock(locks) == 1);
  shmem_barrier_all();
  if (me == 0) shmem_clear_lock(locks);
}
