# shellcheck shell=sh
# Installs what building, testing and measuring Canopy needs on Debian 12. The one place that does:
# examples/run, tests/run and tests/bench/run source it, and `sh tests/support/setup.sh` works alone.
#
# Does nothing, in a few milliseconds, when everything is there. Needs root or sudo only when something
# that is required is missing; without either it names the packages and exits 1. On a system without
# dpkg it installs nothing and lets the configure step judge.
#
# Afterwards canopy_build_root prints the folder for build trees (see there).

CANOPY_REQUIRED_PACKAGES="g++ cmake ninja-build pkg-config libexpected-dev libfmt-dev libspdlog-dev \
nlohmann-json3-dev libcli11-dev libboost-context-dev libhwloc-dev libpmix-dev openmpi-bin \
libopenmpi-dev libgtest-dev libbenchmark-dev libopenblas-pthread-dev libfabric-dev iproute2 \
nftables procps util-linux"
# Installed along with the others where that is possible, missed without them: ccache only saves time,
# libtbb-dev and libjemalloc-dev are peers of the benchmarks, git tells them the commit, gdb is what its commands
# are tested with, lld and mold are what symmetric globals are linked with beside the usual linker.
CANOPY_OPTIONAL_PACKAGES="ccache libtbb-dev libjemalloc-dev git gdb lld mold"

# Prints those of its arguments that are not installed.
canopy_missing_packages() {
  # dpkg-query fails for names it has never seen and goes on with the others.
  canopy_installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    sed -n 's/ installed$//p')
  for canopy_package in "$@"; do
    case "
$canopy_installed
" in
      *"
$canopy_package
"*) ;;
      *) printf '%s ' "$canopy_package" ;;
    esac
  done
}

# canopy_install PREFIX PACKAGES...: PREFIX is "" or "sudo -n".
canopy_install() {
  canopy_sudo=$1
  shift
  canopy_log=$(mktemp) || return 1
  # shellcheck disable=SC2086 # the prefix is words on purpose
  if $canopy_sudo apt-get -q update >"$canopy_log" 2>&1 &&
    $canopy_sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
      -o Dpkg::Use-Pty=0 install "$@" >>"$canopy_log" 2>&1; then
    rm -f "$canopy_log"
    return 0
  fi
  tail -n 20 "$canopy_log" >&2
  rm -f "$canopy_log"
  return 1
}

canopy_setup() {
  if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: not a Debian system: install by hand what the configure step asks for" >&2
    return 0
  fi
  # shellcheck disable=SC2086 # lists of words
  canopy_required=$(canopy_missing_packages $CANOPY_REQUIRED_PACKAGES)
  # shellcheck disable=SC2086
  canopy_optional=$(canopy_missing_packages $CANOPY_OPTIONAL_PACKAGES)
  if [ -z "$canopy_required$canopy_optional" ]; then
    return 0
  fi
  if [ "$(id -u)" -eq 0 ]; then
    canopy_as_root=
  elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    canopy_as_root="sudo -n"
  elif [ -z "$canopy_required" ]; then
    echo "setup: going on without the optional packages: $canopy_optional" >&2
    return 0
  else
    echo "setup: packages are missing, and this user is neither root nor may use sudo without a" \
      "password. Ask an administrator for: apt-get install $canopy_required" >&2
    return 1
  fi
  echo "setup: installing $canopy_required$canopy_optional" >&2
  # shellcheck disable=SC2086
  if canopy_install "$canopy_as_root" $canopy_required $canopy_optional; then
    return 0
  fi
  # An optional package that cannot be had must not cost the required ones.
  # shellcheck disable=SC2086
  if [ -n "$canopy_optional" ] && { [ -z "$canopy_required" ] ||
    canopy_install "$canopy_as_root" $canopy_required; }; then
    echo "setup: going on without the optional packages: $canopy_optional" >&2
    return 0
  fi
  echo "setup: apt-get could not install: $canopy_required" >&2
  return 1
}

# canopy_build_root ROOT: where build trees go. CANOPY_BUILD_ROOT if set; ROOT/build where this user may
# write; else a folder of the user's own, for a work tree that belongs to somebody else.
canopy_build_root() {
  if [ -n "${CANOPY_BUILD_ROOT:-}" ]; then
    printf '%s\n' "$CANOPY_BUILD_ROOT"
  elif mkdir -p "$1/build" 2>/dev/null && [ -w "$1/build" ] &&
    { [ ! -e "$1/build/release" ] || [ -w "$1/build/release" ]; }; then
    printf '%s\n' "$1/build"
  else
    printf '%s\n' "${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/canopy-build"
  fi
}

canopy_setup || exit 1
