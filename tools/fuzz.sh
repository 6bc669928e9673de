#!/bin/bash
# Runs the fuzz target $2 for $1 seconds. What it finds new goes to build/fuzz/corpus, what fails to build/fuzz/found.
set -eu
cd "$(dirname "$0")/.."
seconds=$1 target=$2
build=build/fuzz log=build/fuzz/$target.log

mkdir -p "$build/corpus/$target" "$build/found"
options=(-max_total_time="$seconds" -print_final_stats=1 -timeout=20 -artifact_prefix="$build/found/$target-")
status=0
"$build/$target" "${options[@]}" "$build/corpus/$target" "t/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
if [ $status != 0 ]; then
    echo "fuzz: $target failed, $log:" >&2
    grep -v '^#' "$log" | tail -n 60 >&2
    exit $status
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
covered=$(sed -n 's/^#.*DONE *cov: \([0-9]*\).*/\1/p' "$log")
echo "fuzz: $target: $runs executions, $covered places covered"
