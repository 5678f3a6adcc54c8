#!/bin/bash
# mpirun.sh N PROGRAM ARGS...: runs N processes under Open MPI's mpirun the way tests need it.
#
# - as root too, more processes than cores, bound to no core: CI machines are small;
# - without a terminal and never longer than CANOPY_TEST_TIMEOUT seconds (60): an mpirun that hangs
#   must not hang the tests; then the exit status is 124 (or 137 when it had to be killed);
# - the exit status of mpirun otherwise. 77, the usual code for "skipped", when there is no mpirun.
# CANOPY_MPIRUN names another mpirun, CANOPY_MPIRUN_ARGS adds arguments.
set -u
if [ $# -lt 2 ]; then
  echo "usage: mpirun.sh N PROGRAM ARGS..." >&2
  exit 2
fi
n=$1
shift
mpirun=${CANOPY_MPIRUN:-mpirun}
if ! command -v "$mpirun" >/dev/null; then
  echo "skipped: no $mpirun here" >&2
  exit 77
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# shellcheck disable=SC2086  # several arguments are meant
exec timeout -k 1 "${CANOPY_TEST_TIMEOUT:-60}" \
  "$mpirun" --oversubscribe --bind-to none ${CANOPY_MPIRUN_ARGS:-} -n "$n" "$@" </dev/null
