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
    # On one host, and between hosts. Every PE finds it out, one says so.
    for hosts in 0 1; do
      if [ $hosts = 1 ]; then export CANOPY_PES_PER_HOST=1; fi
      run 4 "$program" "$fault"
      ends 1
      says_once "waits in barrier_all for PE 1, which has finalized or ended already"
    done
    ;;
  nothing_sent)
    # Three hosts that send each other nothing need no network, for their end neither.
    export CANOPY_PES_PER_HOST=1 CANOPY_OFI_PLUGIN=/nonexistent/plugin
    run 3 "$program" "$fault"
    ends 0
    ;;
  left_by_*)
    # On one host, and between hosts. Every PE finds it out, one says so.
    for hosts in 0 1; do
      if [ $hosts = 1 ]; then export CANOPY_PES_PER_HOST=1; fi
      run 4 "$program" "$fault"
      ends 1
      says_once "pe [023] waits in shmem_[a-z_]+ for PE 1, which has finalized or ended already"
    done
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
  wrong_level)
    run 2 "$program" "$fault"
    ends 0
    says "shmem_init_thread: 99 is no thread level"
    ;;
  implicit_finalize | again)
    run 3 "$program" "$fault"
    ends 0
    ;;
  again_alone)
    before=$(ours)
    start=$(date +%s%N)
    "$program" again >"$log" 2>&1
    code=$?
    elapsed=$((($(date +%s%N) - start) / 1000000))
    ends 0
    ;;
  killed_with_lock)
    run 3 "$program" "$fault"
    ends nonzero
    says_once "died without finalize"
    ;;
  left_with_lock)
    run 2 "$program" "$fault"
    ends nonzero
    says "pe 0: shmem_set_lock: PE 1 has finalized with the lock at 0x[0-9a-f]+, for which this PE waits"
    ;;
  left_with_far_lock)
    export CANOPY_PES_PER_HOST=1
    run 2 "$program" left_with_lock
    ends nonzero
    says "pe 0: shmem_set_lock: PE 1 has finalized with the lock at"
    ;;
  forked_context)
    run 2 "$program" "$fault"
    ends 0
    says "shmem_ctx_long_p was called in a forked child"
    ;;
  variables)
    # The older names hold where the newer are not set.
    export SMA_VERSION=1 SMA_INFO=1 SMA_SYMMETRIC_SIZE=3.1M SHMEM_DEBUG=1
    run 2 "$program" none
    ends 0
    says_once "Canopy .*, OpenSHMEM 1\.6"
    says "SHMEM_SYMMETRIC_SIZE .*now 4194304" # granules of 2 MiB
    export SHMEM_SYMMETRIC_SIZE=20kk
    run 2 "$program" none
    ends 0
    says "SHMEM_SYMMETRIC_SIZE .*now 2097152"
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
