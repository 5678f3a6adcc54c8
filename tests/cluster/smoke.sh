#!/bin/bash
# smoke.sh CANOPY BOOTSTRAP_PROBE: two hosts, one job across them, and nothing left afterwards.
# shellcheck source=tests/cluster/with_cluster.sh
. "$(dirname "$0")/with_cluster.sh" "$1" "$2"
command -v mpirun >/dev/null || skip "no mpirun here"

start 2
[ "$(on h0 hostname) $(on h1 hostname)" = "h0 h1" ] || fail "the hosts' names"
# Several times: a host whose PEs have left must not be needed by those of another in finalize, and
# whether it is, is a matter of luck.
for _ in 1 2 3 4 5 6; do
  timeout -k 1 30 "$canopy" cluster mpirun --name "$name" -n 2 --host h0,h1 "$probe" 2 \
    </dev/null >"$work/out" 2>&1 || fail "mpirun: exit status $?: $(cat "$work/out")"
  grep -qx '2 PEs on h0, h1' "$work/out" || fail "the job said: $(cat "$work/out")"
done

# What must be gone: namespaces, and daemons that detached themselves, on a host and on the head.
namespaces=()
for place in head h0 h1; do
  for kind in net mnt; do
    namespaces+=("$(on "$place" readlink "/proc/self/ns/$kind")")
  done
  on "$place" setsid -f sleep 1000
done
left() {
  local pattern
  pattern=$(printf '%s|' "${namespaces[@]}" | sed 's/|$//; s/[][]/\\&/g')
  readlink /proc/[0-9]*/ns/{net,mnt} 2>/dev/null | grep -E -x "$pattern"
}
[ -n "$(left)" ] || fail "the check for leftovers sees nothing while the cluster is up"
cluster down || fail "down"
[ -z "$(left)" ] || fail "processes are left in $(left)"
cluster status >/dev/null 2>&1 && fail "status still knows the cluster"
cluster down >"$work/said" 2>&1
[ $? -eq 2 ] || fail "a second down did not say that there is no cluster"
cat "$work/out"
