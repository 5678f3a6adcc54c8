#!/bin/bash
# job.sh PROGRAM CASE [RANKS]: runs allgather_matmul as a job and checks its exit status, what it says, how
# long a failing job takes to go, and that nothing of it is left in /dev/shm.
set -u
program=$1
case=$2
here=$(cd "$(dirname "$0")" && pwd)
mpirun=$here/../../support/mpirun.sh
data=$here/../../../examples/allgather_matmul/data/digits.npy
work=$(mktemp -d "${TMPDIR:-/tmp}/canopy-job-$$-XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED $case: $*"
  [ -f "$work/out" ] && cat "$work/out"
  exit 1
}
skip() {
  echo "skipped: $*"
  exit 77
}
command -v "${CANOPY_MPIRUN:-mpirun}" >/dev/null || skip "there is no mpirun here"

# Files in /dev/shm that would be this user's and ours: all but the host table, which is meant to stay.
left_in_shm() {
  find /dev/shm -maxdepth 1 -uid "$(id -u)" -name '*canopy*' ! -name 'canopy-[0-9]*' \
    ! -name 'canopy-test-*' | sort
}
shm_before=$(left_in_shm)
expect_clean_shm() {
  [ "$(left_in_shm)" = "$shm_before" ] || fail "left in /dev/shm: $(left_in_shm | tr '\n' ' ')"
}

# job RANKS ARGS...: sets $status and $elapsed_ms.
job() {
  local n=$1 begin
  shift
  begin=$(date +%s%N)
  "$mpirun" "$n" "$program" "$@" >"$work/out" 2>&1
  status=$?
  elapsed_ms=$((($(date +%s%N) - begin) / 1000000))
}
expect_right() {
  [ "$status" -eq 0 ] || fail "exit status $status of: $*"
  grep -q '^check: .* agree with the plain reference' "$work/out" || fail "no check: $*"
  grep -q 'issued by blocks of kernels; host-issued = 0$' "$work/out" || fail "no counter: $*"
}
# A mistake is said once, names what is wrong, ends with a status that is not 0, and soon.
expect_sentence() {
  [ "$status" -ne 0 ] && [ "$status" -ne 124 ] || fail "exit status $status, expected a failure: $1"
  [ "$(grep -c -F -- "$1" "$work/out")" -eq 1 ] || fail "not said once: $1"
  [ "$elapsed_ms" -le 5000 ] || fail "the job took $elapsed_ms ms to end"
  expect_clean_shm
}

# npy FILE DESCR SHAPE DATA_BYTES: a .npy file of zeros.
npy() {
  local text
  text="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
  printf '\223NUMPY\001\000%b%s' "$(printf '\\x%02x\\x00' ${#text})" "$text" >"$1"
  head -c "$4" /dev/zero >>"$1"
}

case $case in
  shapes)
    n=$3
    # M, K, N, and further arguments: 1 x 1, one row, one column, K = 1, fewer rows than ranks, primes,
    # a tile of one element, more blocks than cores, one block.
    while read -r m k columns more; do
      # shellcheck disable=SC2086  # several arguments are meant
      job "$n" --m "$m" --k "$k" --n "$columns" --repeat 2 $more
      expect_right "$m x $k x $columns $more on $n"
    done <<'SHAPES'
1 1 1
1 1 301 --tile 7
211 13 1 --blocks 100
3 1 2 --tile 1
2 300 5
97 101 103 --tile 16
131 64 257 --blocks 1
64 32 64 --tile 100000
SHAPES
    expect_clean_shm
    ;;
  same_result)
    # The digits are small integers: every order of summation gives the same bits.
    for n in 1 3 4; do
      job "$n" --a "$data" --b "$data" --transpose-b --out "$work/C$n.npy" --repeat 1
      expect_right "digits on $n"
      cmp "$work/C1.npy" "$work/C$n.npy" || fail "C of $n ranks differs from that of one"
    done
    grep -q 'max error 0$' "$work/out" || fail "integers must be exact"
    ;;
  many_executors)
    # As on a machine with more cores: several blocks of a rank multiply at once.
    CANOPY_EXECUTORS=4 job 4 --a "$data" --b "$data" --transpose-b --repeat 5
    expect_right "digits, 4 executors per rank"
    CANOPY_EXECUTORS=4 job 1 --m 500 --k 500 --n 500 --repeat 10
    expect_right "one rank, 4 executors"
    ;;
  mistakes)
    npy "$work/double.npy" '<f8' '(2, 3)' 48
    npy "$work/empty.npy" '<f4' '(0, 3)' 0
    npy "$work/line.npy" '<f4' '(6,)' 24
    npy "$work/short.npy" '<f4' '(2, 3)' 23
    npy "$work/good.npy" '<f4' '(2, 3)' 24
    echo "no matrix" >"$work/text.npy"
    while read -r name sentence; do
      job 4 --a "$work/$name.npy" --b "$work/good.npy"
      expect_sentence "$work/$name.npy: $sentence"
    done <<'SENTENCES'
double its elements are '<f8', only fp32
empty is empty (0 x 3)
line has 1 dimension(s), a matrix has 2
short is truncated, 2 x 3 needs 24 bytes of data and 23 are there
text is no .npy file
missing cannot be opened: No such file or directory
SENTENCES
    job 3 --a "$work/good.npy" --b "$work/good.npy"
    expect_sentence 'A is 2 x 3 and B is 2 x 3; the columns of A (3) must be as many as the rows of B (2)'
    job 2 --device 9999
    expect_sentence '--device 9999: host'
    job 2 --out "$work/no/such/folder/C.npy"
    expect_sentence "$work/no/such/folder/C.npy: cannot be written"
    job 2 --out ''
    expect_sentence 'the name of the file is empty'
    job 2 --out "$work"
    expect_sentence "$work: cannot be written: Is a directory"
    job 2 --m -1
    expect_sentence 'must not be negative'
    mkfifo "$work/pipe.npy"
    job 2 --a "$work/pipe.npy" --b "$work/good.npy"
    expect_sentence "$work/pipe.npy: is not a regular file"
    job 2 --colour
    expect_sentence 'The following argument was not expected: --colour'
    ;;
  memory)
    export CANOPY_HOST_TABLE=$work/table # the ranks say alike what is free: no other job takes any
    job 4 --m 100000 --k 100000 --n 100000
    expect_sentence 'too little memory: A and a column block of C need 47684.0 MiB of symmetric heap'
    job 4 --m 60000 --k 60000 --n 60000
    expect_sentence 'too little memory: each rank needs'
    job 2 --m 10000000000000 --k 10000000000000 --n 2
    expect_sentence 'overflow 64 bits'
    ;;
  timeline)
    job 3 --m 100 --k 50 --n 60 --timeline "$work/t.json" --repeat 1
    expect_right timeline
    for rank in 0 1 2; do
      grep -q "\"rank $rank on " "$work/t.json" || fail "rank $rank is not in the timeline"
    done
    for span in 'push tile' 'multiply tile' 'fused'; do
      grep -q "\"name\":\"$span\"" "$work/t.json" || fail "no '$span' in the timeline"
    done
    [ "$(find "$work" -name '*.part' | wc -l)" -eq 0 ] || fail "parts of the timeline are left"
    ;;
  killed)
    mkfifo "$work/said"
    "$mpirun" 4 "$program" --m 500 --repeat 1000000 >"$work/said" 2>&1 &
    wrapper=$!
    exec 3<"$work/said"
    read -r line <&3 # the heading: all ranks have joined and have their heaps
    ranks=$(pgrep -P "$(pgrep -P "$wrapper")")
    victim=$(echo "$ranks" | sed -n 3p)
    [ -n "$victim" ] || fail "no third rank after: $line"
    begin=$(date +%s%N)
    kill -9 "$victim"
    cat <&3 >"$work/out" # until the last writer has gone
    wait "$wrapper"
    status=$?
    elapsed_ms=$((($(date +%s%N) - begin) / 1000000))
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ] || fail "exit status $status"
    grep -q "pid $victim on host .* died" "$work/out" || fail "nobody named process $victim"
    [ "$elapsed_ms" -le 5000 ] || fail "the job took $elapsed_ms ms to end"
    # mpirun does not wait for the last of its children to be torn down; a zombie is gone, too.
    for pid in $ranks; do
      while [ -e "/proc/$pid" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
        [ $((($(date +%s%N) - begin) / 1000000)) -le 5000 ] || fail "process $pid is left after 5 s"
        sleep 0.05
      done
    done
    expect_clean_shm
    ;;
  missing_rank)
    # mpirun 4.1.4, if it sees the end of rank 3 between the other ranks' joining, ends the job within
    # milliseconds, and one time in six its own message is lost: then nobody was left to say anything.
    for _ in 1 2 3 4 5 6; do
      begin=$(date +%s%N)
      "$mpirun" 3 "$program" : -n 1 true >"$work/out" 2>&1
      status=$?
      elapsed_ms=$((($(date +%s%N) - begin) / 1000000))
      [ -s "$work/out" ] && break
    done
    # Which of the two speaks depends on who sees it first: mpirun when the others have joined already.
    if grep -q 'pe 3 of 4 on' "$work/out"; then
      expect_sentence 'pe 3 of 4 on'
    else
      expect_sentence 'process rank 3 with'
    fi
    ;;
  small_shm | loopback_only)
    if [ -z "${CANOPY_TEST_INSIDE:-}" ]; then
      unshare -rmn true 2>/dev/null || skip "no namespaces here"
      # Inside, an ordinary user seems to be root: mpirun's session folder of root is not his.
      CANOPY_TEST_INSIDE=1 TMPDIR=$work unshare -rmn "$0" "$program" "$case"
      exit # not exec: this shell removes the folder, whatever happened inside
    fi
    if [ "$case" = small_shm ]; then
      mount -t tmpfs -o size=64m none /dev/shm || skip "no tmpfs can be mounted here"
      shm_before=$(left_in_shm)
    fi
    ip link set lo up || skip "the loopback interface cannot be brought up"
    job 4 --m 2000 --k 1500 --n 1000 --repeat 1
    expect_right "$case"
    expect_clean_shm
    ;;
  *)
    fail "unknown case"
    ;;
esac
echo "passed: $case ${3:-}"
