#!/bin/bash
# killed.sh FABRIC_TEST: the lender is killed while others copy to and from its memory. The job ends with one
# report, and soon; nobody hangs, and no process stays behind.
set -u
program=$1
mpirun=$(dirname "$0")/../../support/mpirun.sh
log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() {
  echo "FAILED: $1; output:"
  cat "$log"
  exit 1
}

start=$SECONDS
CANOPY_TEST_TIMEOUT=30 "$mpirun" 3 "$program" 1 killed >"$log" 2>&1
status=$?
[ $status -ne 77 ] || exit 77
[ $status -ne 0 ] && [ $status -ne 124 ] || fail "exit status $status"
[ $((SECONDS - start)) -le 8 ] || fail "it took $((SECONDS - start)) s"
[ "$(grep -c '^canopy pe [0-9]*: .*the job ends' "$log")" -eq 1 ] || fail "not one report"
grep -q '^canopy pe [12]: PE 0 ' "$log" || fail "the report does not name PE 0"
if pgrep -f "^$program 1 killed" >/dev/null; then fail "processes are left"; fi
echo "the job ended with status $status"
