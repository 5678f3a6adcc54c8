#!/bin/bash
# run.sh PROGRAM CASE PES SENTENCE [always]: under SHMEM_DEBUG=1 (and, always, without) the case with its mistake
# ends with a status that is not 0 and says SENTENCE and the caller; the same program without the mistake ends
# with 0, and says nothing of the kind.
set -u
program=$1
case=$2
pes=$3
sentence=$4
modes=debug${5:+ always}
mpirun=$(dirname "$0")/../support/mpirun.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# mpirun asks what is left of a failed job to go, waits a second, and again, before it kills. Here it kills at once:
# what a PE has said by then is in the log, which it writes itself.
export OMPI_MCA_odls_base_sigkill_timeout=0
# A wait gives up soon, and on a machine that was too busy to get to the wait at all by then, later.
case $case in wait_*) limits="1 3 8" ;; *) limits=0 ;; esac

fail() {
  echo "$case with $pes PEs: $1 (exit status $code); output:"
  cat "$log"
  exit 1
}

# job wrong|right LIMIT: sets $code. PE 0 is the one that gives up after LIMIT seconds, if not 0; the others, which
# wait as well, if only in finalize, have a minute, so that it is not luck who speaks.
job() {
  : >"$log"
  # shellcheck disable=SC2016  # expanded by each PE
  "$mpirun" "$pes" sh -c 'exec >>"$1" 2>&1
    [ "$4" = 0 ] || export CANOPY_TIMEOUT="$4"
    [ "$4" = 0 ] || [ "${OMPI_COMM_WORLD_RANK:-0}" = 0 ] || export CANOPY_TIMEOUT=60
    exec "$0" "$2" "$3"' "$program" "$log" "$case" "$1" "$2" >>"$log" 2>&1
  code=$?
  if [ $code -eq 77 ]; then exit 77; fi
}

for mode in $modes; do
  if [ $mode = debug ]; then export SHMEM_DEBUG=1; else unset SHMEM_DEBUG; fi
  for limit in $limits; do
    job wrong "$limit"
    if grep -Eq "^canopy.*$sentence" "$log"; then break; fi
  done
  [ $code -ne 0 ] || fail "should end with a failure ($mode)"
  grep -Eq "^canopy.*$sentence" "$log" || fail "should say '$sentence' ($mode)"
  grep -E "^canopy.*$sentence" "$log" | grep -Eq "\(called from (.*, )?$(basename "$program")\+0x[0-9a-f]+\)" ||
    fail "should name the caller ($mode)"
  if grep -Eq "(pe [0-9]+): \1" "$log"; then fail "should say who speaks once ($mode)"; fi
  if grep -q survived "$log"; then fail "should not get to its end ($mode)"; fi
done

export SHMEM_DEBUG=1
job right 0
[ $code -eq 0 ] || fail "should pass without the mistake"
grep -q survived "$log" || fail "should get to its end without the mistake"
if grep -q "called from" "$log"; then fail "should complain of nothing"; fi
if grep -q "no current context" "$log"; then fail "should not speak of what the program has not asked for"; fi
exit 0
