#!/bin/bash
# run.sh PROGRAM CASE PES SENTENCE [always]: under SHMEM_DEBUG=1 (and, always, without) the case with its mistake
# ends with a status that is not 0 and says SENTENCE and the caller; the same program without the mistake ends
# with 0, and says nothing of the kind.
set -u
CANOPY_PATH=${CANOPY_PATH:-}
CANOPY_PES_PER_HOST=${CANOPY_PES_PER_HOST:-}
program=$1
case=$2
pes=$3
sentence=$4
modes=debug${5:+ always}
mpirun=$(dirname "$0")/../support/mpirun.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Long enough for a busy machine to get to the wait at all; over libfabric connections are made meanwhile.
case $case in wait_*) export CANOPY_TIMEOUT=$((${#CANOPY_PATH} + ${#CANOPY_PES_PER_HOST} > 0 ? 8 : 3)) ;; esac

fail() {
  echo "$case with $pes PEs: $1 (exit status $code); output:"
  cat "$log"
  exit 1
}

for mode in $modes; do
  if [ $mode = debug ]; then export SHMEM_DEBUG=1; else unset SHMEM_DEBUG; fi
  "$mpirun" "$pes" "$program" "$case" wrong >"$log" 2>&1
  code=$?
  [ $code -eq 77 ] && exit 77
  [ $code -ne 0 ] || fail "should end with a failure ($mode)"
  grep -Eq "^canopy.*$sentence" "$log" || fail "should say '$sentence' ($mode)"
  grep -E "^canopy.*$sentence" "$log" | grep -Eq "\(called from (.*, )?$(basename "$program")\+0x[0-9a-f]+\)" ||
    fail "should name the caller ($mode)"
  if grep -q survived "$log"; then fail "should not get to its end ($mode)"; fi
done

export SHMEM_DEBUG=1
unset CANOPY_TIMEOUT
"$mpirun" "$pes" "$program" "$case" right >"$log" 2>&1
code=$?
[ $code -eq 0 ] || fail "should pass without the mistake"
grep -q survived "$log" || fail "should get to its end without the mistake"
if grep -q "called from" "$log"; then fail "should complain of nothing"; fi
exit 0
