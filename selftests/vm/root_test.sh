#!/bin/sh
# SPDX-License-Identifier: MIT
#
# root_test.sh KERNEL...: root.list on each kernel, and blackbox.list on the
# first; each in a guest of its own with VMX, as many at a time as there are
# CPUs, for the emulator uses one. Exits 77 if what that takes cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$(cd "${SKY_OUT:-build}" && pwd) || exit 1
vm=selftests/vm

# The guests of one line each: KERNEL LIST
one()
{
	kernel=$1 list=$2
	log=$tmp/$kernel-$list
	# Bochs delivers a single step after SYSCALL has masked TF; the kernel
	# warns of that, without us, once.
	allow=--allow='^$'
	[ "$list" = blackbox ] && allow='--allow=WARNING: .* exc_debug\+'
	# what takes long only once
	rounds='100 50'
	[ "$kernel" = "$first" ] || rounds='20 10'
	$vm/with-skyipc --lane vtx --kernel "$kernel" --list "$vm/$list.list" \
		--env "ROUNDS=$rounds" \
		"$allow" \
		--module msr --module kvm --module kvm_intel \
		--add $vm/guest/blackbox:/lab/bin/blackbox \
		--add "$out/vm/blackbox:/lab/blackbox" >"$log" 2>&1
	echo $? >"$log.status"
}

if [ "${1:-}" = --one ]; then
	tmp=$4
	one "$2" "$3"
	exit
fi

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out/vm"
$vm/blackbox "$out/vm/blackbox" || exit $?
export first="$1"
# The longest first
jobs="$1 blackbox"
for kernel; do
	jobs="$jobs
$kernel root"
done
echo "$jobs" | sed "s|\$| $tmp|" | xargs -P "$(nproc)" -L 1 "$0" --one

worst=0
while read -r kernel list; do
	log=$tmp/$kernel-$list
	status=$(cat "$log.status") || status=1
	sed -E "s/^((not )?ok [0-9]+ - )/\1$kernel: /; /^1\.\.[0-9]/d" "$log"
	case $status in
	0) ;;
	77) echo "ok 0 - $kernel $list # skip $(tail -n 1 "$log")" ;;
	*) worst=1 ;;
	esac
done <<EOF
$jobs
EOF
exit $worst
