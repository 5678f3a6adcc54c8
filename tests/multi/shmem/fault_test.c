/* One program, one fault per argument: what shmem does when a PE does not behave. faults.sh judges.
 */
#include <shmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char* fault = argc > 1 ? argv[1] : "";
  shmem_init();
  const int me = shmem_my_pe();
  const int n = shmem_n_pes();
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
  } else if (strcmp(fault, "too_long") == 0) {
    shmem_putmem(word, word, (size_t)-1, 0);
  }
  shmem_finalize();
  return 0;
}
