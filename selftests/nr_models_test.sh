#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Models of node replication, searched by spin through all their states; and
# mutants of them, of which each must be found to be wrong. What is searched by
# itself takes a minute or two; NR_MODELS=long searches larger models, too (the
# last ones some minutes, and some GiB of memory).
set -u
cd "$(dirname "$0")/models" || exit 1
models=$PWD
model=
cc=${CC:-gcc}

for tool in spin "${cc%% *}"; do
	if ! command -v "$tool" >/dev/null; then
		echo "1..0 # skip $tool is not installed (scripts/deps install check)"
		exit 77
	fi
done

tmp=$(mktemp -d /tmp/skyspin.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP
cd "$tmp" || exit 1
number=0 failed=0

# search DEFINES...: sets verdict to holds, wrong, or what went wrong with it;
# and found to what it found, or how much it has seen. With -DENDS also cycles are
# searched, in which all that can go on does (weak fairness).
search() {
	local out kind=-DSAFETY cycles=
	case " $* " in *' -DENDS '*) kind=-DNFAIR=3 cycles='-a -f' ;; esac
	verdict=unknown found=
	if ! out=$(spin -a "$@" "$model" 2>&1 && $cc -O2 -w $kind \
		-o pan pan.c 2>&1); then
		found=$out
		return
	fi
	# shellcheck disable=SC2086 # none, or two
	out=$(./pan -m100000 -n $cycles 2>&1)
	rm -f ./*.trail
	found=$(echo "$out" | sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p')
	if [ -n "$found" ] && ! echo "$found" | grep -q 'max search depth'; then
		verdict=wrong
	elif echo "$out" | grep -q 'errors: 0' &&
		! echo "$out" | grep -Eq 'max search depth|out of memory'; then
		verdict=holds
		found=$(echo "$out" | awk '/states, stored/ { print $1 }')
	else
		found=$out
	fi
}

# expect VERDICT NAME DEFINES...
expect() {
	local want=$1 name=$2
	shift 2
	number=$((number + 1))
	search "$@"
	if [ "$verdict" = "$want" ]; then
		[ "$want" = holds ] || name="killed: $name"
		echo "ok $number - $name ($found${want/#holds/ states})" |
			sed 's/wrong)$/)/'
	else
		echo "not ok $number - $name: $verdict: $found"
		failed=1
	fi
}

model=$models/nr.pml
expect holds 'log, collection and helping' -DREADERS=0
expect holds 'log of 4' -DREADERS=0 -DLOG=4 -DFIRST=5 -DSECOND=1
expect holds 'reads' -DFIRST=2 -DSECOND=1
expect holds 'reads of an idle replica that is helped' -DSECOND=0
for m in NO_APPLY NO_HELP HEAD_FIRST SPACE_RELOAD ALIVE_FLAG ALIVE_FIRST \
	CTAIL_BACK; do
	expect wrong $m -DREADERS=0 -D$m
done
for m in UNLOCK_EACH READ_STALE; do
	expect wrong $m -DFIRST=2 -DSECOND=1 -D$m
done
for m in READ_STALE HELP_OPEN HELP_GATE; do
	expect wrong "$m, an idle replica" -DSECOND=0 -D$m
done
if [ "${NR_MODELS:-}" = long ]; then
	expect holds 'reads and helping'
	expect holds 'reads, log of 4' -DLOG=4 -DFIRST=4 -DSECOND=1
fi

model=$models/nr_slots.pml
expect holds 'slots, batches and a full log'
for m in NO_RETRY TWICE OVERTAKE SYNC_LATE; do
	expect wrong $m -D$m
done

model=$models/nr_late.pml
expect holds 'replicas that come and go'
for m in LATE_LTAIL LATE_COLLECT REMOVE_USED; do
	expect wrong $m -D$m
done
if [ "${NR_MODELS:-}" = long ]; then
	expect holds 'replicas that come and go, more updates' -DFIRST=3 -DSECOND=3
fi

model=$models/nr_lock.pml
expect holds 'reader lock, one writer' -DWRITERS=1 -DROUNDS=4
expect holds 'reader lock, two writers' -DBYPASS=0
for m in READER_BLIND WRITER_BLIND STARVE LOST_WAKE GRANT_ASLEEP WORD_AGAIN \
	LOOK_ONCE; do
	expect wrong $m -DBYPASS=0 -D$m
done
if [ "${NR_MODELS:-}" = long ]; then
	expect holds 'reader lock, passed once'
fi

model=$models/nr_cnr.pml
expect holds 'several logs' -DREADS=0 -DSEVERAL=2
expect holds 'several logs, a read of both' -DCUTS -DREADS=1
expect holds 'several logs, reads beside updates' -DCONCURRENT -DREADS=1
expect wrong NO_WAIT -DREADS=0 -DNO_WAIT
expect wrong UNORDERED -DREADS=0 -DSEVERAL=2 -DUNORDERED
expect wrong CTAIL_OWN -DCTAIL_OWN
expect wrong CTAIL_LATE -DCONCURRENT -DCTAIL_LATE
for m in CUT HOLD; do
	expect wrong $m -DCUTS -DREADS=1 -D$m
done
if [ "${NR_MODELS:-}" = long ]; then
	expect holds 'several logs, two reads'
	expect holds 'several logs, two reads beside updates' -DCONCURRENT
	expect holds 'several logs, two reads of both' -DCUTS
fi

model=$models/nr_help.pml
expect holds 'helpers in several logs' -DREADERS=2
expect holds 'helpers in several logs end' -DENDS -DREADERS=2
for m in HELP_WAITS HELP_ALONE GIVE_EARLY; do
	expect wrong $m -D$m
done
for m in HELP_BOTH NOT_WANTED WANTED_LATE NOT_ARRIVED; do
	expect wrong $m -DENDS -DREADERS=2 -D$m
done
if [ "${NR_MODELS:-}" = long ]; then
	expect holds 'three helpers in several logs' -DHELPERS=3 -DREADERS=2
	expect holds 'three helpers in several logs end' -DHELPERS=3 -DREADERS=2 -DENDS
fi
echo "1..$number"
exit $failed
