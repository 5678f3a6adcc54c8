/* One program, one fault per argument: what shmem does when a PE does not behave. faults.sh judges.
 */
#include <shmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is wrong before anything is initialised. */
static void before_init(const char* fault) {
  int provided = -1;
  if (strcmp(fault, "wrong_level") == 0) {
    if (shmem_init_thread(99, &provided) == 0) exit(44);
    exit(0);
  } else if (strcmp(fault, "implicit_finalize") == 0) {
    start_pes(0);
    long* word_of_all = shmalloc(sizeof *word_of_all);
    *word_of_all = 0;
    shmem_barrier_all();
    shmem_long_inc(word_of_all, 0);
    shmem_barrier_all();
    if (shmem_long_fetch(word_of_all, 0) != _num_pes()) shmem_global_exit(44);
    exit(0);
  }
}

/* §9.1: after the last finalize the library may be initialised again. */
static void again(void) {
  for (int round = 0; round < 100; ++round) {
    int initialized = 1, provided = -1;
    shmem_finalize();
    shmem_query_initialized(&initialized);
    if (initialized) exit(44);
    if (shmem_init_thread(round % 4, &provided) != 0) exit(45);
    long* word = shmem_calloc(1, sizeof *word);
    shmem_long_atomic_inc(word, 0);
    shmem_barrier_all();
    if (shmem_long_g(word, 0) != shmem_n_pes()) shmem_global_exit(46);
    shmem_barrier_all();
  }
}

static void forked_context(long* word) {
  shmem_ctx_t ctx;
  if (shmem_ctx_create(0, &ctx) != 0) shmem_global_exit(44);
  if (fork() == 0) {
    shmem_ctx_long_p(ctx, word, 1, 0);
    _exit(42);
  }
  sleep(1); /* for the child's sentence only */
}

int main(int argc, char** argv) {
  const char* fault = argc > 1 ? argv[1] : "";
  before_init(fault);
  shmem_init();
  const int me = shmem_my_pe();
  const int n = shmem_n_pes();
  if (strcmp(fault, "nothing_sent") == 0) {
    shmem_finalize();
    return 0;
  }
  long* word = shmem_calloc(4, sizeof *word);

  if (strcmp(fault, "killed") == 0) {
    if (me == 1) {
      fprintf(stderr, "victim pid %d\n", (int)getpid());
      raise(SIGKILL);
    }
    shmem_long_wait_until(word, SHMEM_CMP_NE, 0); /* never comes */
  } else if (strcmp(fault, "killed_in_barrier") == 0) {
    if (me == n - 1) {
      raise(SIGKILL);
    }
    shmem_barrier_all();
  } else if (strcmp(fault, "global_exit") == 0) {
    if (me == 1) {
      printf("flushed");
      shmem_global_exit(7);
    }
    shmem_barrier_all();
  } else if (strcmp(fault, "exit_without_finalize") == 0) {
    exit(0); /* all do: implicit finalization */
  } else if (strcmp(fault, "exit_with_failure") == 0) {
    if (me == 1) {
      exit(3);
    }
    shmem_barrier_all();
  } else if (strcmp(fault, "left_early") == 0) {
    if (me == 1) {
      shmem_finalize();
      return 0;
    }
    shmem_barrier_all();
  } else if (strncmp(fault, "left_by_", 8) == 0) { /* the collective that the others are in */
    long* sync = shmem_calloc(SHMEM_SYNC_SIZE, sizeof *sync);
    if (me == 1) {
      shmem_finalize();
      return 0;
    }
    if (strcmp(fault, "left_by_team_sync") == 0) shmem_team_sync(SHMEM_TEAM_WORLD);
    if (strcmp(fault, "left_by_broadcast") == 0) shmem_long_broadcast(SHMEM_TEAM_WORLD, word, word, 1, 1);
    if (strcmp(fault, "left_by_active_set") == 0) shmem_sync(0, 0, shmem_n_pes(), sync);
  } else if (strcmp(fault, "unequal_malloc") == 0) {
    shmem_malloc(me == 1 ? 1000 : 2000);
  } else if (strcmp(fault, "forked_child") == 0) {
    if (fork() == 0) {
      shmem_long_p(word, 1, 0);
      _exit(42);
    }
    sleep(1); /* for the child's sentence only */
  } else if (strcmp(fault, "forked_setup") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      int open = 1;
      shmem_query_initialized(&open);
      if (open) _exit(42);
      shmem_finalize(); /* says so, and returns */
      shmem_init();     /* says so, and ends the child */
      _exit(43);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != (1 << 8)) shmem_global_exit(44);
  } else if (strcmp(fault, "killed_with_lock") == 0 || strcmp(fault, "left_with_lock") == 0) {
    if (me == 1) shmem_set_lock(word);
    shmem_barrier_all();
    if (me == 1 && strcmp(fault, "killed_with_lock") == 0) raise(SIGKILL);
    if (me == 0) shmem_set_lock(word); /* never comes */
  } else if (strcmp(fault, "again") == 0) {
    again();
  } else if (strcmp(fault, "forked_context") == 0) {
    forked_context(word);
  }
  shmem_finalize();
  return 0;
}
