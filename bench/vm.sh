#!/bin/sh
# SPDX-License-Identifier: MIT
#
# vm.sh [SKYBENCH-ARGUMENTS...]: skybench in a guest of the VM lab that has the
# module, beside what the same kernel has, booted as Debian boots: with its
# mitigations. It is emulated: compare rows of one run, nothing else.
set -u
cd "$(dirname "$0")/.." || exit 1
out=${SKY_OUT:-build}
[ $# -gt 0 ] || set -- rtt --transport kcall,shm --mode adaptive,blocking \
	--peer futex,pipe,unix-stream --placement same-cpu,cross-cpu --size 8
exec selftests/vm/with-skyipc --lane tcg --cpus 2 \
	--append 'mitigations=auto pti=auto' \
	--add "$out/bench/skybench:/lab/bin/skybench" -- sh -c \
	'insmod /lib/skyipc/skyipc.ko views=off && exec skybench "$@"' skybench "$@"
