#!/bin/bash
# Runs a command with a loopback interface and processes of its own: no port is taken, nothing outlives it
set -eu
alone=(unshare --net --pid --fork --kill-child --mount-proc)

if [ "$(id -u)" != 0 ] || ! "${alone[@]}" true 2>/dev/null; then
    echo "$0: cannot make namespaces (that needs root), so the tests share this machine's ports" >&2
    exec "$@"
fi
# the shell stays as the process that waits for orphans
exec "${alone[@]}" sh -c 'ip link set lo up && "$@"; exit $?' sh "$@"
