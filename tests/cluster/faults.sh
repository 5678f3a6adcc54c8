#!/bin/bash
# faults.sh CANOPY NET_PROBE CASE: one fault, its effect measured from another host, and its end.
# shellcheck source=tests/cluster/with_cluster.sh
. "$(dirname "$0")/with_cluster.sh" "$1" "$2"
h1=10.80.0.11
connects() { on h0 "$probe" connect "${1:-$h1}" 5000 "${2:-3000}" >"$work/connect" 2>&1; }
carrier() { on h1 ip link show "$1" | grep -q LOWER_UP; }
echoes() { on h0 "$probe" echo "$h1" 5000 "$1"; }

case $3 in
  link)
    start 2 --rails 2
    serve h1
    connects || fail "before: $(cat "$work/connect")"
    cluster link h1 down
    connects "$h1" 500 && fail "connected over a pulled cable"
    connects 10.81.0.11 || fail "the other rail: $(cat "$work/connect")"
    carrier rail0 && fail "h1 still has a carrier on rail 0"
    carrier rail1 || fail "h1 has lost its carrier on rail 1"
    cluster link h1 up
    connects "$h1" 10000 || fail "after: $(cat "$work/connect")"
    ;;
  pause)
    start 2
    serve h1
    between "$(echoes 20)" 20 20 "answers of 20"
    cluster pause h1
    cluster status | grep -q 'h1 *paused' || fail "status does not say that it is paused"
    between "$(echoes 20)" 0 0 "answers of 20 while paused"
    on h1 true 2>"$work/said" && fail "a command ran on a paused host"
    grep -q 'h1 is paused' "$work/said" || fail "exec said: $(cat "$work/said")"
    cluster resume h1
    # The first answers are those to the questions asked meanwhile.
    between "$(echoes 40)" 20 40 "answers of 40 after it was resumed"
    ;;
  kill)
    start 2
    serve h1
    on h0 "$probe" hold "$h1" 5000 1000 >"$work/hold" &
    until_true 10 "connected" grep -q connected "$work/hold"
    cluster kill h1
    wait $!
    grep -q silent "$work/hold" || fail "h0 was told that h1 died"
    cluster status | grep -q 'h1 *dead' || fail "status does not say that it is dead"
    on h1 true 2>"$work/said" && fail "a command ran on a dead host"
    grep -q 'h1 is dead' "$work/said" || fail "exec said: $(cat "$work/said")"
    cluster link h1 up 2>/dev/null && fail "a cable was put into a dead host"
    [ "$(on h0 hostname)" = h0 ] || fail "h0 died as well"
    ;;
  kill_keep_links)
    start 2
    serve h1
    on h0 "$probe" hold "$h1" 5000 20000 >"$work/hold" &
    until_true 10 "connected" grep -q connected "$work/hold"
    cluster kill --keep-links h1
    wait $!
    grep -q closed "$work/hold" || fail "the dying host did not close its connections"
    ;;
  rate)
    start 2 --rails 2
    serve h1
    free=$(on h0 "$probe" push "$h1" 5000 20000000)
    between "$free" 400 1000000 "Mbit/s without a limit"
    do_or_skip rate h1 40mbit
    between "$(on h0 "$probe" push "$h1" 5000 5000000)" 28 42 "Mbit/s towards it, limit 40"
    between "$(on h0 "$probe" pull "$h1" 5000 5000000)" 28 42 "Mbit/s from it, limit 40"
    between "$(on h0 "$probe" push 10.81.0.11 5000 20000000)" 400 1000000 "Mbit/s on the other rail"
    cluster rate h1 80mbit || fail "a second limit"
    between "$(on h0 "$probe" push "$h1" 5000 10000000)" 56 84 "Mbit/s towards it, limit 80"
    cluster rate h1 off || fail "off"
    between "$(on h0 "$probe" push "$h1" 5000 20000000)" 400 1000000 "Mbit/s after the limit"
    ;;
  loss)
    start 3
    serve h1
    serve h2
    between "$(echoes 200)" 200 200 "answers of 200 without loss"
    do_or_skip loss h1 50
    # Lost there or back: a quarter remains, 500 +- 19; this is 5 times that.
    between "$(echoes 2000)" 400 600 "answers of 2000 with half of the packets lost both ways"
    between "$(on h0 "$probe" echo 10.80.0.12 5000 200)" 200 200 "answers of 200 of a host without loss"
    cluster loss h1 100 || fail "a second loss"
    between "$(echoes 20)" 0 0 "answers of 20 with all packets lost"
    cluster loss h1 off || fail "off"
    between "$(echoes 200)" 200 200 "answers of 200 afterwards"
    ;;
  *) fail "no such case" ;;
esac
