#!/bin/bash
# life.sh CANOPY BOOTSTRAP_PROBE CASE: what a cluster is, how long it stays, and what is said of mistakes.
# shellcheck source=tests/cluster/with_cluster.sh
. "$(dirname "$0")/with_cluster.sh" "$1" "$2"
is_gone() { ! "$canopy" cluster status --name "$1" >/dev/null 2>&1; }

# refused STATUS TEXT ARGUMENTS...: one sentence with TEXT on stderr, and this exit status.
refused() {
  local status=$1 text=$2 got
  shift 2
  "$canopy" cluster "$@" >"$work/said" 2>&1 </dev/null
  got=$?
  [ "$got" -eq "$status" ] || fail "cluster $*: exit status $got, expected $status: $(cat "$work/said")"
  grep -q -E -- "$text" "$work/said" || fail "cluster $*: said $(cat "$work/said"), expected $text"
  [ "$(wc -l <"$work/said")" -eq 1 ] || fail "cluster $*: more than one line: $(cat "$work/said")"
}

case $3 in
  private) # each host has files, names, pids and users' rights of its own; the working folder is common
    start 2
    for file in "/tmp/mine-$name" "/dev/shm/mine-$name"; do
      on h0 touch "$file" || fail "h0 cannot write $file"
      on h0 test -e "$file" || fail "h0 has lost $file"
      on h1 test -e "$file" && fail "h1 sees $file of h0"
      [ ! -e "$file" ] || fail "the machine sees $file of h0"
    done
    [ "$(on h0 id -u)" = "$(id -u)" ] || fail "another user on the host"
    [ "$(on h0 cat /proc/1/comm)" = canopy-h0 ] || fail "pid 1 of h0 is $(on h0 cat /proc/1/comm)"
    on h0 sh -c '[ "$(readlink /proc/self/ns/ipc)" != '"'$(readlink /proc/self/ns/ipc)'"' ]' ||
      fail "h0 shares System V IPC with the machine"
    cd "$work" && echo common >note
    [ "$(on h0 cat note) $(on h1 cat note)" = "common common" ] || fail "the working folder under /tmp"
    on h1 sh -c 'echo changed >note' && [ "$(cat note)" = changed ] || fail "writing in that folder"
    on h1 sh -c 'exit 41'
    [ $? -eq 41 ] || fail "the exit status of a command"
    [ "$(on head hostname)" = head ] || fail "the head's name"
    ;;
  programs) # wherever the program and the folders lie; and all hosts, unless some are named
    start 2
    printf '#!/bin/sh\necho "$(hostname) $(pwd) $(cat note 2>/dev/null)"\n' >"$work/program"
    chmod 755 "$work/program"
    echo common >"$work/note"
    run() {
      timeout -k 1 30 "$canopy" cluster mpirun --name "$name" "$@" </dev/null 2>"$work/err" | sort
    }
    cd / && got=$(run -n 2 --map-by node "$work/program")
    [ "$got" = $'h0 / \nh1 / ' ] || fail "a program under /tmp: $got $(cat "$work/err")"
    cd "$work" && got=$(run -n 1 --host h1 ./program)
    [ "$got" = "h1 $work common" ] || fail "a relative program: $got $(cat "$work/err")"
    cd / && got=$(run -n 2 --host h0,h1 --wdir "$work" program)
    [ "$got" = "h0 $work common"$'\n'"h1 $work common" ] || fail "--wdir: $got $(cat "$work/err")"
    echo "h1 slots=2" >"$work/hostfile"
    got=$(run -n 2 --hostfile "$work/hostfile" "$work/program")
    [ "$got" = $'h1 / \nh1 / ' ] || fail "a host file under /tmp: $got $(cat "$work/err")"
    # A folder that was shown, removed and made again is not the old one.
    rm -r "$work" && mkdir "$work" && echo new >"$work/note" && cd "$work"
    [ "$(on h0 cat note)" = new ] || fail "a folder made anew is seen as it was before"
    ;;
  several) # clusters of other names, at the same addresses
    start 1
    other=$name-b
    "$canopy" cluster up 2 --name "$other" --while $$ >/dev/null || fail "a second cluster"
    [ "$(on h0 hostname)" = h0 ] && "$canopy" cluster exec --name "$other" h1 true || fail "both run"
    refused 2 "'$name' is up already" up 1 --name "$name"
    "$canopy" cluster down --name "$other" || fail "down of the second"
    [ "$(on h0 hostname)" = h0 ] || fail "down of the second ended the first"
    ;;
  owner_dies) # a cluster ends with the process it was made for, and with its own first process
    start 1 # or skip
    bash -c '"$1" cluster up 2 --name "$2" --while $$ >/dev/null && kill -9 $$' - "$canopy" "$name-o"
    until_true 10 "the cluster of a killed owner ends" is_gone "$name-o"
    refused 2 "no cluster '$name-o' is up" exec --name "$name-o" h0 true
    "$canopy" cluster up 2 --name "$name-o" --while $$ >/dev/null || fail "up again"
    head=$(pgrep -f "cluster up 2 --name $name-o" -o) || fail "its first process is not found"
    kill -9 "$head"
    until_true 10 "a cluster whose first process was killed is gone" is_gone "$name-o"
    pgrep -f "cluster up 2 --name $name-o" && until_true 10 "its hosts are gone" \
      bash -c '! pgrep -f "$1" >/dev/null' - "cluster up 2 --name $name-o"
    "$canopy" cluster up 1 --name "$name-o" --while $$ >/dev/null || fail "up after a crash"
    ;;
  user) # an ordinary user stays himself, and has all of it
    [ "$(id -u)" -eq 0 ] || skip "needs root, to become somebody else"
    setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$canopy" -a -x "$probe" ||
      skip "an ordinary user cannot read the build tree"
    exec setpriv --reuid=65534 --regid=65534 --clear-groups \
      env -u XDG_RUNTIME_DIR HOME=/ TMPDIR=/var/tmp "$0" "$1" "$probe" as_user
    ;;
  as_user)
    start 2
    [ "$(on h0 id -u)" = "$(id -u)" ] || fail "another user on the host"
    on h0 sh -c 'grep -q "^CapEff:.0*$" /proc/self/status' || fail "rights on the host that he has not"
    timeout -k 1 60 "$canopy" cluster mpirun --name "$name" -n 2 --host h0,h1 "$probe" 2 \
      </dev/null >"$work/out" 2>&1 || fail "mpirun: $(cat "$work/out")"
    do_or_skip link h1 down
    cluster pause h1 && cluster resume h1 && cluster kill h1 || fail "faults"
    cluster down || fail "down"
    ;;
  mistakes)
    start 2
    refused 2 "no cluster 'absent' is up" exec --name absent h0 true
    refused 2 "no cluster 'absent' is up" down --name absent
    refused 2 "no host 'h7': there are h0 to h1" link --name "$name" h7 down
    refused 2 "no host 'head'" kill --name "$name" head
    refused 2 "neither up nor down" link --name "$name" h0 sideways
    refused 2 "no rail 3" link --name "$name" h0 down 3
    refused 2 "'fast' is not a rate" rate --name "$name" h0 fast
    refused 2 "between 1kbit" rate --name "$name" h0 0mbit
    refused 2 "is not a loss" loss --name "$name" h0 much
    refused 2 "between 0.0001 and 100" loss --name "$name" h0 101
    refused 2 "0 hosts" up 0 --name "$name-x"
    refused 2 "99 rails" up 1 --rails 99 --name "$name-x"
    refused 2 "cannot name a cluster" up 1 --name ../x
    refused 2 "no process 99999999" up 1 --while 99999999 --name "$name-x"
    refused 127 "cannot start no-such-program" exec --name "$name" h0 no-such-program
    refused 2 "cannot be reached from inside one of its hosts" \
      exec --name "$name" h0 "$canopy" cluster status --name "$name"
    # A machine that allows no namespaces: a user namespace has limits of its own.
    limited=(unshare -U -r sh -c 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"' -)
    if "${limited[@]}" true 2>/dev/null; then
      "${limited[@]}" "$canopy" cluster up 1 --name "$name-l" >"$work/said" 2>&1
      [ $? -eq 3 ] || fail "without namespaces: exit status is not 3: $(cat "$work/said")"
      grep -q 'cannot make namespaces for fake hosts: the limit' "$work/said" ||
        fail "without namespaces: $(cat "$work/said")"
      "$canopy" cluster status | grep "$name-l" && fail "it left something"
    fi
    # Tools that are not there: the commands look in PATH and in the usual folders; on the head, in
    # mounts of our own, the usual folders can be emptied.
    if [ "$(id -u)" -eq 0 ]; then
      for missing in "nft nftables loss h0 1" "tc iproute2 rate h0 1mbit"; do
        read -r tool package command <<<"$missing"
        # shellcheck disable=SC2086  # words
        on head unshare --mount sh -c '
          for file in /usr/sbin/$0 /usr/bin/$0; do
            [ ! -e $file ] || { mount --bind /dev/null $file && mount -o remount,bind,noexec $file; }
          done
          exec "$@"' "$tool" "$canopy" cluster ${command%% *} --name "$name" ${command#* } >"$work/said" 2>&1
        [ $? -eq 3 ] || fail "without $tool: exit status is not 3: $(cat "$work/said")"
        grep -q "$tool is not installed here (Debian package $package)" "$work/said" ||
          fail "without $tool: $(cat "$work/said")"
      done
    fi
    ;;
  *) fail "no such case" ;;
esac
