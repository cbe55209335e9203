/* SPDX-License-Identifier: MIT */
/*
 * recv_test.c - the end of a rendezvous socket, and what comes before it
 *
 * Linux may tell the end while the peer's last message is there: it looks for a
 * message, then for the end, and the peer can send and close in between. This
 * program's own recvmsg() says what the kernel says in that case.
 */
#include "testlib.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include "clock.h"
#include "proto.h"
#include "sock.h"

static unsigned early_ends, calls;

/* Instead of the C library's */
ssize_t recvmsg(int sock, struct msghdr *mh, int flags)
{
	calls++;
	if (early_ends) {
		early_ends--;
		mh->msg_controllen = 0;
		mh->msg_flags = 0;
		return 0;
	}
	return syscall(SYS_recvmsg, sock, mh, flags);
}

static int heard(int sock, union proto_msg *msg)
{
	int fds[SKYIPC_MAX_FDS];
	unsigned nfds;
	int len;

	calls = 0;
	len = sock_recv(sock, msg, fds, &nfds, now_ns() + 50000000);
	assert_int_equal(nfds, 0);
	return len;
}

static void pair(int sv[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
}

static void send_query(int sock)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_QUERY);

	assert_int_equal(sock_send(sock, &msg, len, NULL, 0, 0), 0);
}

static void last_message(void **state)
{
	union proto_msg msg;
	int sv[2];

	(void)state;
	pair(sv);
	send_query(sv[1]);
	close(sv[1]);
	early_ends = 1;
	assert_int_equal(heard(sv[0], &msg), proto_size(PROTO_QUERY));
	assert_int_equal(msg.head.type, PROTO_QUERY);
	assert_int_equal(heard(sv[0], &msg), 0);
	close(sv[0]);
}

static void end(void **state)
{
	union proto_msg msg;
	int sv[2];

	(void)state;
	pair(sv);
	close(sv[1]);
	assert_int_equal(heard(sv[0], &msg), 0);
	assert_int_equal(calls, 2);
	close(sv[0]);
}

/* From one who is still there: he is no better than gone. */
static void empty_packets(void **state)
{
	union proto_msg msg;
	int sv[2];

	(void)state;
	pair(sv);
	assert_int_equal(send(sv[1], "", 0, 0), 0);
	assert_int_equal(heard(sv[0], &msg), 0);
	assert_int_equal(calls, 2);
	for (int i = 0; i < 4; i++)
		assert_int_equal(send(sv[1], "", 0, 0), 0);
	assert_int_equal(heard(sv[0], &msg), 0);
	assert_int_equal(calls, 2);
	close(sv[0]);
	close(sv[1]);
}

static void nothing_yet(void **state)
{
	union proto_msg msg;
	int sv[2];

	(void)state;
	pair(sv);
	assert_int_equal(heard(sv[0], &msg), -ETIMEDOUT);
	send_query(sv[1]);
	assert_int_equal(heard(sv[0], &msg), proto_size(PROTO_QUERY));
	close(sv[0]);
	close(sv[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_message),
		cmocka_unit_test(end),
		cmocka_unit_test(empty_packets),
		cmocka_unit_test(nothing_yet),
	};

	return cmocka_run_group_tests_name("recv", tests, NULL, NULL);
}
