#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Machines that cannot have views: insmod with views=required says why, in one
# line, and does not load; without it the module loads, and says the same in sysfs;
# and `skyctl doctor` says it without the module. An application that is as it was
# works on, over shm and over kcall. Each is a guest of its own, on a CPU that really
# lacks it, or whose Linux does not use it. (KVM that has VMX: root_kvm.)
set -u
cd "$(dirname "$0")" || exit 1
out=$(cd ../.. && cd "${SKY_OUT:-build}" && pwd) || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0 failed=0

# refuses NAME ERRNO TEXT RUN-OPTIONS...
refuses()
{
	name=$1 error=$2 text=$3
	shift 3
	n=$((n + 1))
	./with-skyipc "$@" --module msr \
		--add "$out/examples/statistics:/lab/bin/statistics" -- \
		./root_refusal "$error" "$text" \
		>"$tmp/log" 2>&1
	case $? in
	0) echo "ok $n - $name: $text" ;;
	77) echo "ok $n - $name # skip $(tail -n 1 "$tmp/log")" ;;
	*)
		echo "not ok $n - $name: $text"
		sed 's/^/# /' "$tmp/log"
		failed=1
		;;
	esac
}

refuses AMD EOPNOTSUPP "views need VT-x, which only Intel's CPUs have" \
	--lane tcg --cpu EPYC
refuses 'no VMX' EOPNOTSUPP 'no VMX: this CPU has none, or it is hidden' \
	--lane tcg --append pti=off
refuses KPTI EOPNOTSUPP \
	'page-table isolation is on: needs pti=off, or a CPU without Meltdown' \
	--lane tcg --append 'mitigations=auto pti=on'
refuses 'KPTI, with VMX' EOPNOTSUPP \
	'page-table isolation is on: needs pti=off, or a CPU without Meltdown' \
	--lane vtx --append 'mitigations=auto pti=on'
refuses 'no FSGSBASE' EOPNOTSUPP \
	'Linux does not use FSGSBASE: old, or nofsgsbase' \
	--lane vtx --append nofsgsbase
refuses 'no INVPCID' EOPNOTSUPP 'Linux does not use INVPCID: old, or noinvpcid' \
	--lane vtx --append noinvpcid
refuses Penryn EOPNOTSUPP 'VMX: no EPT' --lane vtx --cpu core2_penryn_t9600
refuses 'Sandy Bridge' EOPNOTSUPP 'VMX: no VM functions' \
	--lane vtx --cpu corei7_sandy_bridge_2600k
refuses 'locked off' EOPNOTSUPP \
	'VMX is locked off: turn on VT-x in the firmware' \
	--lane vtx --vmx-locked-off
refuses 'VMX in use' EBUSY \
	'CR4.VMXE is set: KVM? rmmod kvm_intel, or kvm.enable_virt_at_load=0' \
	--lane vtx --env LACK=vmxe
echo "1..$n"
exit $failed
