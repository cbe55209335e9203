#!/bin/sh
# SPDX-License-Identifier: MIT
#
# How many instructions a short call costs on each side, counted by callgrind:
# the same number on every run. The budget (docs/shm.md) is 150 on each side.
# What gcc 12 makes of it is written down below; 10% more is a failure, to be
# mended, or to be argued for by changing the number.

budget=150
reference_client=128
reference_server=140
n=64
# On one CPU: a thread that moves tells its peer, which is not what we count.
cpu=$(taskset -cp $$ | sed "s/.*[ ,-]//")

out=${SKY_OUT:-build}
export SKYIPC_TRANSPORT=shm
program=$out/selftests/helpers/budget

if ! command -v valgrind >/dev/null; then
	echo "1..0 # skip valgrind is not installed"
	exit 77
fi

# count OUTER FUNCTION: instructions in FUNCTION and what it calls, for each of
# n calls made by OUTER. What valgrind has instead of one load from the rseq
# area, sched_getcpu(), is taken off.
count() {
	file=$(mktemp)
	taskset -c "$cpu" valgrind --tool=callgrind \
		--callgrind-out-file="$file" --toggle-collect="$1" \
		"$program" >"$file.log" 2>&1 || cat "$file.log" >&2
	callgrind_annotate --auto=no --inclusive=yes --threshold=100 \
		"$file" 2>/dev/null | tr -d , |
		awk -v f=":$2" -v n=$n '
			index($0, f " ") || $0 ~ f "$" { if ($1 > all) all = $1 }
			/sched_getcpu/ { getcpu = $1 }
			END { printf "%d\n", (all - getcpu) / n }'
	rm -f "$file" "$file.log"
}

client=$(count count_client skyipc_call)
server=$(count count_server serve_ready)

echo 1..2
failed=0
# check NUMBER SIDE COUNT REFERENCE
check() {
	verdict=ok
	[ "$3" -gt 20 ] && [ "$3" -le $budget ] || verdict='not ok'
	if ${CC:-gcc} --version 2>/dev/null | grep -q '^gcc.* 12\.'; then
		[ $(($3 * 10)) -le $(($4 * 11)) ] || verdict='not ok'
	fi
	[ "$verdict" = ok ] || failed=1
	echo "$verdict $1 - $2: $3 instructions (budget $budget, reference $4)"
}
check 1 client "$client" $reference_client
check 2 server "$server" $reference_server
exit $failed
