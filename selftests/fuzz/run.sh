#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fuzz/run.sh PROGRAM SECONDS [libFuzzer options]: fuzz from the program's own
# seeds. With CORPUS=DIR what is found is kept there, and gone on from.

set -u
program=$1 seconds=$2
shift 2
corpus=${CORPUS:-$(mktemp -d)}
trap '[ -n "${CORPUS:-}" ] || rm -rf "$corpus"' EXIT
mkdir -p "$corpus" && FUZZ_SEEDS=$corpus "$program" || exit 1
cd "$corpus" || exit 1 # where findings are left
# No functions are printed: the symbolizer has descriptors of its own.
"$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
	-max_len=16384 -print_funcs=0 "$@" "$corpus"
status=$?
for f in crash-* leak-* timeout-* oom-*; do
	[ -e "$f" ] && { echo "finding $f:"; xxd "$f" | head -n 64; }
done
exit $status
