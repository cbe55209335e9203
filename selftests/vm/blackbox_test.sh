#!/bin/sh
# SPDX-License-Identifier: MIT
#
# blackbox_test.sh KERNEL RUN-OPTIONS...: blackbox.list in a guest with VMX. Exits
# 77 if what that takes cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
kernel=$1
shift
out=$(cd "${SKY_OUT:-build}" && pwd) || exit 1
vm=selftests/vm

mkdir -p "$out/vm"
$vm/blackbox "$out/vm/blackbox" || exit $?
# Bochs delivers a single step after SYSCALL has masked TF; the kernel warns of
# that, without us, once.
exec $vm/with-skyipc --lane vtx --kernel "$kernel" --list $vm/blackbox.list \
	--allow 'WARNING: .* exc_debug\+' \
	--add $vm/guest/blackbox:/lab/bin/blackbox \
	--add "$out/vm/blackbox:/lab/blackbox" "$@"
