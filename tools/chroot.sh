#!/bin/bash
# Runs a command in a bare Debian of its own, made if need be and kept: build/platforms/SUITE. Needs root.
# tools/chroot.sh trixie make -C /src demo
set -eu
cd "$(dirname "$0")/.."
suite=$1 dir=$PWD/build/platforms/$1
shift

make_root() {
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian')
    rm -rf "$dir"
    mkdir -p "$dir"
    debootstrap --variant=minbase --include=make,ca-certificates "$suite" "$dir" "${mirror%%$'\n'*}"
    apt-config dump | grep -E '^Acquire::(Check|http)' >"$dir/etc/apt/apt.conf.d/90outside" || true
    cp /etc/hosts "$dir/etc/hosts"
    touch "$dir/made"
}

if [ ! -e "$dir/made" ]; then
    echo "making $dir"
    make_root >"$dir.made.log" 2>&1 || { tail -n 20 "$dir.made.log" >&2; exit 1; }
fi

# bound to itself, so that a command can make namespaces in it; with its processes, what was mounted is gone
exec unshare --mount --pid --fork --kill-child sh -c '
    dir=$1; shift
    mount --bind "$dir" "$dir" && mount -t proc proc "$dir/proc" &&
    chroot "$dir" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; exit $?' sh "$dir" "$@"
