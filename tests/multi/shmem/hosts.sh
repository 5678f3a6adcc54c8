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
  rm -f "$said"/[0-9]*
  # shellcheck disable=SC2016 # the PE's own rank
  timeout -k 1 "$limit" "$canopy" cluster mpirun --name "$name" -n "$n" --host "$list" \
    --oversubscribe "${options[@]}" \
    sh -c 'said=$1; shift; exec "$@" 2>"$said/$OMPI_COMM_WORLD_RANK"' sh "$said" "$@" \
    </dev/null >"$work/log" 2>&1 &
  job=$!
}
everything() { cat "$work/log" "$said"/[0-9]* 2>/dev/null || true; }  # jobs of one host leave no files there
finish() {
  wait "$job"
  status=$?
}
until_busy() { until_true 30 "the job is under way" grep -qx 'busy' "$work/log"; }
reports() { cat "$said"/[0-9]* | grep -E '^canopy(: | pe [0-9]+(:| of| on| waits) )'; }
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
  file=$(grep -lE '^canopy(: | pe [0-9]+(:| of| on| waits) )' "$said"/[0-9]*)
  came=$(date -r "$file" +%s%3N)
  between $((came - $1)) -10 "$2" "$3, ms" # the times of files go in steps of up to 10 ms
}
died_at() { cat "$said"/[0-9]* | sed -n 's/^victim [0-9]* dies at //p'; }
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
  job)
    # job HOSTS PES PROGRAM ARGUMENTS...
    hosts=$1 pes=$2
    shift 2
    start "$hosts"
    run 110 "$hosts" "$pes" "$@"
    finish
    [ "$status" = 0 ] || fail "$*: $(everything)"
    ;;
  same_shm)
    # Two network namespaces that share /dev/shm: brokers do not reach each other, so the network has to.
    start 2
    mkdir "$said/shm" && chmod 1777 "$said/shm"
    for host in h0 h1; do
      on "$host" mount --bind "$said/shm" /dev/shm || skip "no bind mounts on a fake host"
    done
    run 60 2 4 "$@"
    finish
    [ "$status" = 0 ] || fail "$*: $(everything)"
    run 60 2 2 -x CANOPY_PATH=mapped "$@"
    finish
    [ "$status" != 0 ] || fail "PEs of different networks are mapped"
    reports | grep -q 'PE 1 cannot be mapped: .*another network namespace' ||
      fail "the reason is not told: $(everything)"
    ;;
  other_pids)
    # The same network, but the second PE counts processes on its own: it is mapped, and its death is known.
    unshare --pid --fork true 2>/dev/null || skip "no pid namespaces here"
    here=$(dirname "$0")/../../support/mpirun.sh
    inside=(unshare --pid --fork --kill-child)
    CANOPY_PATH=mapped "$here" 1 "$1" : -n 1 "${inside[@]}" "$1" >"$work/log" 2>&1 || fail "$1: $(everything)"
    # Not as the first process of its namespace, which no signal of its own would kill.
    "$here" 1 "$probe" put 1 : -n 1 "${inside[@]}" sh -c '"$@"; exit $?' sh "$probe" put 1 \
      >"$work/log" 2>&1 && fail "the job ends well: $(everything)"
    grep -Eq '^canopy pe 0: PE 1 \(pid [0-9]+ on host .*\) died without finalize' "$work/log" ||
      fail "nobody names PE 1: $(everything)"
    ;;
  dies_init)
    # One that has not joined is known to the launcher and to the PEs of its host only.
    start 2
    run 40 2 4 "$probe" init 3
    finish
    [ "$status" != 0 ] || fail "the job ends well: $(everything)"
    everything | grep -Eq 'pe 3 of 4 on h1 ended before it joined|process rank 3 with PID' ||
      fail "nobody names PE 3: $(everything)"
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
  killed_*)
    # The host with everything on it, as by a power loss; a finalize that had begun as well.
    export CANOPY_HOST_TIMEOUT_MS=2000
    start 2
    run 40 2 4 -x CANOPY_HOST_TIMEOUT_MS "$probe" "${case#killed_}"
    until_busy
    from=$(now_ms)
    cluster kill h1 || fail "kill"
    until_true 15 "the PEs of h0 end" gone_from h0
    one_report 'PE 2, 3 on host h1 .*nothing was heard from host 1'
    late "$from" 5000 "known after the loss"
    cluster down
    finish
    ;;
  of_three_*)
    # of_three_HOW_WHAT: two hosts see the loss of a third; one of them says so.
    export CANOPY_HOST_TIMEOUT_MS=2000
    how=${case#of_three_}
    start 3
    run 40 3 6 -x CANOPY_HOST_TIMEOUT_MS "$probe" "${how#*_}"
    until_busy
    from=$(now_ms)
    cluster "${how%%_*}" h1 || fail "${how%%_*}"
    until_true 15 "the PEs of h0 end" gone_from h0
    until_true 15 "the PEs of h2 end" gone_from h2
    one_report 'PE 2, 3 on host h1 .*nothing was heard from host 1'
    late "$from" 5000 "known after the loss"
    cluster down
    finish
    ;;
  silent_init)
    # Before PEs know each other only the launcher connects them: the user's time limit ends the wait.
    start 2
    run 40 2 4 -x CANOPY_TIMEOUT=6 "$probe" init
    until_busy
    cluster link h1 down || fail "link down"
    until_true 20 "the PEs of h0 end" gone_from h0
    reports | grep -Eq 'did not complete within [0-9]+ s' || fail "no time limit is named: $(everything)"
    cluster down
    finish
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
