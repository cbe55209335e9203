#!/bin/sh
# SPDX-License-Identifier: MIT
#
# kexec_test.sh KERNEL HOW...: machines that end with views on, each a guest of
# its own; how, says tests/root_kexec.c. Exits 77 if what that takes cannot be
# had.
set -u
cd "$(dirname "$0")" || exit 1
kernel=$1
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0 failed=0

result() # ok|not ok, TEXT
{
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] && return
	failed=1
	sed 's/^/# /' "$tmp/log"
}

guest() # HOW RUN-OPTIONS...
{
	how=$1
	shift
	./with-skyipc --lane vtx --kernel "$kernel" "$@" -- \
		./root_kexec "$how" >"$tmp/log" 2>&1
	status=$?
	[ $status != 77 ] || {
		cat "$tmp/log"
		exit 77
	}
}

# Linux restarts such a machine by a triple fault, which in VMX would be an exit.
restart()
{
	guest restart
	if [ $status = 121 ] && grep -q 'crashed: a triple fault' "$tmp/log" &&
		grep -q 'reboot: Restarting system' "$tmp/log"; then
		result ok 'restart: as without views'
	else
		result 'not ok' restart
	fi
}

another() # HOW RUN-OPTIONS...: what the next kernel says
{
	guest "$@" --kexec
	if [ $status = 0 ] && grep -q '^ok' "$tmp/log"; then
		result ok "$1: $(grep '^ok' "$tmp/log" |
			sed 's/^ok [0-9]* - //' | paste -sd , | sed 's/,/, /g')"
	else
		result 'not ok' "$1"
	fi
}

crash='--memory 512 --append crashkernel=192M'
for how; do
	# shellcheck disable=SC2086 # it is several words
	case $how in
	restart) restart ;;
	kexec) another kexec ;;
	crash) another crash $crash ;;
	kvm) another kvm $crash --module kvm --module kvm_intel ;;
	*)
		echo "$how: not restart, kexec, crash or kvm" >"$tmp/log"
		result 'not ok' "$how"
		;;
	esac
done
echo "1..$n"
exit $failed
