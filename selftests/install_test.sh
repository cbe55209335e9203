#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make install and uninstall: programs in C and C++ outside the tree build with
# nothing but pkg-config, dynamically and statically linked, and run; the
# shared library exports what it should and nothing else; pages and programs
# belong together; and uninstall leaves no file. Exits 0, 1, or 77 if it cannot
# be tried. $SKY_OUT or $O is the build folder.
set -eu
cd "$(dirname "$0")/.."
. selftests/install.sh

prefix=$tmp/usr
so=$prefix/lib/libskyipc.so.1
install_into "$prefix"
map=$(sed -n 's/^[[:space:]]*\(skyipc_[a-z_]*\);$/\1/p' libskyipc/libskyipc.map)

# Serves and calls in one process, and prints the version: enough to see that
# the library that was installed is the one that is used.
cat >"$tmp/use.c" <<'END'
#include <skyipc.h>
#include <stdio.h>

static int32_t twice(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = 2 * call->in[0];
	return 0;
}

int main(void)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	uint64_t in[SKYIPC_WORDS] = { 21 }, out[SKYIPC_WORDS] = { 0 };
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	int err;

	attr.handler = twice;
	err = skyipc_server_create("install-test", &attr, &server);
	if (err)
		return 1;
	err = skyipc_server_start(server);
	if (!err)
		err = skyipc_connect("install-test", NULL, &conn);
	if (!err) {
		err = skyipc_call(conn, 0, in, out, NULL, SKYIPC_SEC(10));
		skyipc_close(conn);
	}
	skyipc_server_destroy(server);
	printf("%d %s\n", (int)out[0], skyipc_version());
	return err ? 1 : 0;
}
END
cp "$tmp/use.c" "$tmp/use++.cc"

version=$(pkg-config --modversion skyipc)
export SKYIPC_DIR="$tmp/run"
mkdir -m 700 "$SKYIPC_DIR"

# run WHAT COMMAND...
run()
{
	what=$1
	shift
	out=$(timeout -k 5 60 "$@") || fail "$what: does not run"
	[ "$out" = "42 $version" ] || fail "$what: printed '$out'"
	echo "ok $what"
}

cd "$tmp"
cflags=$(pkg-config --cflags skyipc)
libs=$(pkg-config --libs skyipc)

$cc -std=c11 -Wall -Wextra -Wpedantic -Werror $cflags -o use use.c $libs ||
	fail 'C: does not build'
readelf -d use | grep -q 'NEEDED.*\[libskyipc.so.1\]' ||
	fail 'C: is not linked with libskyipc.so.1'
run 'C' env LD_LIBRARY_PATH="$prefix/lib" ./use

case $cc in
*clang*) cxx=${CXX:-clang++} ;;
*) cxx=${CXX:-g++} ;;
esac
if command -v "${cxx%% *}" >/dev/null; then
	$cxx -std=c++20 -Wall -Werror $cflags -o use++ use++.cc $libs ||
		fail 'C++: does not build'
	run 'C++' env LD_LIBRARY_PATH="$prefix/lib" ./use++
else
	echo "ok C++ # skip $cxx is not installed"
fi

# The whole program, C library included, and the library alone.
$cc -static $cflags -o use-static use.c $(pkg-config --static --libs skyipc) ||
	fail 'static: does not build'
run 'static' ./use-static
$cc $cflags -o use-archive use.c "$prefix/lib/libskyipc.a" -pthread ||
	fail 'archive: does not build'
readelf -d use-archive | grep -q libskyipc && fail 'archive: needs libskyipc.so'
run 'archive' env -u LD_LIBRARY_PATH ./use-archive

readelf -d "$so" | grep -q 'SONAME.*\[libskyipc.so.1\]' ||
	fail 'the soname is not libskyipc.so.1'
[ "$(readlink -f "$so")" = "$(readlink -f "$prefix")/lib/libskyipc.so.$version" ] ||
	fail 'libskyipc.so.1 is not the version that pkg-config tells'
echo 'ok soname'

# Defined dynamic symbols, with their versions: name@@NODE.
nm -D --defined-only --with-symbol-versions "$so" |
	awk '$2 != "A" { print $3 }' | sort >symbols
for f in $map; do
	grep -q "^$f@@SKYIPC_[0-9.]*$" symbols ||
		fail "$f is not exported, or has no version"
done
others=$(sed 's/@@.*//' symbols | grep -vxF "$map" || :)
[ -z "$others" ] || fail "also exported:" $others
echo 'ok symbols'

# Every page can be reached at its place.
for f in $map; do
	[ -s "$prefix/share/man/man3/$f.3" ] || fail "no manual page of $f"
done
if command -v mandoc >/dev/null; then
	(cd "$prefix/share/man" && mandoc -T lint -W error man*/*) ||
		fail 'manual pages'
fi
# A page of section 1 without its program, or a program without its page, is
# half an installation.
for page in "$prefix"/share/man/man1/*.1; do
	name=$(basename "$page" .1)
	"$prefix/bin/$name" --help >/dev/null ||
		fail "the page of $name is installed, the program does not run"
done
for program in "$prefix"/bin/*; do
	name=$(basename "$program")
	[ -s "$prefix/share/man/man1/$name.1" ] || fail "no manual page of $name"
done
echo 'ok manual pages and programs'

cd "$OLDPWD"
run_make PREFIX="$prefix" uninstall
left=$(find "$prefix" ! -type d)
[ -z "$left" ] || fail 'uninstall leaves' $left
echo 'ok uninstall'
