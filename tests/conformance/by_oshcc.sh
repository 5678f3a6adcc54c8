#!/bin/bash
# by_oshcc.sh BIN SOURCES WORK: builds the conformance program with oshcc and oshc++ alone, as a user would, with
# warnings as errors, and runs it without a launcher.
set -eu
bin=$1 sources=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work"
for source in "$sources"/*.c; do
  standard=gnu11
  [ "$(basename "$source")" != coverage.c ] || standard=gnu99
  "$bin/oshcc" -std=$standard -O0 -Wall -Wextra -Werror -Wno-address -c "$source"
done
"$bin/oshc++" -std=c++17 -O0 -Wall -Wextra -Werror -Wno-address -c "$sources/overloads.cc"
"$bin/oshc++" ./*.o -o conformance
./conformance
