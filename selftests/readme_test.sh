#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What README.md promises: its programs are taken from the text, built against
# installed libraries with nothing but pkg-config, and run.
# Exits 0, 1, or 77 if it cannot be tried. $SKY_OUT or $O is the build folder.
set -eu
cd "$(dirname "$0")/.."
. selftests/install.sh
server=
at_exit='[ -z "$server" ] || kill "$server" 2>/dev/null || :'

install_into "$tmp/usr"

# block FILE: the fenced block that begins with FILE's name in a comment
block()
{
	awk -v name="/* $1 */" '
		/^```/ { inside = $0 == "```c"; first = NR + 1; found = 0; next }
		inside && NR == first && $0 == name { found = 1 }
		inside && found' README.md
}

for f in hello_server hello_client; do
	block $f.c >"$tmp/$f.c"
	[ -s "$tmp/$f.c" ] || fail "README.md has no $f.c"
	lines=$(wc -l <"$tmp/$f.c")
	[ "$lines" -le 30 ] || fail "$f.c has $lines lines: not small any more"
	# the command line of the README, word by word
	(cd "$tmp" && $cc -Wall -Wextra -Werror -o $f $f.c \
		$(pkg-config --cflags --libs skyipc)) ||
		fail "$f.c does not compile"
done

# This one is an example as well.
block nr_scoreboard.c >"$tmp/nr_scoreboard.c"
lines=$(wc -l <examples/nr_scoreboard.c)
[ "$lines" -le 60 ] || fail "nr_scoreboard.c has $lines lines"
sed -n '/^#include/,$p' "$tmp/nr_scoreboard.c" >"$tmp/shown"
sed -n '/^#include/,$p' examples/nr_scoreboard.c | cmp -s - "$tmp/shown" ||
	fail "README.md and examples have different nr_scoreboard.c"
(cd "$tmp" && $cc -Wall -Wextra -Werror -pthread -o nr_scoreboard \
	nr_scoreboard.c $(pkg-config --cflags --libs nr)) ||
	fail "nr_scoreboard.c does not compile"
echo 'ok the programs of README.md compile'

export LD_LIBRARY_PATH="$tmp/usr/lib" SKYIPC_DIR="$tmp"
"$tmp/hello_server" &
server=$!
# no race: the client waits for the name
out=$(timeout -k 5 60 "$tmp/hello_client") || fail 'the client failed'
[ "$out" = '20 + 22 = 42' ] || fail "the client printed '$out'"
kill -0 "$server" || fail 'the server has ended'
kill "$server"
wait "$server" 2>/dev/null && fail 'the server returned' || code=$?
server=
out=$(timeout -k 5 60 "$tmp/nr_scoreboard") || fail 'nr_scoreboard failed'
[ "$out" = 'the last one sees 4000 points' ] ||
	fail "nr_scoreboard printed '$out'"
[ $code = 143 ] || fail "the server ended with $code"
echo 'ok the programs of README.md run'

# what else it names is there
for path in $(sed -n 's/^| `\([^`]*\)` .*/\1/p' README.md) LICENSE; do
	[ -e "$path" ] || fail "README.md names $path, which is not there"
done
for target in $(sed -n 's/^    make \([a-z]*\) .*/\1/p' README.md); do
	make -n "$target" >/dev/null 2>&1 || fail "there is no 'make $target'"
done
for mark in begin end; do
	[ "$(grep -c "^<!-- bench:$mark -->$" README.md)" = 1 ] ||
		fail "the place of the benchmark table is not marked ($mark)"
done
echo 'ok what README.md names is there'
