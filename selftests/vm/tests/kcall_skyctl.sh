#!/bin/sh
# SPDX-License-Identifier: MIT
#
# skyctl in a guest: without the module, with it, with a server that a client
# calls through it. skyctl, hello_server and hello_client are beside.
cd "$(dirname "$0")" || exit 99
n=0

ok() # WHAT; $? says whether
{
	[ $? = 0 ] && not= || not='not '
	n=$((n + 1))
	echo "${not}ok $n - $1"
	[ -z "$not" ] || sed 's/^/# /' out
}

[ -n "$SKYIPC_DIR" ] || export SKYIPC_DIR=/tmp/skyipc-show
mkdir -p -m 700 "$SKYIPC_DIR"

! ./skyctl module >out && grep -q 'not loaded' out
ok 'no module'
! ./skyctl module --json >out && grep -q '"loaded": *false' out
ok 'likewise, for machines'

insmod /lib/skyipc/skyipc.ko views=off || exit 99
./skyctl module >out && grep -q '^skyipc.ko [0-9.]*, views off' out &&
	grep -q '^no servers' out && grep -q 'connections  *65536' out
ok 'the module, its limits, nobody'

./hello_server >server.out 2>&1 &
server=$!
until ./hello_client >out 2>&1; do
	kill -0 $server || break
done
ok 'a client and its server'
./skyctl module >out && grep -Eq "^$server:hello_server +root +live " out &&
	grep -q '^USERS\|^UID' out
ok 'the server is shown, by name'
./skyctl module --json >out &&
	grep -q "\"pid\": *$server" out && grep -q '"workers": *[1-9]' out &&
	grep -q '"limits"' out
ok 'and for machines'
./skyctl doctor >out
grep -Eq 'kcall' out
ok 'the doctor knows of calls through the module'
kill $server
wait $server
./skyctl module >out && grep -q '^no servers' out
ok 'gone'
rmmod skyipc
ok rmmod
echo "1..$n"
