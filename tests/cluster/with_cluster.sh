# shellcheck shell=bash
# For the scripts beside this one: a cluster of the script's own, which ends with the script, whatever
# ends it. Exit status 77, "skipped", where the machine cannot make fake hosts.
#
#   . with_cluster.sh CANOPY PROBE    then: start 2 --rails 2; on h0 hostname; cluster link h1 down
set -u
canopy=$1
probe=$2
name=test-$(basename "$0" .sh)-$$
work=$(mktemp -d "${TMPDIR:-/tmp}/canopy-$name-XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  "$canopy" cluster status >&2
  exit 1
}

cluster() {
  local command=$1
  shift
  "$canopy" cluster "$command" --name "$name" "$@" </dev/null
}
on() { cluster exec "$@"; }

start() {
  "$canopy" cluster up --name "$name" --while $$ "$@" >"$work/up" 2>&1
  case $? in
    0) ;;
    3) skip "$(cat "$work/up")" ;;
    *) fail "cluster up $*: $(cat "$work/up")" ;;
  esac
}

skip() {
  echo "skipped: $*"
  exit 77
}

# do_or_skip COMMAND...: a cluster command that needs a tool the machine may not have.
do_or_skip() {
  cluster "$@" >"$work/said" 2>&1
  case $? in
    0) ;;
    3) skip "$(cat "$work/said")" ;;
    *) fail "cluster $*: $(cat "$work/said")" ;;
  esac
}

# until_true SECONDS WHAT COMMAND...: asks again until it holds.
until_true() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$limit" ] || fail "not within the time: $what"
    sleep 0.02
  done
}

# Starts "$probe serve" on a host; returns when it serves.
serve() {
  on "$1" "$probe" serve 5000 >"$work/serve.$1" 2>&1 &
  until_true 10 "$1 serves" grep -q serving "$work/serve.$1"
}

between() { # between VALUE LOW HIGH WHAT
  [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || fail "$4: $1, expected $2 to $3"
  echo "$4: $1"
}
