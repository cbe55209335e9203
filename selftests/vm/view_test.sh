#!/bin/sh
# SPDX-License-Identifier: MIT
#
# view_test.sh KERNEL CPUS [NAME=VALUE...]: view.list in a guest with VMX, and that
# environment. Exits 77 if what that takes cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
kernel=$1 cpus=$2
shift 2
for set; do
	shift
	set -- "$@" --env "$set"
done
exec selftests/vm/with-skyipc --lane vtx --kernel "$kernel" --cpus "$cpus" \
	--list selftests/vm/view.list --module brd "$@"
