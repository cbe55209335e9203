#!/bin/sh
# SPDX-License-Identifier: MIT
#
# library_test.sh TRANSPORT RUN-OPTIONS...: TRANSPORT_library.list in a guest that
# has what it takes. Exits 77 if that cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${SKY_OUT:-build}
transport=$1
shift
list=selftests/vm/${transport}_library.list
lane=tcg
[ "$transport" != vmfunc ] || lane=vtx
for t in $(sed -n 's/.*\.\/\([a-z_]*_test\)$/\1/p' "$list"); do
	set -- "$@" --add "$out/selftests/$t:/lab/$t"
done
for p in tools/skyctl examples/hello_server examples/hello_client; do
	set -- "$@" --add "$out/$p:/lab/${p#*/}"
done
set -- "$@" --add selftests/vm/tests/kcall_skyctl.sh:/lab/kcall_skyctl.sh
# What pthread_cancel() opens when it is needed
libgcc=$(${CC:-gcc} -print-file-name=libgcc_s.so.1)
exec selftests/vm/with-skyipc --lane "$lane" --list "$list" \
	--add "$libgcc:/lib/x86_64-linux-gnu/libgcc_s.so.1" "$@"
