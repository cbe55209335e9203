#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every file that git tracks says in its first three lines under which licence
# it is; only the texts that are no code of ours need not.

bad=$(git ls-files | grep -Ev '^(LICENSE|.*\.(json|txt))$' | while read -r f; do
	[ -L "$f" ] || head -n 3 "$f" | grep -q 'SPDX-License-Identifier:' || echo "$f"
done)
echo 1..1
if [ -n "$bad" ]; then
	echo "not ok 1 - no SPDX line in: $bad"
	exit 1
fi
echo "ok 1 - every file has an SPDX line"
