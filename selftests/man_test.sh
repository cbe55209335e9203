#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every function that libskyipc, libskyipc-uring and libnr export is documented, used in an
# example, and declared in the header; the manual pages have no warnings, and
# what they refer to is there. Exits 0, 1, or 77 when mandoc is missing.
set -eu
cd "$(dirname "$0")/.."

bad=0

not_ok()
{
	echo "not ok $*"
	bad=1
}

if ! command -v mandoc >/dev/null; then
	echo 'skip: mandoc is not installed (scripts/deps install check)'
	exit 77
fi

# library FOLDER PREFIX
library()
{
	man=$1/man
	functions=$(sed -n "s/^[[:space:]]*\\($2[a-z_]*\\);\$/\\1/p" "$1/$1.map")
	[ -n "$functions" ] || not_ok "$1.map: no functions found"

	for f in $functions; do
		[ -e "$man/$f.3" ] || not_ok "$f has no page"
		grep -qw "$f" examples/*.c examples/*.h ||
			not_ok "$f is in no example"
		grep -q "[ *]$f(" "$1/include"/*.h ||
			not_ok "$f is in no header"
		# the page that it leads to must list it and show how it is called
		[ ! -e "$man/$f.3" ] ||
			sed -n '/^\.Sh NAME/,/^\.Nd/p' "$man/$f.3" |
			grep -qw "$f" || not_ok "$f.3 does not name $f"
		[ ! -e "$man/$f.3" ] ||
			grep -Eq "^\.F[no] \"?$f( |\$)" "$man/$f.3" ||
			not_ok "$f.3 does not have the synopsis of $f"
	done
	echo "ok $(echo "$functions" | wc -w) functions of $1 documented and used"
}

library libskyipc skyipc_
library libskyipc-uring skyipc_uring_
library libnr nr_

pages=$(echo libskyipc/man/*.[0-9] libskyipc-uring/man/*.[0-9] libnr/man/*.[0-9])
for page in $pages; do
	# one that is an alias is read through the link
	[ -e "$page" ] || not_ok "$page leads nowhere"
	out=$(mandoc -T lint -W warning "$page" 2>&1) || not_ok "$page: $out"
	[ -L "$page" ] ||
		[ "$(head -n 1 "$page")" = '.\" SPDX-License-Identifier: MIT' ] ||
		not_ok "$page: no licence"
	for section in NAME SYNOPSIS DESCRIPTION EXAMPLES 'SEE ALSO'; do
		case "$page:$section" in *.7:SYNOPSIS) continue ;; esac
		grep -q "^\.Sh $section" "$page" ||
			not_ok "$page: no section $section"
	done
done

# references among our own pages
sed -n 's/^\.Xr \(sky[a-z_]*\|nr[a-z_]*\) \([0-9]\).*/\1.\2/p' \
	$pages | sort -u |
	while read -r ref; do
		[ -e "libskyipc/man/$ref" ] || [ -e "libnr/man/$ref" ] ||
			[ -e "libskyipc-uring/man/$ref" ] || echo "$ref"
	done >"${TMPDIR:-/tmp}/man_test.$$"
while read -r ref; do
	not_ok "a page refers to $ref, which is not there"
done <"${TMPDIR:-/tmp}/man_test.$$"
rm -f "${TMPDIR:-/tmp}/man_test.$$"

# options PAGE SOURCE...: every long option in the sources, as Fl -NAME
options()
{
	page=$1
	shift
	found=$(sed -n \
		's/^[[:space:]]*{ "\([a-z-]*\)", *\([01]\|[a-z]*_argument\),.*/\1/p' "$@")
	[ -n "$found" ] || not_ok "$page: no options found in $*"
	for o in $found; do
		grep -q -e "Fl -$o" "$page" || not_ok "$page: no option --$o"
	done
}

options libskyipc/man/skyctl.1 tools/ctl_*.c
options libskyipc/man/skybench.1 bench/options.c

[ $bad = 0 ] && echo 'ok manual pages'
exit $bad
