#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fuzz/all.sh FOLDER SECONDS: every fuzzer of FOLDER for so long, as many at a
# time as there are CPUs. TAP; what they say follows their line if they fail.
set -u
here=$(dirname "$0")
folder=$1 seconds=$2
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

export here seconds logs
find "$folder" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x |
	xargs -P "$(nproc)" -I '{}' bash -c '
		name=$(basename "{}")
		"$here/run.sh" "{}" "$seconds" >"$logs/$name" 2>&1
		echo $? >"$logs/$name.status"'

n=0 failed=0
for status in "$logs"/*.status; do
	name=$(basename "$status" .status)
	n=$((n + 1))
	if [ "$(cat "$status")" = 0 ]; then
		echo "ok $n - $name, $seconds s"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$logs/$name"
		failed=1
	fi
done
echo "1..$n"
[ $n -gt 0 ] && exit $failed
