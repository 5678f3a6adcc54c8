#!/bin/bash
# asan.sh MPIRUN WRAPPERS WORK SOURCES: a program under AddressSanitizer, whose globals lie between red zones, has them
# symmetric as any other; and the sanitizer still finds what goes past the end of one.
set -u
mpirun=$1 wrappers=$2 work=$3 sources=$4
cd "$work" || exit 1
compile() { "$wrappers/oshcc" -O1 -g -fsanitize=address "$sources/$1.c" -o "asan_$1" >said.asan 2>&1; }
if ! compile globals; then
  grep -q "cannot find.*asan" said.asan && echo "skipped: the compiler has no AddressSanitizer" && exit 77
  cat said.asan
  exit 1
fi
compile past_the_end || exit 1
# The launcher's client library keeps memory until its end; and some kernels' wide address space layouts are more than
# the sanitizer bears.
export ASAN_OPTIONS=detect_leaks=0 OMPI_MCA_odls_base_sigkill_timeout=0
narrow=
setarch "$(uname -m)" -R true 2>/dev/null && narrow="setarch $(uname -m) -R"
run() {
  status=0
  : >said.asan
  # shellcheck disable=SC2086  # several words, or none
  CANOPY_TEST_TIMEOUT=60 "$mpirun" 2 sh -c 'exec >>said.asan 2>&1; exec "$@"' sh $narrow "$@" >>said.asan 2>&1 || status=$?
  if [ $status = 77 ]; then exit 77; fi
}
fail() {
  echo "$1 (status $status):"
  head -60 said.asan
  exit 1
}
run ./asan_globals
[ $status = 0 ] || fail "the globals should be symmetric"
run ./asan_past_the_end
[ $status != 0 ] && ! grep -q survived said.asan || fail "the store should end the program"
grep -q "global-buffer-overflow" said.asan || fail "the sanitizer should name the store"
exit 0
