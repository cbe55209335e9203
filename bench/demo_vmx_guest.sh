#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo_vmx_guest.sh [CALLS]: in a guest with VT-x, as root. skybench, skyctl and
# texts to store are beside. Fails if calls do not go by VMFUNC, or are not
# counted.
cd "$(dirname "$0")" || exit 99
calls=${1:-200}
PATH=$PATH:/lab/bin
export TMPDIR=/tmp/demo
mkdir -p "$TMPDIR" || exit 99

say()
{
	echo
	echo "=== $*"
}

fail()
{
	echo "demo-vmx: $*" >&2
	exit 1
}

# The servers of a run, as they are while it works: the last of what was seen. One
# that is called by VMFUNC is not forgotten for the next of that name.
watch()
{
	pid=$1
	rm -f "$TMPDIR"/seen.*
	while kill -0 "$pid" 2>/dev/null; do
		for name in "$TMPDIR"/skybench-*/*; do
			[ -S "$name" ] || continue
			seen=$TMPDIR/seen.${name##*/}
			skyctl stat --timeout 5 "$name" >"$TMPDIR/now" \
				2>/dev/null || continue
			grep -q '^in views' "$TMPDIR/now" ||
				! grep -qs '^in views' "$seen" || continue
			mv "$TMPDIR/now" "$seen"
		done
	done
	wait "$pid" || fail 'skybench has failed'
	for seen in "$TMPDIR"/seen.*; do
		[ -s "$seen" ] || fail 'no server was seen'
		echo
		cat "$seen"
	done
	grep -q '^in views' "$TMPDIR"/seen.* || fail 'no call has gone by VMFUNC'
}

if [ ! -d /sys/module/skyipc ]; then
	say 'insmod skyipc.ko: this Linux becomes the guest of a thin root'
	insmod /lib/skyipc/skyipc.ko views=required || fail 'insmod skyipc.ko'
	mine=1
fi
# Not at the beginning of a line: in a list of tests it would be one.
lines=$(skyctl doctor | grep -E '^[a-z]+ +(module|views|transport)') ||
	fail 'no word of views from the doctor'
echo "$lines" | sed 's/^/    /'

say 'a call that does nothing, by VMFUNC and through the kernel'
echo '(An emulator has no idea of time: one "ns" is some 0.02 instructions. Compare'
echo 'rows, and nothing else.)'
skybench rtt --transport vmfunc,kcall --mode adaptive --peer none \
	--placement same-cpu --calls "$((calls * 100))" --rounds 1 &
watch $!

say 'client -> encryption server -> key-value server'
skybench kv --transport vmfunc --mode adaptive --peer none \
	--placement same-cpu --size 1k --data texts --calls "$calls" \
	--rounds 1 &
watch $!
# It calls the store, and that is not done in a view.
grep -q "calls of 'crypto' that begin in a view make a system call" \
	"$TMPDIR/seen.crypto" || fail 'skyctl does not say who leaves views'

say 'what has left the guest since: exits of the CPUs, by reason'
cat /sys/kernel/debug/skyipc/exits
[ -z "${mine:-}" ] || rmmod skyipc || fail 'rmmod skyipc'
say done
