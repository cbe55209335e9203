#!/bin/sh
# SPDX-License-Identifier: MIT
#
# root_test.sh KERNEL [NAME=VALUE...]: root.list in a guest with VMX, and that
# environment. Exits 77 if what that takes cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
kernel=$1
shift
for set; do
	shift
	set -- "$@" --env "$set"
done
exec selftests/vm/with-skyipc --lane vtx --kernel "$kernel" \
	--add "${SKY_OUT:-build}/examples/statistics:/lab/bin/statistics" \
	--list selftests/vm/root.list --module msr --module kvm \
	--module kvm_intel "$@"
