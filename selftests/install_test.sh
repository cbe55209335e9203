#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make install and uninstall: programs in C and C++ outside the tree build with
# nothing but pkg-config, dynamically and statically linked, and run; the
# shared libraries export what they should and nothing else; pages and programs
# belong together; and uninstall leaves no file. Exits 0, 1, or 77 if it cannot
# be tried. $SKY_OUT or $O is the build folder.
set -eu
cd "$(dirname "$0")/.."
. selftests/install.sh

prefix=$tmp/usr
install_into "$prefix"
# the functions of a symbol map
functions()
{
	sed -n 's/^[[:space:]]*\([a-z_]*_[a-z_]*\);$/\1/p' "$1/$1.map"
}
sky_functions=$(functions libskyipc)
nr_functions=$(functions libnr)
uring_functions=$(functions libskyipc-uring)

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

# The same for libnr: an update, and what a read sees of it.
cat >"$tmp/nr.c" <<'END'
#include <nr.h>
#include <nr_cnr.h>
#include <nr_map.h>
#include <nr_memfs.h>
#include <nr_omap.h>
#include <nr_queue.h>
#include <nr_show.h>
#include <nr_stats.h>
#include <nr_vspace.h>
#include <stdio.h>

static int use_map(void)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_map_context *c;
	struct nr_map *map;

	if (nr_map_create(&attr, &map) || nr_map_register(map, NULL, &c) ||
	    nr_map_put(c, "k", 1, "v", 1, NR_CREATE))
		return -1;
	nr_map_leave(c);
	return nr_map_destroy(map);
}

static int use_others(void)
{
	struct nr_omap_attr oattr = NR_OMAP_ATTR_INIT;
	struct nr_queue_attr qattr = NR_QUEUE_ATTR_INIT;
	struct nr_vspace_attr vattr = NR_VSPACE_ATTR_INIT;
	struct nr_memfs_attr fattr = NR_MEMFS_ATTR_INIT;
	struct nr_cnr_attr cattr = NR_CNR_ATTR_INIT;
	struct nr_cnr_ops ops = NR_CNR_OPS_INIT;
	struct nr_pagetable *tables;
	struct nr_sorted *sorted;
	struct nr_items *items;
	struct nr_vspace *space;
	struct nr_files *files;
	struct nr_queue *queue;
	struct nr_memfs *fs;
	struct nr_omap *omap;
	struct nr_cnr *cnr;

	qattr.order = NR_LIFO;
	if (nr_omap_create(&oattr, &omap) || nr_omap_destroy(omap) ||
	    nr_queue_create(&qattr, &queue) || nr_queue_destroy(queue) ||
	    nr_vspace_create(&vattr, &space) || nr_vspace_destroy(space) ||
	    nr_memfs_create(&fattr, &fs) || nr_memfs_destroy(fs) ||
	    nr_sorted_create(&sorted) || nr_files_create(&files) ||
	    nr_items_create(NR_LIFO, &items) ||
	    nr_pagetable_create(NULL, &tables))
		return -1;
	nr_files_destroy(files);
	nr_sorted_destroy(sorted);
	nr_items_destroy(items);
	nr_pagetable_destroy(tables);
	return nr_cnr_create(&ops, &cattr, &cnr) == 0; /* without functions */
}

static void add(void *object, const void *op, size_t len, void *result)
{
	(void)len;
	(void)result;
	*(int *)object += *(const int *)op;
}

static void get(const void *object, const void *op, size_t len, void *result)
{
	(void)op;
	(void)len;
	*(int *)result = *(const int *)object;
}

int main(void)
{
	struct nr_context_attr mine = NR_CONTEXT_ATTR_INIT;
	struct nr_ops ops = NR_OPS_INIT;
	struct nr_context *context;
	int n = 42, result = 0;
	struct nr *nr;

	ops.object_size = sizeof(n);
	ops.update = add;
	ops.read = get;
	if (nr_create(&ops, NULL, &nr) || nr_register(nr, &mine, &context))
		return 1;
	if (nr_update(context, &n, sizeof(n), NULL) ||
	    nr_read(context, NULL, 0, &result))
		return 1;
	nr_leave(context);
	printf("%d %s\n", result, nr_version());
	if (use_map() || use_others())
		return 1;
	return nr_destroy(nr) ? 1 : 0;
}
END

# And for libskyipc-uring: what has been written is read, with rings or without.
cat >"$tmp/uring.c" <<'END'
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <skyipc_uring.h>
#include <stdio.h>

int main(void)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct skyipc_uring *u;
	char text[3] = "";
	FILE *f = tmpfile();
	int fd;

	if (!f || skyipc_uring_create(&attr, &u))
		return 1;
	fd = fileno(f);
	if (skyipc_uring_write(u, fd, "x42", 3, 0) != 3 ||
	    skyipc_uring_read(u, fd, text, 2, 1) != 2)
		return 1;
	skyipc_uring_destroy(u);
	fclose(f);
	printf("%s %s\n", text, skyipc_uring_version());
	return 0;
}
END
for f in use nr uring; do
	cp "$tmp/$f.c" "$tmp/$f++.cc"
done

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

case $cc in
*clang*) cxx=${CXX:-clang++} ;;
*) cxx=${CXX:-g++} ;;
esac

# check PACKAGE PROGRAM NODE FUNCTIONS [LIBRARIES]: library libPACKAGE, whose
# symbols have the version NODE_x.y, and a program that uses it; what it needs
check()
{
	lib=lib$1
	so=$prefix/lib/$lib.so.1
	cflags=$(pkg-config --cflags "$1")
	libs=$(pkg-config --libs "$1")

	$cc -std=c11 -Wall -Wextra -Wpedantic -Werror $cflags -o "$2" "$2.c" \
		$libs || fail "$1, C: does not build"
	readelf -d "$2" | grep -q "NEEDED.*\[$lib.so.1\]" ||
		fail "$1, C: is not linked with $lib.so.1"
	run "$1, C" env LD_LIBRARY_PATH="$prefix/lib" "./$2"

	if command -v "${cxx%% *}" >/dev/null; then
		$cxx -std=c++20 -Wall -Werror $cflags -o "$2++" "$2++.cc" \
			$libs || fail "$1, C++: does not build"
		run "$1, C++" env LD_LIBRARY_PATH="$prefix/lib" "./$2++"
	else
		echo "ok $1, C++ # skip $cxx is not installed"
	fi

	# The whole program, C library included, and the library alone.
	$cc -static $cflags -o "$2-static" "$2.c" \
		$(pkg-config --static --libs "$1") ||
		fail "$1, static: does not build"
	run "$1, static" "./$2-static"
	$cc $cflags -o "$2-archive" "$2.c" "$prefix/lib/$lib.a" ${5:-} -pthread ||
		fail "$1, archive: does not build"
	readelf -d "$2-archive" | grep -q "$lib" &&
		fail "$1, archive: needs $lib.so"
	run "$1, archive" env -u LD_LIBRARY_PATH "./$2-archive"

	readelf -d "$so" | grep -q "SONAME.*\[$lib.so.1\]" ||
		fail "the soname is not $lib.so.1"
	[ "$(readlink -f "$so")" = \
		"$(readlink -f "$prefix")/lib/$lib.so.$version" ] ||
		fail "$lib.so.1 is not the version that pkg-config tells"
	echo "ok $1, soname"

	# Defined dynamic symbols, with their versions: name@@NODE.
	nm -D --defined-only --with-symbol-versions "$so" |
		awk '$2 != "A" { print $3 }' | sort >symbols
	[ -n "$4" ] || fail "$1: no functions"
	for f in $4; do
		grep -q "^$f@@$3_[0-9.]*$" symbols ||
			fail "$f is not exported, or has no version"
	done
	others=$(sed 's/@@.*//' symbols | grep -vxF "$4" || :)
	[ -z "$others" ] || fail "$1 also exports:" $others
	echo "ok $1, symbols"
}

check skyipc use SKYIPC "$sky_functions"
check nr nr NR "$nr_functions"
if pkg-config --exists skyipc-uring; then
	check skyipc-uring uring SKYIPC_URING "$uring_functions" -luring
else
	echo 'ok skyipc-uring # skip liburing is not installed'
	uring_functions=
fi

# Every page can be reached at its place.
for f in $sky_functions $nr_functions $uring_functions; do
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
