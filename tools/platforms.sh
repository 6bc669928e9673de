#!/bin/bash
# make demo and make test of HEAD in bare Debians, in all of them also where one fails: tools/platforms.sh bookworm trixie
# Where hiredis has TLS, test-nginx again by that
set -eu -o pipefail
cd "$(dirname "$0")/.."

demo_and_test() {
    local suite=$1 source=build/platforms/$1/src
    tools/chroot.sh "$suite" rm -rf /src &&
        git clone -q . "$source" &&
        tools/chroot.sh "$suite" make -C /src demo &&
        tools/chroot.sh "$suite" make -C /src test &&
        { ! grep -q libhiredis_ssl "$source"/build/*.so || tools/chroot.sh "$suite" make -C /src test-nginx REDIS=rediss; }
}
versions() {
    tools/chroot.sh "$1" dpkg-query -W -f '${Package} ${Version}\n' nginx g++ libhiredis-dev libssl-dev redis-server perl |
        paste -sd , | sed 's/,/, /g'
}

mkdir -p build/platforms
failed=0
for suite in "$@"; do
    log=build/platforms/$suite.log
    if demo_and_test "$suite" >"$log" 2>&1; then
        echo "$suite: passed ($(versions "$suite"))"
    else
        failed=1
        tail -n 40 "$log" >&2
        echo "$suite: FAILED, see $log"
    fi
done
exit $failed
