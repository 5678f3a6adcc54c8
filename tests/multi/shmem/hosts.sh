#!/bin/bash
# hosts.sh CANOPY LOSS_TEST CASE [PROGRAM...]: shmem across fake hosts. What is checked of a loss: one
# report and not more, who and where it names, how soon it comes, and that nothing hangs.
# shellcheck source=tests/cluster/with_cluster.sh
. "$(dirname "$0")/../../cluster/with_cluster.sh" "$1" "$2"
command -v mpirun >/dev/null || skip "no mpirun here"
case=$3
shift 3

# What PEs say on stderr goes to files of theirs: the launcher may pass it on a second late. The folder
# of the programs is one that every host sees.
said=$(mktemp -d "$(dirname "$probe")/said-XXXXXX")
chmod 755 "$said"
trap 'rm -rf "$work" "$said"' EXIT

# run SECONDS HOSTS N ARGUMENTS...: a job in the background.
run() {
  local limit=$1 hosts=$2 n=$3 list='' i
  shift 3
  for ((i = 0; i < hosts; ++i)); do list+="${list:+,}h$i:$(((n + hosts - 1) / hosts))"; done
  local options=()
  while [ "$1" = -x ]; do
    options+=(-x "$2")
    shift 2
  done
  rm -f "$said"/*
  # shellcheck disable=SC2016 # the PE's own rank
  timeout -k 1 "$limit" "$canopy" cluster mpirun --name "$name" -n "$n" --host "$list" \
    --oversubscribe "${options[@]}" \
    sh -c 'said=$1; shift; exec "$@" 2>"$said/$OMPI_COMM_WORLD_RANK"' sh "$said" "$@" \
    </dev/null >"$work/log" 2>&1 &
  job=$!
}
everything() { cat "$work/log" "$said"/* 2>/dev/null; }
finish() {
  wait "$job"
  status=$?
}
until_busy() { until_true 30 "the job is under way" grep -qx 'busy' "$work/log"; }
reports() { cat "$said"/* | grep -E '^canopy( pe [0-9]+)?: '; }
one_report() { # PATTERN...: one line in all, which has every pattern
  local pattern
  [ "$(reports | wc -l)" -eq 1 ] || fail "$(reports | wc -l) reports: $(everything)"
  for pattern in "$@"; do
    reports | grep -Eq "$pattern" || fail "the report does not say '$pattern': $(everything)"
  done
}
# late START_MS LIMIT_MS WHAT: how long after START the report was written, which is the last that its
# PE says.
late() {
  local file came
  file=$(grep -lE '^canopy( pe [0-9]+)?: ' "$said"/*)
  came=$(date -r "$file" +%s%3N)
  between $((came - $1)) 0 "$2" "$3, ms"
}
died_at() { cat "$said"/* | sed -n 's/^victim [0-9]* dies at //p'; }
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
# The host's PEs are gone, whatever the launcher does.
gone_from() { ! on "$1" pgrep -x "$(basename "$probe" | cut -c 1-15)" >/dev/null; }

case $case in
  programs)
    start 2
    for program in "$@"; do
      run 60 2 4 "$program"
      finish
      [ "$status" = 0 ] || fail "$program: $(everything)"
    done
    ;;
  dies_*)
    # dies_WHAT_WHO: one of two PEs of the second host; `leader` is the one that speaks for it.
    what=${case#dies_}
    victim=$([ "${what#*_}" = leader ] && echo 2 || echo 3)
    start 2
    run 40 2 4 "$probe" "${what%_*}" "$victim"
    finish
    [ "$status" != 0 ] || fail "the job ends well: $(everything)"
    one_report "PE $victim \(pid [0-9]+ on host h1\) died without finalize"
    late "$(died_at)" 1000 "known after the death"
    ;;
  alone_*)
    # The only PE of its host dies: another host has to say so.
    start 2
    run 40 2 2 "$probe" "${case#alone_}" 1
    finish
    [ "$status" != 0 ] || fail "the job ends well: $(everything)"
    one_report 'PE 1 on host h1 .*'
    late "$(died_at)" 1000 "known after the death"
    ;;
  frozen_*)
    export CANOPY_HOST_TIMEOUT_MS=2000
    start 2
    run 40 2 4 -x CANOPY_HOST_TIMEOUT_MS "$probe" "${case#frozen_}"
    until_busy
    from=$(now_ms)
    cluster pause h1 || fail "pause"
    until_true 15 "the PEs of h0 end" gone_from h0
    cluster resume h1
    finish
    one_report 'PE 2, 3 on host h1 .*CANOPY_HOST_TIMEOUT_MS, is 2000'
    late "$from" 5000 "known after the freeze"
    ;;
  link_dead_*)
    export CANOPY_HOST_TIMEOUT_MS=2000
    start 2
    run 40 2 4 -x CANOPY_HOST_TIMEOUT_MS "$probe" "${case#link_dead_}"
    until_busy
    cluster link h1 down || fail "link down"
    # Each side misses the other, and says so where the launcher still hears it.
    until_true 15 "the PEs of h0 end" gone_from h0
    until_true 15 "the PEs of h1 end" gone_from h1
    cluster link h1 up
    finish
    reports | grep -q 'PE 2, 3 on host h1' || fail "h0 does not name PE 2 and 3: $(everything)"
    ;;
  link_back_*)
    start 2
    run 60 2 4 "$probe" "${case#link_back_}" -1 9000
    until_busy
    cluster link h1 down || fail "link down"
    sleep 5 # the fault itself
    cluster link h1 up || fail "link up"
    finish
    [ "$status" = 0 ] || fail "the job does not survive: $(everything)"
    grep -q 'OK: ' "$work/log" || fail "no OK: $(everything)"
    ;;
  loss_*)
    start 2
    do_or_skip loss h1 1
    run 60 2 4 "$probe" "${case#loss_}" -1 3000
    finish
    [ "$status" = 0 ] || fail "the job does not survive: $(everything)"
    grep -q 'OK: ' "$work/log" || fail "no OK: $(everything)"
    ;;
  *)
    fail "no case $case"
    ;;
esac
everything
