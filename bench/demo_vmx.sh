#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo_vmx.sh: the key-value demo over calls by VMFUNC, on a machine that need not
# have VT-x: a guest of the VM lab does, which Bochs emulates. `make demo-vmx`
# builds what it takes.
set -u
cd "$(dirname "$0")/.." || exit 1
out=${SKY_OUT:-build}

for file in bench/skybench tools/skyctl selftests/vm/guest/init; do
	[ -x "$out/$file" ] && continue
	echo "demo-vmx: $out/$file is not built: make demo-vmx" >&2
	exit 1
done
if ! command -v bochs >/dev/null; then
	echo 'demo-vmx: no emulator: apt install bochs bochsbios vgabios' >&2
	exit 1
fi
echo 'demo-vmx: a kernel of Debian'\''s, fetched the first time ...'
selftests/vm/kernels path 6.1 kdir >/dev/null || exit 1
echo 'demo-vmx: the module, built for it; then a PC with VT-x in Bochs. Both take'
echo 'demo-vmx: a minute or two the first time, and some seconds from then on ...'
selftests/vm/with-skyipc --lane vtx --cpus 2 --timeout 900 \
	--add "$out/bench/skybench:/lab/bin/skybench" \
	--add bench/demo_vmx_guest.sh:/lab/demo_vmx.sh \
	--add LICENSE:/lab/texts/LICENSE \
	--add docs/vmfunc.md:/lab/texts/vmfunc.md -- \
	/lab/demo_vmx.sh 200
status=$?
[ "$status" = 77 ] && echo 'demo-vmx: something is missing here: see above' >&2
exit "$status"
