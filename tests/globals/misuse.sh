#!/bin/bash
# misuse.sh MPIRUN WRAPPERS WORK SOURCES: what is no symmetric global ends the job with the sentence that says why.
set -eu
mpirun=$1 oshcc=$2/oshcc work=$3 source=$4/put_global.c
cd "$work"
"$oshcc" "$source" -o put_global
"$oshcc" -DOTHER -O2 "$source" -o put_global_other
OSHCC_GLOBALS=no "$oshcc" "$source" -o put_global_plain

expect() {
  local sentence=$1 status=0
  shift
  CANOPY_TEST_TIMEOUT=30 "$mpirun" "$@" >said 2>&1 || status=$?
  [ $status != 77 ] || exit 77
  if [ $status = 0 ] || ! grep -q -- "$sentence" said; then
    echo "$*: status $status, and not \"$sentence\":"
    cat said
    exit 1
  fi
}
CANOPY_TEST_TIMEOUT=30 "$mpirun" 2 ./put_global
expect "constant ones are not symmetric" 1 ./put_global constant
expect "symmetric in executables that oshcc" 1 ./put_global_plain
expect "PE 1 runs another executable than PE 0" 1 ./put_global : -n 1 ./put_global_other
status=0
"$oshcc" -static "$source" -o put_global_static 2>said || status=$?
[ $status != 0 ] && grep -q "dynamically linked executables only" said
