#!/bin/bash
# watch.sh CANOPY WATCH_PROBE CASE: one leader on each of three fake hosts, and what they see of a fault.
# shellcheck source=tests/cluster/with_cluster.sh
. "$(dirname "$0")/with_cluster.sh" "$1" "$2"

# leaders TIMEOUT_MS UP-ARGUMENTS...: starts them, each with a pipe to its stdin.
leaders() {
  local timeout=$1 host
  shift
  start 3 "$@"
  export CANOPY_HOST_TIMEOUT_MS=$timeout
  cd "$work" || fail "no working folder"
  for host in 0 1 2; do
    mkfifo "in.$host"
    "$canopy" cluster exec --name "$name" "h$host" "$probe" "$host" 3 "$work" \
      <"in.$host" >"out.$host" 2>&1 &
    eval "exec 1$host>in.$host"
  done
  for host in 0 1 2; do
    until_true 20 "leader $host is ready" grep -q ' ready$' "out.$host"
  done
  # Told from end to end, so that the connections stand before anything happens to them.
  tell 1 "greetings"
  for host in 0 2; do
    until_true 20 "leader $host hears of leader 1" grep -q ' notice greetings$' "out.$host"
  done
}
tell() { echo "$2" >&"1$1"; }
now_ms() { date +%s%3N; }
heard() { grep -q -E -- " $2" "out.$1"; }
# ms_until HOST TEXT BEGIN: when a leader said it, in ms after BEGIN.
ms_until() { echo $(($(grep -m 1 -E -- " $2" "out.$1" | cut -d' ' -f1) - $3)); }
calm() {
  local host
  for host in "$@"; do
    heard "$host" silent && fail "leader $host was alarmed: $(cat "out.$host")"
  done
  return 0
}
# leave HOSTS...: they leave in order, and are gone.
leave() {
  local host
  for host in "$@"; do
    eval "exec 1$host>&-"
  done
  for host in "$@"; do
    until_true 20 "leader $host leaves" grep -q -E ' left ' "out.$host"
  done
}

# gives_up BEGIN LOW HIGH LOST HOSTS...: each of the hosts gives LOST up once, in LOW to HIGH ms.
gives_up() {
  local begin=$1 low=$2 high=$3 lost=$4 host
  shift 4
  for host in "$@"; do
    until_true 30 "leader $host gives host $lost up" heard "$host" "silent $lost"
    between "$(ms_until "$host" "silent $lost" "$begin")" "$low" "$high" \
      "ms until leader $host gave host $lost up"
    [ "$(grep -c "silent $lost" "out.$host")" -eq 1 ] || fail "said twice: $(cat "out.$host")"
    grep -q "host $lost (h$lost)" "out.$host" || fail "no name: $(cat "out.$host")"
  done
}

case $3 in
  idle)
    leaders 1000
    sleep 4 # the span that is measured, not a wait for something
    calm 0 1 2
    leave 0 1 2
    calm 0 1 2
    for host in 0 1 2; do
      between "$(sed -n 's/.* left //p' "out.$host")" 0 40 "ms of CPU in 4 s, leader $host"
    done
    ;;
  notice)
    leaders 10000
    begin=$(now_ms)
    tell 2 "pe 5 is dead"
    for host in 0 1; do
      until_true 10 "the notice reaches leader $host" heard "$host" 'notice pe 5 is dead'
      between "$(ms_until "$host" 'notice pe 5' "$begin")" 0 1000 "ms until leader $host knew"
    done
    leave 2 # alone; the others are not alarmed
    tell 0 "still two"
    until_true 10 "a notice between those who stay" heard 1 'notice still two'
    calm 0 1
    ;;
  process_killed)
    leaders 60000
    begin=$(now_ms)
    on h1 pkill -9 -x watch_probe || fail "no leader on h1"
    gives_up "$begin" 0 1000 1 0 2
    heard 0 'silent 1 .*has ended' || fail "the reason: $(cat out.0)"
    ;;
  link_back) # down for half of the timeout
    leaders 10000
    cluster link h1 down
    sleep 5 # the fault's length
    tell 0 "told while it was down"
    cluster link h1 up
    until_true 10 "what was missed arrives" heard 1 'notice told while'
    sleep 6 # had somebody counted on from the beginning, the timeout would be over
    calm 0 1 2
    leave 0 1 2
    calm 0 1 2
    ;;
  link_dead)
    leaders 2000
    begin=$(now_ms)
    cluster link h1 down
    gives_up "$begin" 1400 4000 1 0 2 # the last heartbeat may be a quarter old
    gives_up "$begin" 1400 4000 0 1
    gives_up "$begin" 1400 4000 2 1
    ! heard 0 'silent 2' && ! heard 2 'silent 0' || fail "the living gave each other up"
    ;;
  rail_dead) # one of two: the other takes over
    leaders 2000 --rails 2
    cluster link h1 down 0
    sleep 5
    calm 0 1 2
    tell 1 "by the other rail"
    until_true 10 "a notice from h1" heard 0 'notice by the other rail'
    ;;
  pause)
    leaders 2000
    begin=$(now_ms)
    cluster pause h1
    gives_up "$begin" 1400 4000 1 0 2
    cluster resume h1
    until_true 20 "the frozen host learns of it" heard 1 silent
    ;;
  pause_short) # shorter than the timeout
    leaders 4000
    cluster pause h1
    sleep 2
    cluster resume h1
    sleep 4
    calm 0 1 2
    ;;
  kill)
    leaders 2000
    begin=$(now_ms)
    cluster kill h1
    gives_up "$begin" 1400 4000 1 0 2
    heard 0 'silent 1 nothing was heard' || heard 2 'silent 1 nothing was heard' ||
      fail "the reason: $(cat out.0 out.2)"
    leave 0 2
    ! heard 0 'silent 2' && ! heard 2 'silent 0' || fail "the living gave each other up"
    ;;
  loss) # one packet of ten: TCP makes up for it
    leaders 4000
    do_or_skip loss h1 10
    sleep 6
    calm 0 1 2
    ;;
  *) fail "no such case" ;;
esac
