#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The modules build with W=1 and under sparse, without a word about our files,
# against the headers of every kernel that counts: the two that guests run, and
# the newest in Debian's archive, as far as sparse knows those. checkpatch has
# nothing to say either. Exits 77 if kernels cannot be had.
set -u
cd "$(dirname "$0")/../.." || exit 1
kernels=selftests/vm/kernels
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

n=0 failed=0

result()
{
	n=$((n + 1))
	if [ "$1" = ok ]; then
		echo "ok $n - $2"
		return
	fi
	failed=1
	echo "not ok $n - $2"
	sed 's/^/# /' "$tmp/log"
}

# quiet COMMAND...: it succeeds, and does not speak of our files
quiet()
{
	"$@" >"$tmp/log" 2>&1 &&
		! grep -qE '(kmod/|lab_warn).*(warning|error)|(warning|error).*(kmod/|lab_warn)' "$tmp/log"
}

# "KERNEL SPARSE": as everybody builds them, and from elsewhere
for line in '6.1 2' '6.12 2' 'sid 0'; do
	version=${line% *} sparse=${line#* }
	kdir=
	full=$($kernels resolve "$version") &&
		kdir=$($kernels path "$version" kdir)
	status=$?
	if [ $status = 77 ]; then
		n=$((n + 1))
		echo "ok $n - $version # skip no network, and not in the cache"
		continue
	fi
	rm -rf "$tmp/tree"
	mkdir "$tmp/tree"
	cp -r Kbuild kmod selftests/vm/modules/lab_warn "$tmp/tree"
	if [ -z "$kdir" ]; then
		echo 'its headers cannot be had' >"$tmp/log"
		result 'not ok' "$version"
		continue
	fi
	for m in kmod/skyipc lab_warn/lab_warn; do
		if quiet env MAKEFLAGS= make -j"$(nproc)" -C "$kdir" M="$tmp/tree/${m%/*}" \
			W=1 C="$sparse" CHECK=sparse modules &&
			[ -s "$tmp/tree/$m.ko" ]; then
			result ok "$version ($full): ${m#*/}.ko"
		else
			result 'not ok' "$version ($full): ${m#*/}.ko"
		fi
	done
done

# --no-tree: they are no kernel's. Its parser takes %k0 in an asm for a modulo,
# and what it says of TRACE_EVENT it says of the kernel's own, too.
if source=$($kernels source 6.1); then
	# elsewhere, as it leaves a file where it finds a .git
	set -- "$PWD"/kmod/*.[ch] "$PWD"/kmod/*/*.[chS] \
		"$PWD"/selftests/vm/kmod/*.[ch]
	(cd "$tmp" && perl "$source/scripts/checkpatch.pl" --strict --no-tree \
		--terse --quiet --ignore OPEN_ENDED_LINE -f "$@") 2>&1 |
		grep -vE "around that '%'|trace_.*: CHECK: Alignment|^total" >"$tmp/log"
	if [ -s "$tmp/log" ]; then
		result 'not ok' checkpatch
	else
		result ok checkpatch
	fi
else
	n=$((n + 1))
	echo "ok $n - checkpatch # skip no network, and not in the cache"
fi
echo "1..$n"
exit $failed
