#!/bin/bash
# SPDX-License-Identifier: MIT
#
# skybench measures, and what the library promises about speed holds: as ratios
# within one run, with room for a busy machine, and the best of three tries. (The
# exact claims are in docs/benchmarking.md and the README; this test is there to
# notice when a factor is lost.)

bench=${SKY_OUT:-build}/bench/skybench
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
n=0 failed=0

# value NAME MODE FIELD: from the rows; MODE may be "."
value() {
	sed -n "/\"name\": *\"$1\".*\"mode\": *\"$2/p; /\"mode\": *\"$2.*\"name\": *\"$1\"/p" \
		"$rows" | head -n 1 | sed -n "s/.*\"$3\": *\([0-9.e+-]*\).*/\1/p"
}

# holds EXPRESSION: in awk's arithmetic
holds() { awk "BEGIN { exit !($1) }"; }

# claim WORDS CHECK ARGUMENTS...: run skybench up to three times until CHECK, a
# function that sets $expression, holds
claim() {
	local words=$1 check=$2 try log
	shift 2
	n=$((n + 1))
	for try in 1 2 3; do
		: >"$rows"
		if ! log=$("$bench" "$@" --json "$rows" 2>&1 >/dev/null); then
			echo "# skybench $*: $log" | head -n 5
			continue
		fi
		$check
		echo "# try $try: $expression"
		if holds "$expression"; then
			echo "ok $n - $words"
			return
		fi
	done
	echo "not ok $n - $words"
	failed=1
}

cross() {
	expression="$(value shm adaptive p50_ns) <= 2 * $(value limit . p50_ns) && 5 * $(value shm adaptive p50_ns) <= $(value pipe . p50_ns) && $(value shm adaptive p99_ns) <= $(value pipe . p50_ns)"
}
same() {
	expression="$(value shm adaptive p50_ns) <= 1.1 * $(value futex . p50_ns) && $(value shm blocking p50_ns) <= 1.25 * $(value futex . p50_ns)"
}
idle() {
	expression="$(value shm adaptive voluntary_switches) + $(value shm blocking voluntary_switches) == 0"
}
long() {
	expression="$(value shm adaptive ratio) >= 0.6"
}

cpus=$(nproc)
echo 1..4
if [ "$cpus" -ge 2 ]; then
	claim 'another CPU: near the limit, far below pipes' cross rtt \
		--peer limit,pipe --placement cross-cpu --calls 20000
else
	n=1
	echo 'ok 1 - another CPU # skip there is only one'
fi
claim 'the same CPU: no worse than a futex' same rtt \
	--mode adaptive,blocking --peer futex --placement same-cpu --calls 20000
claim 'an idle server is not woken' idle idle \
	--mode adaptive,blocking --seconds 1 --rounds 1
if [ "$cpus" -ge 2 ]; then
	claim 'long messages: one copy in all' long throughput \
		--size 1M --calls 5000
else
	echo 'ok 4 - long messages # skip there is only one CPU'
fi
exit $failed
