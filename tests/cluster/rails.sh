#!/bin/bash
# rails.sh CANOPY RAILS_PROBE CASE: jobs across two hosts that two networks join.
# shellcheck source=tests/cluster/with_cluster.sh
. "$(dirname "$0")/with_cluster.sh" "$1" "$2"
command -v mpirun >/dev/null || skip "no mpirun here"
export SHMEM_SYMMETRIC_SIZE=256M CANOPY_LOG=info

# job SECONDS ARGUMENTS...: the probe on both hosts; what it says is in $work/out.
job() {
  local limit=$1
  shift
  timeout -k 1 "$limit" "$canopy" cluster mpirun --name "$name" -n 2 --host h0,h1 --bind-to none \
    -x SHMEM_SYMMETRIC_SIZE -x CANOPY_LOG ${settings:+-x "$settings"} "$probe" "$@" \
    </dev/null >"$work/out" 2>&1
}
passes() { grep -qx passed "$work/out" || fail "the job said: $(cat "$work/out")"; }
says() { grep -q -- "$1" "$work/out" || fail "should say '$1': $(cat "$work/out")"; }
said_nothing_of() { ! grep -q -- "$1" "$work/out" || fail "should not say '$1': $(cat "$work/out")"; }
# sent HOST RAIL: bytes, by the interface's own counter.
sent() { on "$1" cat /proc/net/dev | awk -v rail="rail$2:" '$1 == rail { print $10 }'; }
rounds() { grep -c '^round ' "$work/out"; }
reached() { [ "$(rounds)" -ge "$1" ]; }

# flooding ROUNDS: in the background, until 3 rounds are done.
flooding() {
  job 100 "$@" &
  flood=$!
  until_true 60 "three rounds are done" reached 3
}
ended() { ! kill -0 "$flood" 2>/dev/null; }

# rates RATE0 RATE1: of the cables of both hosts. Where the network is the slower part, and not the
# processor that both hosts share, it is its speed that decides who carries what.
rates() {
  local host
  for host in h0 h1; do
    do_or_skip rate "$host" "$1" 0
    do_or_skip rate "$host" "$2" 1
  done
}

start 2 --rails 2
settings=
case $3 in
  contents)
    rates 600mbit 600mbit
    job 100 contents || fail "exit status $?: $(cat "$work/out")"
    passes
    for host in h0 h1; do
      for rail in 0 1; do
        between "$(sent "$host" "$rail")" 50000000 4000000000 "bytes sent by $host over rail $rail"
      done
    done
    ;;
  one) # the setting
    for settings in CANOPY_OFI_RAILS=1 CANOPY_OFI_INTERFACE=rail0; do
      before=$(sent h0 1)
      job 100 flood 2 || fail "exit status $?: $(cat "$work/out")"
      passes
      between $(($(sent h0 1) - before)) 0 1000000 "bytes sent over rail 1 with $settings"
    done
    settings=CANOPY_OFI_RAILS=some
    job 100 flood 2 && fail "CANOPY_OFI_RAILS=some should be refused"
    says "CANOPY_OFI_RAILS=some: it is a number of networks"
    ;;
  order) # the first that is named carries what is ordered
    settings=CANOPY_OFI_INTERFACE=rail1,rail0
    job 100 flood 4 || fail "exit status $?: $(cat "$work/out")"
    passes
    says "provider .* on 10.81.0.1"
    says "a further rail to peer .: 10.80.0.1. to 10.80.0.1."
    ;;
  slow) # one of the two has a tenth of the other's rate
    rates 400mbit 40mbit
    job 110 flood 16 || fail "exit status $?: $(cat "$work/out")"
    passes
    said_nothing_of "has failed"
    between $(($(sent h0 1) * 100 / ($(sent h0 0) + $(sent h0 1)))) 1 35 "% of the bytes over the slow rail"
    ;;
  dies | dies_pull) # in the middle, for good
    rates 400mbit 400mbit
    if [ "$3" = dies ]; then flooding flood 40; else flooding pull 40; fi
    cluster link h1 down 1
    begin=$SECONDS
    until_true 60 "all rounds are done" ended
    wait "$flood" || fail "exit status $?: $(cat "$work/out")"
    passes
    says "the rail at 10.81.0.1. has failed"
    echo "$((SECONDS - begin)) s for $(rounds) rounds, one network dead"
    ;;
  comes_back) # what the network still held must not arrive over what was sent since
    rates 400mbit 400mbit
    flooding flood 120
    cluster link h1 down 1
    until_true 20 "the rail has failed" grep -q 'has failed' "$work/out"
    at=$(rounds)
    until_true 60 "rounds are done without it" reached $((at + 2))
    cluster link h1 up 1
    before=$(sent h0 1)
    until_true 90 "all rounds are done" ended
    wait "$flood" || fail "exit status $?: $(cat "$work/out")"
    passes
    between $(($(sent h0 1) - before)) 1000000 4000000000 "bytes over the rail that came back"
    ;;
  *) fail "no such case" ;;
esac
