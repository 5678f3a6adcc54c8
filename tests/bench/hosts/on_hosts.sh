#!/bin/bash
# on_hosts [--wall METRIC] [--rails R] HOSTS PES RATE PROGRAM ARGS...: a benchmark as a job of PES processes on HOSTS
# fake hosts, made for it and gone with it, with cables of RATE (such as 400mbit; `full`: as fast as they are), to one
# network or to R of them.
# --wall: the result is how long mpirun takes, in ms. Exit status of the job; 3 where the machine cannot make
# fake hosts.
set -u
metric=
if [ "${1:-}" = --wall ]; then
  metric=$2
  shift 2
fi
rails=1
if [ "${1:-}" = --rails ]; then
  rails=$2
  shift 2
fi
if [ $# -lt 4 ]; then
  echo "usage: bench_on_hosts [--wall METRIC] [--rails R] HOSTS PES RATE|full PROGRAM ARGS..." >&2
  exit 2
fi
hosts=$1 pes=$2 rate=$3
shift 3
bin=$(cd -- "$(dirname -- "$0")" && pwd)
name=bench-$$
"$bin/canopy" cluster up "$hosts" --rails "$rails" --name "$name" --while $$ >&2 || exit
list=
for ((i = 0; i < hosts; ++i)); do
  list+=${list:+,}h$i:$(((pes + hosts - 1) / hosts))
  if [ "$rate" != full ]; then
    for ((rail = 0; rail < rails; ++rail)); do
      "$bin/canopy" cluster rate "h$i" "$rate" "$rail" --name "$name" >&2 || exit
    done
  fi
done
begin=${EPOCHREALTIME/./}
timeout -k 1 100 "$bin/canopy" cluster mpirun --name "$name" -n "$pes" --host "$list" --oversubscribe \
  --bind-to none "$@" </dev/null
status=$?
ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
"$bin/canopy" cluster down --name "$name" >&2
if [ "$status" = 0 ] && [ -n "$metric" ]; then
  echo "RESULT $metric $ms $ms"
fi
exit "$status"
