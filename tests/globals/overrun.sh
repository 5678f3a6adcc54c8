#!/bin/bash
# overrun.sh MPIRUN WRAPPERS WORK SOURCES: in the debug mode an operation that reaches past the end of a global ends the
# job, and the sentence names the global; one that fits passes, and so does each when the executable has no symbols.
set -u
mpirun=$1 wrappers=$2 work=$3 source=$4/overrun.c
cd "$work" || exit 1
export SHMEM_DEBUG=1
export OMPI_MCA_odls_base_sigkill_timeout=0 # as in tests/negative/run.sh
fail() {
  echo "$1 (status $status):"
  cat said.overrun
  exit 1
}
run() {
  status=0
  : >said.overrun
  CANOPY_TEST_TIMEOUT=30 "$mpirun" 2 sh -c 'exec >>said.overrun 2>&1; exec "$@"' sh "$@" >>said.overrun 2>&1 || status=$?
  if [ $status = 77 ]; then exit 77; fi
}
wrong() { # PROGRAM CASE SENTENCE
  run "./$1" "$2" wrong
  [ $status != 0 ] || fail "$1 $2 should end with a failure"
  grep -Eq "$3.*\(called from (.*, )?$1\+0x[0-9a-f]+\)" said.overrun || fail "$1 $2 should say '$3'"
  run "./$1" "$2" right
  [ $status = 0 ] && grep -q survived said.overrun || fail "$1 $2 should pass when it fits"
}
counts="past the end of the global 'counts' of 40 bytes at 0x[0-9a-f]+"
for kind in pie no-pie; do
  "$wrappers/oshcc" -O1 "-${kind}" "-f$kind" "$source" -o overrun_$kind || exit 1
  wrong overrun_$kind put "pe [01]: shmem_long_put: dest is 48 bytes at 0x[0-9a-f]+, which reach 8 bytes $counts"
  wrong overrun_$kind put_inside "shmem_long_put: dest is 24 bytes at 0x[0-9a-f]+, which reach 8 bytes $counts"
done
wrong overrun_pie get "shmem_long_get: source is 48 bytes at 0x[0-9a-f]+, which reach 8 bytes $counts"
wrong overrun_pie source "shmem_long_put: source is 48 bytes at 0x[0-9a-f]+, which reach 8 bytes $counts"
wrong overrun_pie static "which reach 8 bytes past the end of the global 'hidden\.[0-9]+' of 24 bytes"
wrong overrun_pie members "dest is 68 bytes at 0x[0-9a-f]+, which reach 4 bytes past the end of the global 'pairs' of 96 bytes"

"$wrappers/oshc++" -O1 -x c++ "$source" -o overrun_cxx || exit 1
wrong overrun_cxx static "past the end of the global 'run\(char const\*\)::hidden' of 24 bytes"

"$wrappers/oshcc" -O1 -s "$source" -o overrun_stripped || exit 1
run ./overrun_stripped put wrong
[ $status = 0 ] && grep -q survived said.overrun || fail "without symbols nothing is known"
exit 0
