#!/bin/bash
# rails N METRIC...: ofi_bench between two fake hosts that two networks of 400 Mbit/s join, over N of them (or all).
set -u
bin=$(cd -- "$(dirname -- "$0")" && pwd)
use=$1
shift
exec "$bin/bench_on_hosts" --rails 2 2 2 400mbit env CANOPY_OFI_RAILS="$use" "$bin/ofi_bench" "$@"
