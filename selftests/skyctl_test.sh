#!/bin/sh
# SPDX-License-Identifier: MIT
#
# skyctl: servers that run, that were killed and that do not answer; exit
# codes; names that would like to command the terminal; and that --json is
# JSON. $SKY_OUT or $O is the build folder, with skyctl and the examples in it.
set -eu
cd "$(dirname "$0")/.."
build=$(cd "${SKY_OUT:-${O:-build}}" && pwd)
skyctl=$build/tools/skyctl

tmp=$(mktemp -d /tmp/skyipc-ctl.XXXXXX)
pids=
cleanup()
{
	for p in $pids; do
		kill -KILL "$p" 2>/dev/null || :
	done
	wait 2>/dev/null || : # dead, and not only told to be
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
export SKYIPC_DIR="$tmp/run"
mkdir -m 700 "$SKYIPC_DIR"

fail()
{
	echo "not ok $*"
	sed 's/^/    /' "$tmp/out" "$tmp/err"
	exit 1
}

# ctl EXIT-CODE ARGUMENTS: output in $tmp/out and $tmp/err
ctl()
{
	want=$1
	shift
	code=0
	timeout -k 5 60 "$skyctl" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null ||
		code=$?
	[ $code = "$want" ] || fail "skyctl $*: exit code $code, not $want"
}

has()
{
	grep -Eq -- "$1" "$tmp/out" || fail "no line like: $1"
}

# Nothing but printable ASCII and newlines reaches a terminal.
clean()
{
	[ -z "$(tr -d '\012\040-\176' <"$tmp/out" | od -An -c)" ] ||
		fail 'control characters in the output'
}

if command -v python3 >/dev/null; then
	json()
	{
		python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <"$tmp/out" || fail 'not JSON'
	}
elif command -v jq >/dev/null; then
	json()
	{
		jq -e . <"$tmp/out" >/dev/null || fail 'not JSON'
	}
else
	echo 'note: neither python3 nor jq: --json is not parsed'
	json()
	{
		:
	}
fi

# serve PROGRAM NAME: ready when a client has had an answer; $! is the server
serve()
{
	"$1" "$2" >/dev/null 2>"$tmp/err" </dev/null &
	pids="$pids $!"
	timeout -k 5 60 "$build/examples/hello_client" "$2" >/dev/null ||
		fail "$2 does not answer"
}

ctl 0 --help
has '^usage: skyctl list'
ctl 0 --version
has '^skyctl [0-9.]+ \(libskyipc [0-9.]+\)$'
ctl 2
ctl 2 nonsense
ctl 2 list extra
ctl 2 stat
ctl 2 stat a b
ctl 2 stat a --watch=0
ctl 2 stat a --count 0
ctl 2 stat a --count ' -1'
ctl 2 stat a --count 99999999999999999999
ctl 2 stat a --timeout 1e99
ctl 2 list --timeout nan
ctl 2 list --timeout -1
ctl 2 doctor --nonsense
echo 'ok usage'

code=0
"$skyctl" --help >/dev/full 2>"$tmp/err" || code=$?
[ $code = 1 ] || fail "help to a full disk: exit code $code"
ctl 0 list
has '^no servers$'
ctl 0 list --json
has '^\{"servers":\[\]\}$'
ctl 1 stat nobody
grep -q 'No such file' "$tmp/err" || fail 'no reason given'

serve "$build/examples/hello_server" alive
alive=$!
serve "$build/examples/hello_server" killed
kill -KILL $!
wait $! 2>/dev/null || :
ctl 0 list
has "^alive +running +$alive "
has '^killed +stale +- '
clean
ctl 0 list --json
has '"name":"killed",[^{}]*"state":"stale","error":"ECONNREFUSED"'
json
ctl 1 stat killed
grep -q 'Connection refused' "$tmp/err" || fail 'no reason given'
echo 'ok running and stale'

ctl 0 stat alive
has "^alive: pid $alive \(hello_server\)"
has '^server +1 '
ctl 0 stat --json alive
has '"calls":1,'
json
# one word after --watch is the interval if it is a number, else the name
ctl 0 stat --watch 0.01 --count 3 alive
[ "$(grep -c '^alive: pid' "$tmp/out")" = 3 ] || fail 'not shown three times'
ctl 0 stat --count 2 --json --watch alive
[ "$(wc -l <"$tmp/out")" = 2 ] || fail 'not two lines of JSON'
has '"calls_per_s":'
json
echo 'ok stat'

# A stopped process stops thread by thread, a little after the signal.
kill -STOP $alive
tries=0
while grep -qv '^State:.*T (stopped)' <<-END
	$(grep -h '^State:' /proc/"$alive"/task/*/status)
END
do
	tries=$((tries + 1))
	[ $tries -lt 10000 ] || fail 'the server does not stop'
done
ctl 0 list --timeout 0.2
has '^alive +no answer '
ctl 1 stat --timeout 0.2 alive
kill -CONT $alive
echo 'ok no answer'

# names are bytes: of the socket, and of the program that serves it
evil=$(printf 'e\033]0;x\007"\\\233\303\251')
cp "$build/examples/hello_server" "$tmp/$evil"
serve "$tmp/$evil" "$SKYIPC_DIR/$evil.sock"
ctl 0 list
clean
has '^e\\x1b\]0;x\\x07"\\\\\\x9b\\xc3\\xa9 +running '
ctl 0 list --json
clean
json
ctl 0 stat "$SKYIPC_DIR/$evil.sock"
clean
ctl 0 stat --json "$SKYIPC_DIR/$evil.sock"
clean
json
ctl 1 stat "$SKYIPC_DIR/no-$evil"
cp "$tmp/err" "$tmp/out"
clean
ctl 2 "$evil"
cp "$tmp/err" "$tmp/out"
clean
ctl 0 stat --json --watch 0.01 --count 2 "$SKYIPC_DIR/$evil.sock"
clean
json
echo 'ok hostile names'

ctl 0 doctor
has '^(ok|warn) +memfd '
has '^(ok|warn) +transport shm '
clean
ctl 0 doctor --json
has '"check":"memfd","result":"ok"'
json
rm -rf "$SKYIPC_DIR"
: >"$SKYIPC_DIR"
ctl 1 doctor
has '^fail +directory .*is no directory'
ctl 1 doctor --json
has '"result":"fail"\}$'
json
echo 'ok doctor'

# --- structures that programs show: under names that they choose
mkfifo "$tmp/stay"
"$build/examples/nr_status" "$evil" <"$tmp/stay" >"$tmp/shown" 2>"$tmp/err" &
shows=$!
pids="$pids $shows"
exec 3>"$tmp/stay"
tries=0
until grep -q shown "$tmp/shown"; do
	tries=$((tries + 1))
	[ $tries -lt 1000 ] || fail 'nr_status does not begin'
	sleep 0.01
done
ctl 0 nr $shows
has "^pid $shows \(nr_status\), user .*: e"'\\x1b\]0;x\\x07"'
has '^replica 2 on place 1: 0 contexts, '
clean
ctl 0 nr
has "^pid $shows \(nr_status\)"
clean
ctl 0 nr --json $shows
has "\"pid\":$shows,.*\"stats\":.\"log\":.\"size\":8192,"
clean
json
if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups \
	test -x "$skyctl" 2>/dev/null; then
	code=0
	setpriv --reuid=65534 --regid=65534 --clear-groups "$skyctl" nr \
		$shows >"$tmp/out" 2>"$tmp/err" || code=$?
	[ $code = 1 ] || fail "shown to another user: exit code $code"
	has "^pid $shows .*: EACCES\$"
fi
exec 3>&-
wait $shows
ctl 1 nr $shows
has '^no structures$'
ctl 1 nr --json $shows
has '^\{"structures":\[\]\}$'
ctl 2 nr nonsense
ctl 2 nr 1 2
ctl 2 nr --nonsense
echo 'ok nr'

# --- the module, which may be there or not
loaded=1
[ ! -e /sys/class/misc/skyipc ] || loaded=0
ctl $loaded module
has 'skyipc'
clean
ctl $loaded module --json
json
ctl 2 module nonsense
echo 'ok module'
