/* loss_test WHAT [VICTIM] [MS]: every PE does WHAT to a PE half the job away, again and again, until
 * something happens to one of them; hosts.sh judges what is said then.
 *
 *   put get amo wait barrier   what is done
 *   init                       the victim dies before it joins; without one, PE 0 comes 2 s late
 *   finalize                   the victim dies while the others leave; without one, the last PE leaves 4 s late
 *   VICTIM                     this PE kills itself once others have reached it (-1: nobody)
 *   MS                         so long without a loss, and the job ends with a check of what was done
 *
 * PE 0 says "busy" when all are under way, the victim when it dies. */
#include <shmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(void) {
  fprintf(stderr, "victim %d dies at %ld\n", shmem_my_pe(), now_ms());
  raise(SIGKILL);
}

static void busy(void) {
  printf("busy\n");
  fflush(stdout);
}

/* Somebody who comes late, while something happens to the others. */
static void late(long seconds) { nanosleep(&(struct timespec){.tv_sec = seconds}, NULL); }

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  const int victim = argc > 2 ? atoi(argv[2]) : -1;
  const long ms = argc > 3 ? atol(argv[3]) : 3600 * 1000L;
  const char* rank_text = getenv("OMPI_COMM_WORLD_RANK"); /* there is no PE number before init */
  const int rank = rank_text != NULL ? atoi(rank_text) : -1;
  if (strcmp(what, "init") == 0) {
    if (rank == victim) {
      fprintf(stderr, "victim %d dies at %ld\n", rank, now_ms());
      raise(SIGKILL);
    }
    if (rank == 0 && victim < 0) {
      busy();
      late(2);
    }
    shmem_init();
    shmem_barrier_all();
    if (shmem_my_pe() == 0) printf("OK: 1 round\n");
    shmem_finalize();
    return 0;
  }
  shmem_init();
  const int me = shmem_my_pe();
  const int n = shmem_n_pes();
  const int there = (me + (n + 1) / 2) % n;
  /* hits: by others, at this PE; over: PE 0 has had enough. */
  long* hits = shmem_calloc(1, sizeof *hits);
  long* word = shmem_calloc(1, sizeof *word);
  long* over = shmem_calloc(1, sizeof *over);
  long* total = shmem_calloc(1, sizeof *total);
  const long end = now_ms() + ms;
  long rounds = 0;
  const int together = strcmp(what, "barrier") == 0 || strcmp(what, "wait") == 0;

  if (strcmp(what, "finalize") == 0) {
    if (me == victim) die();
    shmem_barrier_all();
    if (me == 0) busy();
    if (victim < 0 && me == n - 1) late(4);
    shmem_finalize();
    if (me == 0) printf("OK: 1 round\n");
    return 0;
  }
  /* Everybody has reached its target once: from here on a loss is that of a connection. */
  shmem_long_p(word, 0, there);
  (void)shmem_long_g(word, there);
  shmem_barrier_all();
  while (*(volatile long*)over == 0) {
    ++rounds;
    if (strcmp(what, "put") == 0) {
      shmem_long_p(word, rounds, there);
      shmem_quiet();
    } else if (strcmp(what, "get") == 0) {
      (void)shmem_long_g(word, there);
    } else if (strcmp(what, "amo") == 0) {
      (void)shmem_long_atomic_fetch_add(word, 1, there);
    } else if (strcmp(what, "wait") == 0) {
      shmem_long_atomic_inc(word, there);
      shmem_long_wait_until(word, SHMEM_CMP_GE, rounds);
    } else if (strcmp(what, "barrier") == 0) {
      shmem_barrier_all();
    } else {
      fprintf(stderr, "loss_test: %s is nothing to do\n", what);
      shmem_global_exit(2);
    }
    shmem_long_atomic_inc(hits, there);
    if (me == 0 && rounds == 20) busy();
    if (me == victim && *(volatile long*)hits >= 50) die();
    /* Those who wait for each other stop after the same round: PE 0 tells it before they meet. */
    if (me == 0 && now_ms() >= end) {
      for (int pe = n - 1; pe >= 0; --pe) {
        shmem_long_p(over, rounds, pe);
      }
      shmem_quiet();
    }
    if (together) shmem_barrier_all();
  }
  shmem_long_atomic_add(total, rounds, there);
  shmem_barrier_all();
  /* Nothing was lost: as often as the others did it, so often it arrived. */
  const long theirs = *total;
  if (*hits != theirs || (strcmp(what, "amo") == 0 && *word != theirs)) {
    fprintf(stderr, "PE %d was hit %ld times, its word %ld times, but %ld rounds were done to it\n",
            me, *hits, *word, theirs);
    shmem_global_exit(3);
  }
  shmem_barrier_all();
  if (me == 0) printf("OK: %ld rounds\n", rounds);
  shmem_finalize();
  return 0;
}
