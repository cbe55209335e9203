#!/bin/sh
# SPDX-License-Identifier: MIT
#
# root_test.sh KERNEL: build skyipc.ko and skyipc_test.ko for it, without a
# warning, and run root.list in a guest with VMX. Exits 77 if the kernel or the
# emulator cannot be had.
set -u
kernel=$1
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=$(cd "${SKY_OUT:-build}" && pwd) || exit 1
vm=$out/vm/$kernel
log=$vm/log

kdir=$(selftests/vm/kernels path "$kernel" kdir) || exit $?
mkdir -p "$vm" || exit 1

# module NAME COMMAND...: it builds, and says nothing of our files
module()
{
	name=$1
	shift
	if ! "$@" >"$log" 2>&1 || grep -qE 'warning: .*(objtool|kmod/)|kmod/.*(warning|error):' "$log"; then
		echo "not ok 1 - $name builds for $kernel without a warning"
		sed 's/^/# /' "$log"
		exit 1
	fi
}

module skyipc.ko make modules O="$vm" KDIR="$kdir" KBUILD_ARGS=W=1
rm -rf "$vm/test"
cp -r selftests/vm/kmod "$vm/test"
module skyipc_test.ko make -C "$kdir" M="$vm/test" W=1 modules

set --
for t in "$out"/selftests/vm/tests/root_*; do
	case $t in
	*.o | *.d) ;;
	*) set -- "$@" --add "$t:/lab/$(basename "$t")" ;;
	esac
done
exec selftests/vm/run --lane vtx --kernel "$kernel" --timeout 3600 \
	--add "$vm/modules/kmod/skyipc.ko:/lib/skyipc/skyipc.ko" \
	--add "$vm/test/skyipc_test.ko:/lib/skyipc/skyipc_test.ko" \
	"$@" --list selftests/vm/root.list
