#!/bin/bash
# fused METRIC...: the main job on two fake hosts with cables of 400 Mbit/s. Prints the overlap and the speedup
# (T_serial / T_fused) of its slower rank, in the form that canopy_bench reads.
set -u -o pipefail
bin=$(cd -- "$(dirname -- "$0")" && pwd)
said=$("$bin/bench_on_hosts" 2 2 400mbit "$bin/allgather_matmul" --m 1024 --k 1024 --n 1024) || {
  status=$?
  printf '%s\n' "$said" >&2
  exit "$status"
}
# The columns' names are in the header; a time is two words: "52.8 ms".
awk '
  /^rank / {
    for (i = 1; i <= NF; ++i) if ($i == "T_serial") { header = 1; break }
  }
  header && /^[0-9]+ +h[0-9]/ {
    n = split($0, word, /  +/)
    serial = word[9] + 0; fused = word[10] + 0
    if (overlap == "" || word[11] + 0 < overlap) overlap = word[11] + 0
    if (speedup == "" || serial / fused < speedup) speedup = serial / fused
    ++ranks
  }
  END {
    if (ranks != 2) { print "the report of two ranks is not there" > "/dev/stderr"; exit 1 }
    printf "RESULT agmm_overlap %.4g %.4g\nRESULT agmm_speedup %.4g %.4g\n", overlap, overlap, speedup, speedup
  }' <<<"$said"
