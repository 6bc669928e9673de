#!/bin/bash
# Runs a command in build/platforms/NAME, a copy of the bare Debian SUITE; both are made if need be, and kept. Needs root.
# NAME is SUITE or SUITE-WORD: tools/chroot.sh trixie make -C /src demo
set -eu
cd "$(dirname "$0")/.."
name=$1 suite=${1%%-*} all=$PWD/build/platforms
shift

bootstrap() {    # into this folder
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian')
    unshare --mount debootstrap --variant=minbase --include=make,ca-certificates "$suite" "$1" "${mirror%%$'\n'*}"
    apt-config dump | grep -E '^Acquire::(Check|http)' >"$1/etc/apt/apt.conf.d/90outside" || true
    cp /etc/hosts "$1/etc/hosts"
    # no service starts
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod +x "$1/usr/sbin/policy-rc.d"
}

mkdir -p "$all"
exec 9>"$all/$suite.lock"
flock 9
if [ ! -e "$all/$suite.bare" ]; then
    rm -rf "$all/$suite.new"
    trap 'tail -n 20 "$all/$suite.bootstrap.log" >&2' ERR
    (bootstrap "$all/$suite.new") >"$all/$suite.bootstrap.log" 2>&1
    mv "$all/$suite.new" "$all/$suite.bare"
fi
if [ ! -e "$all/$name" ]; then
    rm -rf "$all/$name.new"
    cp -a "$all/$suite.bare" "$all/$name.new"
    mv "$all/$name.new" "$all/$name"
fi
exec 9>&-

# bound to itself, so that a command can make namespaces in it; with its processes, what was mounted is gone,
# and what make left in /tmp under a process id that comes again
exec unshare --mount --pid --fork --kill-child sh -c '
    dir=$1; shift
    mount --bind "$dir" "$dir" && mount -t proc proc "$dir/proc" &&
    mount -t tmpfs tmpfs "$dir/tmp" &&
    chroot "$dir" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; exit $?' sh "$all/$name" "$@"
