#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs every example, checks what it prints, and that it leaves no name and no
# process behind. One "ok NAME" or "not ok NAME" line each. $O is the build
# folder, with the examples in it.
set -u
cd "$(dirname "$0")/.." || exit 1
bin=$(cd "${SKY_OUT:-${O:-build}}/examples" 2>/dev/null && pwd) || {
	echo 'not ok examples: not built (make programs)'
	exit 1
}

# The path of a socket is short, so that of the directory must be.
tmp=$(mktemp -d /tmp/skyipc-ex.XXXXXX) || exit 1
server=
cleanup()
{
	[ -z "$server" ] || kill "$server" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

bad=0
not_ok()
{
	echo "not ok $1: $2"
	sed 's/^/    /' "$tmp/out"
	rm -rf "${SKYIPC_DIR:?}"/*
	bad=1
}

# Every process of an example inherits a lock, so that the last one frees it.
# Where it goes on in the background, $! is timeout, which passes on signals.
locked()
{
	exec 9>"$tmp/lock" </dev/null
	flock 9 && exec timeout -k 5 60 "$@"
}

left_behind()
{
	[ -z "$(ls -A "$SKYIPC_DIR")" ] || echo "names: $(ls "$SKYIPC_DIR")"
	flock -w 5 "$tmp/lock" true || echo 'processes'
}

# check NAME EXIT-CODE: what is in $tmp/out against the expected lines on
# standard input, of which each must be there, in this order.
check()
{
	if [ "$2" = 77 ]; then
		echo "ok $1 # skip $(tail -n 1 "$tmp/out")"
		return
	elif [ "$2" = 124 ]; then
		not_ok "$1" 'timed out'
		return
	elif [ "$2" != 0 ]; then
		not_ok "$1" "exit code $2"
		return
	fi
	awk -v want="$(cat)" '
		BEGIN { n = split(want, w, "\n"); i = 1 }
		i <= n && $0 == w[i] { i++ }
		END {
			if (i > n) exit 0
			print "expected: " w[i]
			exit 1
		}' "$tmp/out" >"$tmp/diff" || {
		not_ok "$1" "$(cat "$tmp/diff")"
		return
	}
	left=$(left_behind)
	if [ -n "$left" ]; then
		not_ok "$1" "left behind $left"
	else
		echo "ok $1"
	fi
}

# expect NAME: runs it; standard input is what it must print.
expect()
{
	ran="$ran $1"
	(locked "$bin/$1") >"$tmp/out" 2>&1
	check "$1" $?
}

# short_of_memory NAME: with less and less of it. Either it says that it failed,
# or prints what is on standard input.
short_of_memory()
{
	cat >"$tmp/want"
	for kib in 60000 50000 40000 30000 20000 10000 5000; do
		(ulimit -v $kib && exec timeout -k 5 60 "$bin/$1") \
			>"$tmp/out" 2>&1
		case $? in
		0) cmp -s "$tmp/want" "$tmp/out" ||
			{
				not_ok "$1" "wrong with $kib KiB"
				return
			} ;;
		124)
			not_ok "$1" "timed out with $kib KiB"
			return
			;;
		esac
	done
	echo "ok $1, short of memory"
}

export SKYIPC_DIR="$tmp/run"
mkdir -m 700 "$SKYIPC_DIR"
ran='hello_server hello_client'

# Two programs: the client waits for the name, and SIGTERM ends the server.
locked "$bin/hello_server" greeter >"$tmp/out" 2>&1 &
server=$!
timeout -k 5 60 "$bin/hello_client" greeter 2 40 >"$tmp/client" 2>&1
code=$?
kill "$server"
wait "$server"
check hello_server $? <<-END
	serving $SKYIPC_DIR/greeter.sock
	stopped
END
server=
cp "$tmp/client" "$tmp/out"
check hello_client $code <<-END
	2 + 40 = 42
END

expect calculator <<-END
	47 + 5 = 52
	47 / 5 = 9, remainder 2
	47 / 0: the server says: Numerical argument out of domain
	operation 1: Function not implemented
END
expect long_message <<-END
	sum: 499500
	upper: IN PLACE
	motto: call me
	twice: start middle end.start middle end.
	scattered: 'start ' 'middle '
	asynchronous: call me
	too long: Message too long
END
expect pipeline <<-END
	10000 calls, at most 32 at a time
END
expect pass_fds <<-END
	board: 42 points
	board handed out
END
expect event_loop <<-END
	served 1000 calls
END
expect nested <<-END
	3, 4, 5
END
expect peer <<-END
	server: pid of the parent, uid mine
	second connection: Operation not permitted
END
expect timeouts <<-END
	10 ms for 100 ms of work: Connection timed out
	10 s for three calls together: enough
	what the connection was given: Connection timed out
	stop while a handler runs: Connection timed out
END
expect reconnect <<-END
	the first server answers
	the server is gone; connecting again
	the second server answers
END
expect statistics <<-END
	1600 calls through shm, p50 known, p99 known
	program statistics, pid of the parent, 1 worker, 1600 calls
	listed: yes
	transport shm: usable
END
if [ -e "$bin/uring_file" ]; then
	expect uring_file <<-END
		100 blocks written
		and read
		at the end: 10 bytes
		behind it: 0 bytes
		nowhere: Invalid argument
		compared
		server: 215 transfers
	END
else
	ran="$ran uring_file"
	echo 'ok uring_file # skip liburing is not installed'
fi
expect nr_scoreboard <<-END
	the last one sees 4000 points
END
expect nr_batches <<-END
	libnr there, I use replica 1
	11 updates, the tenth returned 10
	replica 1: 11
	replica 2: 11
	2 replicas, log at 11, replica 1 combined 2 times
	log: 11 updates, 11 done, 11 of 8192 entries in use, 2 replicas
	replica 1 on place 0: 1 context, 11 applied, 0 behind
END
expect nr_lock <<-END
	4 readers saw the new setting
	place 0: 1 CPU
	place 1: 1 CPU
	this thread is in one of them
END
expect nr_accounts <<-END
	8 logs, no money was lost, every replica adds up: yes
	4000 payments were of two logs
END
expect nr_phonebook <<-END
	40 entries, sum 60180
END
expect nr_visits <<-END
	99 pages, 40 visits to page 7, several replicas
END
short_of_memory nr_visits <<-END
	99 pages, 40 visits to page 7, several replicas
END
expect nr_timeline <<-END
	900 ticks, 90 of them from 100 to 200, the last at 998, several replicas
END
expect nr_jobs <<-END
	1 put out the fire, 5 have lunch, 9 tidy up
	first: put out the fire
	1003 jobs
	1003 done, on several replicas
END
expect nr_status <<-END
	visitors, 2 replicas, more than 99 updates: yes
END
expect nr_index <<-END
	8 words, with rea: read reader real; the last is now real
END
expect nr_pages <<-END
	cores read their pages, 0 times something else's
	a page of 4096 bytes, read only
	4 levels down: present
	3 replicas
END
expect nr_tables <<-END
	b8000: nothing
	fffff: 1c00fffff, in a page of 4 KiB, read only
	200000: 1c0200000, in a page of 2048 KiB, written
	7fffffff: 23fffffff, in a page of 1048576 KiB, written
	the first table has an entry for it
END
expect nr_mailbox <<-END
	200 sent, 200 received, 200 in the journal
	the log has 10 bytes and 1 name
	tmp is empty
	several replicas
END
expect nr_tree <<-END
	at 1004: end
	into itself: Invalid argument
	old/
	  src/
	    notes 500
	too 500
	2 names
END
expect nr_todo <<-END
	at once: put out the fire
	3 more
	3 cook
	3 eat
	7 sweep
END
expect nr_words <<-END
	3 words
	rose: 4
END

# A new example must be run here, too.
for f in examples/*.c; do
	name=$(basename "$f" .c)
	case " $ran " in
	*" $name "*) ;;
	*)
		echo "not ok $name: not run by $0"
		bad=1
		;;
	esac
done
exit $bad
