#!/bin/bash
# faults.sh PROGRAM FAULT: runs the fault and checks exit code, sentence, time, and what stays behind.
set -u
program=$1
fault=$2
mpirun=$(dirname "$0")/../../support/mpirun.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Files of ours in /dev/shm beside the host table, which stays.
ours() { ls /dev/shm 2>/dev/null | grep -i canopy | grep -v "^canopy-$(id -u)\$" | sort; }
run() {
  local n=$1
  shift
  before=$(ours)
  start=$(date +%s%N)
  "$mpirun" "$n" "$@" >"$log" 2>&1
  code=$?
  elapsed=$((($(date +%s%N) - start) / 1000000))
  [ $code -eq 77 ] && exit 77
}
fail() {
  echo "$fault: $1 (exit code $code after $elapsed ms); output:"
  cat "$log"
  exit 1
}
ends() { # CODE or "nonzero"
  if [ "$1" = nonzero ]; then
    [ $code -ne 0 ] || fail "should end with a failure"
  else
    [ $code -eq "$1" ] || fail "should end with $1"
  fi
  [ $elapsed -lt 5000 ] || fail "should end within 5 s"
}
says() { grep -Eq "$1" "$log" || fail "should say '$1'"; }
says_once() { [ "$(grep -Ec "$1" "$log")" -eq 1 ] || fail "should say '$1' exactly once"; }

case $fault in
  killed | killed_in_barrier)
    run 4 "$program" "$fault"
    ends nonzero
    says_once "died without finalize"
    says "PE [13] \(pid [0-9]+ on host"
    [ "$before" = "$(ours)" ] || fail "should leave nothing but the host table in /dev/shm"
    if pgrep -f "^$program $fault" >/dev/null; then fail "should leave no process"; fi
    ;;
  global_exit)
    run 3 "$program" "$fault"
    ends 7
    says "flushed"
    ;;
  exit_without_finalize)
    run 3 "$program" "$fault"
    ends 0
    ;;
  exit_with_failure)
    run 3 "$program" "$fault"
    ends nonzero
    says "pe 1 on host $(hostname) ended with exit status 3 before finalize"
    ;;
  left_early)
    run 2 "$program" "$fault"
    ends nonzero
    says "waits in barrier_all for PE 1, which has finalized or ended already"
    ;;
  unequal_malloc)
    run 3 "$program" "$fault"
    ends nonzero
    says "pe 1 asked for shmem_malloc\(1000\), pe 0 for shmem_malloc\(2000\)"
    ;;
  forked_child)
    run 2 "$program" "$fault"
    ends 0
    says "shmem_long_p was called in a forked child"
    ;;
  forked_setup)
    run 2 "$program" "$fault"
    ends 0
    says "finalize in a forked child of PE 0"
    says "init in a forked child of PE 1"
    ;;
  too_long)
    run 2 "$program" "$fault"
    ends nonzero
    says "shmem_putmem: .* elements of 1 bytes at .* reach past the end of the symmetric heap"
    ;;
  heap_too_large)
    export SHMEM_SYMMETRIC_SIZE=100t
    run 2 "$program" none
    ends nonzero
    says "SHMEM_SYMMETRIC_SIZE.* for each of 2 PEs .* are available"
    ;;
  heap_malformed)
    export SHMEM_SYMMETRIC_SIZE=12q
    run 2 "$program" none
    ends nonzero
    says "SHMEM_SYMMETRIC_SIZE='12q' is not a size"
    ;;
  heap_beyond_dev_shm)
    # Heaps are memfds: the size of /dev/shm (64 MiB in containers) does not bound them.
    export SHMEM_SYMMETRIC_SIZE=512m SHMEM_INFO=1
    run 2 "$program" none
    ends 0
    says "now 536870912"
    ;;
  *)
    echo "no such fault: $fault"
    exit 2
    ;;
esac
exit 0
