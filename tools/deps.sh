#!/bin/bash
# Installs what is missing of the named groups in tools/packages: tools/deps.sh build test
set -eu
cd "$(dirname "$0")/.."

missing() {
    for group in "$@"; do
        awk -v group="$group" '$1 == group { print $2 }' tools/packages
    done | sort -u | while read -r package; do
        case $installed in *" $package "*) ;; *) echo "$package" ;; esac
    done
}
look() {
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | tr '\n' ' ')"
    missing=$(missing "$@")
}

look "$@"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "missing packages; as root: apt-get install --no-install-recommends" $missing >&2
    exit 1
fi

mkdir -p build
exec 9>build/deps.lock
flock 9
look "$@"
[ -n "$missing" ] || exit 0

# no service starts because of us
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
fi

echo "installing" $missing
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >build/deps.log
# shellcheck disable=SC2086
apt-get -q -y --no-install-recommends install $missing >>build/deps.log 2>&1 9>&- || { tail -n 20 build/deps.log >&2; exit 1; }
