#!/bin/bash
# heap_report.sh PROGRAM: what is live at finalize is listed once, by size and call site, where it is asked for.
set -u
program=$1
mpirun=$(dirname "$0")/../support/mpirun.sh
fail() {
  echo "$1; output:"
  echo "$log"
  exit 1
}

log=$(CANOPY_HEAP_REPORT=1 "$mpirun" 2 "$program" heap_report right 2>&1)
code=$?
[ $code -eq 77 ] && exit 77
[ $code -eq 0 ] || fail "the program should pass, not end with $code"
[ "$(grep -c "heap report at finalize: 4 live blocks in 3200 of [0-9]* bytes" <<<"$log")" -eq 1 ] || fail "one PE should sum up"
site=$(sed -nE 's/^  3 x 1000 bytes from shmem_malloc in (.*, )?negative\+(0x[0-9a-f]+)$/\2/p' <<<"$log")
[ -n "$site" ] || fail "should list three blocks of one place"
grep -Eq "^  1 x 77 bytes from shmem_calloc in (.*, )?negative\+0x[0-9a-f]+$" <<<"$log" || fail "should list the other block"
if command -v addr2line >/dev/null; then
  addr2line -f -e "$program" "$site" | grep -Eq "^(allocate|heap_report)" || fail "addr2line should find $site in the program"
fi

log=$("$mpirun" 2 "$program" heap_report right 2>&1) || fail "the program should pass without the report, too"
if grep -q "heap report" <<<"$log"; then fail "nobody has asked for a report"; fi
exit 0
