#!/bin/bash
# Configures the module in nginx's tree $1 for the build folder $2, the rest being arguments of nginx's configure.
# Only when there is something new: an argument, the list of sources, config, or nginx itself.
set -eu
cd "$(dirname "$0")/.."
tree=$1 out=$2
shift 2

now=$(printf '%s\n' "$tree" "$@" src/*/*.cpp; cksum <config; cksum <config.make; cksum <"$tree/src/core/nginx.h")
if [ -e "$out/Makefile" ] && [ "$now" = "$(cat "$out/configured" 2>/dev/null)" ]; then exit 0; fi

mkdir -p "$out"
rm -f "$out/configured"
configure=./configure
[ -e "$tree/configure" ] || configure=auto/configure
echo "configuring $out"
(cd "$tree" && $configure "$@" --builddir="$out") >"$out/configure.log" 2>&1 || { tail -n 5 "$out/configure.log" >&2; exit 1; }
printf '%s\n' "$now" >"$out/configured"
