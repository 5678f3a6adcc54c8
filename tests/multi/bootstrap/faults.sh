#!/bin/bash
# faults.sh PROGRAM CASE: one PE of a job misbehaves; checks mpirun's exit status, what was said, and
# that within 5 s no process of the job is left.
set -u
program=$1
fault=$2
here=$(cd "$(dirname "$0")" && pwd)
mpirun=$here/../../support/mpirun.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/canopy-faults-$$-XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED $fault: $*"
  echo "--- output of the job:"
  cat "$work/out"
  exit 1
}

# Runs N processes of COMMAND..., sets $status and $elapsed_ms.
run_job() {
  local begin
  begin=$(date +%s%N)
  "$mpirun" "$@" >"$work/out" 2>&1
  status=$?
  elapsed_ms=$((($(date +%s%N) - begin) / 1000000))
}
expect_status() { [ "$status" -eq "$1" ] || fail "exit status $status, expected $1"; }
expect_failure() {
  [ "$status" -ne 0 ] && [ "$status" -ne 124 ] || fail "exit status $status, expected a failure"
}
expect_said() {
  local count
  count=$(grep -c -E -- "$1" "$work/out")
  [ "$count" -eq "${2:-1}" ] || fail "said $count times, expected ${2:-1}: $1"
}
# At least one line has $1, and each that has it has $2 as well. (The first to fail ends the others.)
expect_said_only() {
  grep -q -E -- "$1" "$work/out" || fail "not said: $1"
  ! grep -E -- "$1" "$work/out" | grep -q -v -E -- "$2" || fail "said without: $2"
}
# The job's start is the earliest time at which a PE can have ended.
expect_quick() { [ "$elapsed_ms" -le 5000 ] || fail "the job took $elapsed_ms ms to end"; }
expect_nobody_left() {
  local tag=$1 left
  left=$(grep -lsz -x -- "CANOPY_TEST_TAG=$tag" /proc/[0-9]*/environ | wc -l)
  [ "$left" -eq 0 ] || fail "$left processes are left"
}

# Only the processes of the job carry the tag: it is given by env behind mpirun.
tag=faults-$$
tagged=(env "CANOPY_TEST_TAG=$tag" "CANOPY_TEST_GATE=$work/gate")
case $fault in
  abort)
    run_job 3 "${tagged[@]}" "$program" abort 1
    expect_status 42
    expect_said 'pe 1 of 3 ends the job with status 42: for the test' ;;
  abort_zero)
    run_job 3 "${tagged[@]}" "$program" abort_zero 1
    expect_status 0 ;;
  abort_ignored)  # processes that ignore SIGTERM are killed
    run_job 3 "${tagged[@]}" sh -c "trap '' TERM; exec '$program' abort 1"
    expect_status 42 ;;
  exit_before_join)
    run_job 4 "${tagged[@]}" "$program" exit_zero 2
    expect_failure
    expect_said "pe 2 of 4 on $(hostname) ended before it joined the job" ;;
  exit_before_join_first)  # the one that would speak is the one that is gone
    run_job 3 "${tagged[@]}" "$program" exit_zero 0
    expect_failure
    expect_said "pe 0 of 3 on $(hostname) ended before it joined the job" ;;
  exit_before_join_wrapped)
    run_job 3 "${tagged[@]}" CANOPY_TEST_WRAPPED=1 sh -c "'$program' exit_zero 1; exit \$?"
    expect_failure
    expect_said "pe 1 of 3 on $(hostname) ended before it joined the job" ;;
  exit_before_join_ignored)
    run_job 3 "${tagged[@]}" sh -c "trap '' TERM; exec '$program' exit_zero 1"
    expect_failure
    expect_said "pe 1 of 3 on $(hostname) ended before it joined the job" ;;
  exit_after_a_life | exit_after_three_lives)  # three: they wait in shared memory
    run_job 3 "${tagged[@]}" "$program" $fault 1
    expect_failure
    expect_said "pe 1 of 3 on $(hostname) ended before it joined the job" ;;
  exit_with_failure)  # mpirun itself ends the job
    run_job 3 "${tagged[@]}" "$program" exit_seven 1
    expect_status 7 ;;
  killed | killed_in_third_life)
    run_job 3 "${tagged[@]}" "$program" $fault 1
    expect_status 137 ;;
  launcher_killed)  # nobody can say it: the PEs' output went through mpirun
    run_job 3 "${tagged[@]}" "$program" launcher_killed 1
    expect_status 137
    for _ in $(seq 50); do
      grep -lsqz -x -- "CANOPY_TEST_TAG=$tag" /proc/[0-9]*/environ || break
      sleep 0.1  # theirs is the time to notice
    done ;;
  late | late_in_third_life)
    CANOPY_TIMEOUT=2 run_job 3 "${tagged[@]}" "$program" $fault 1
    expect_status 3
    expect_said_only 'barrier did not complete' 'within [0-9]+ s; not there: pe 1$' ;;
  *)
    echo "faults.sh: no case $fault" >&2
    exit 2 ;;
esac
[[ $fault == late* ]] || expect_quick
expect_nobody_left "$tag"
echo "$fault: OK (exit status $status, $elapsed_ms ms)"
