#!/bin/sh
# SPDX-License-Identifier: MIT
#
# numa_test.sh LAYOUT PLACES RUN-OPTIONS...: numa.list on a machine of that layout
# (lab/numa.py), whose places for replicas have to be PLACES: of each
# node/memory:cpu:cpu...
set -u
cd "$(dirname "$0")/../.." || exit 1
out=${SKY_OUT:-build}
list=selftests/vm/numa.list
layout=$1 places=$2
shift 2
for t in $(sed -n 's/.*\.\/\([a-z_]*_test\)$/\1/p' "$list"); do
	set -- "$@" --add "$out/selftests/$t:/lab/$t"
done
exec selftests/vm/run --lane tcg --timeout 1800 --numa "$layout" \
	--env "NR_TEST_PLACES=$places" --list "$list" "$@"
