#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A module builds, without warnings, against the headers of every kernel that
# counts: the two that guests run, and the newest in Debian's archive.
# Exits 77 if they cannot be had.
set -u
cd "$(dirname "$0")" || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0 failed=0
echo 1..3
for version in 6.1 6.12 sid; do
	n=$((n + 1))
	rm -rf "$tmp/m"
	cp -r modules/lab_warn "$tmp/m"
	full=$(./kernels resolve $version) && kdir=$(./kernels path $version kdir)
	status=$?
	if [ $status = 77 ]; then
		echo "ok $n - $version # skip no network, and not in the cache"
		continue
	fi
	# the way everybody does it
	if [ $status = 0 ] && make -C "$kdir" M="$tmp/m" W=1 modules \
		>"$tmp/log" 2>&1 && [ -s "$tmp/m/lab_warn.ko" ] &&
		! grep -q "lab_warn\.c:.*warning" "$tmp/log"; then
		echo "ok $n - $version ($full)"
	else
		echo "not ok $n - $version"
		sed 's/^/# /' "$tmp/log"
		failed=1
	fi
done
exit $failed
