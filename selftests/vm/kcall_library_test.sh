#!/bin/sh
# SPDX-License-Identifier: MIT
#
# kcall_library_test.sh RUN-OPTIONS...: kcall_library.list in a guest of lane tcg.
# Exits 77 if what that takes cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${SKY_OUT:-build}
list=selftests/vm/kcall_library.list
for t in $(sed -n 's/.*\.\/\([a-z_]*_test\)$/\1/p' $list); do
	set -- "$@" --add "$out/selftests/$t:/lab/$t"
done
for p in tools/skyctl examples/hello_server examples/hello_client; do
	set -- "$@" --add "$out/$p:/lab/${p#*/}"
done
set -- "$@" --add selftests/vm/tests/kcall_skyctl.sh:/lab/kcall_skyctl.sh
# What pthread_cancel() opens when it is needed
libgcc=$(${CC:-gcc} -print-file-name=libgcc_s.so.1)
exec selftests/vm/with-skyipc --lane tcg --list $list \
	--add "$libgcc:/lib/x86_64-linux-gnu/libgcc_s.so.1" "$@"
