/* SPDX-License-Identifier: MIT */
/* A client of hostile servers, and those beside it. */
#include "hostile_liar.h"

/* It may fail in any way, but in time, and it must say why. */
static void calls(struct skyipc_conn *conn, enum lie lie, skyipc_time t)
{
	struct skyipc_msg req = { .op = 1 }, rep, msgs[3];
	int fds[4], n, err;

	memset(&rep, 0, sizeof(rep));
	memset(msgs, 0, sizeof(msgs));
	rep.fds = fds;
	rep.nfds = 4;
	err = skyipc_call_msg(conn, &req, &rep, t);
	if (err && !skyipc_errmsg()[0])
		fail_msg("lie %d: no message for %d", (int)lie, err);
	/* Believed is only what can be believed. */
	if (!err && lie != TRUTH && lie != REPLY_SCRIBBLE &&
	    lie != PARK_GAMES && lie != CHAN_TWICE)
		fail_msg("lie %d is believed", (int)lie);
	if (lie == TRUTH)
		assert_int_equal(err, 0);
	for (unsigned i = 0; !err && i < rep.nfds; i++)
		close(fds[i]);
	skyipc_call(conn, 1, NULL, NULL, NULL, SKYIPC_MS(100));
	for (int i = 0; i < 3; i++)
		if (skyipc_submit(conn, &req))
			return;
	for (int i = 0; i < 10; i++) {
		n = skyipc_wait(conn, msgs, 3, 3, SKYIPC_MS(50));
		if (n == -ENOENT || n == -ETIMEDOUT)
			break;
	}
}

static void against(enum lie lie)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct liar l = { .name = new_name(), .lie = lie };
	/* What is true is said as soon as it can be, a lie perhaps never. */
	const int welcome = lie == TRUTH || lie >= CHAN_SILENCE;
	const uint64_t patience = LIMIT * slowness, soon = SKYIPC_MS(300);
	struct footprint before;
	struct skyipc_conn *conn;
	char path[256];
	uint64_t t0;
	struct child c;
	int err;

	child_start(&c, liar, &l);
	child_hear(&c);
	before = footprint_of(getpid());
	attr.timeout_ns = welcome ? patience : soon;
	attr.call_ns = SKYIPC_MS(100);
	attr.depth = RAW_DEPTH;
	attr.bufs = RAW_BUFS;
	attr.buf_size = RAW_BUF_SIZE;
	t0 = time_ns();
	err = skyipc_connect(l.name, &attr, &conn);
	if (!err && !welcome)
		fail_msg("lie %d is welcome", (int)lie);
	if (err && welcome)
		fail_msg("lie %d: cannot connect: %s", (int)lie,
			 skyipc_errmsg());
	if (err && !skyipc_errmsg()[0])
		fail_msg("lie %d: no message for %d", (int)lie, err);
	if (!err) {
		calls(conn, lie, lie == TRUTH ? patience : soon);
		skyipc_close(conn);
	}
	if (time_ns() - t0 > UINT64_C(2000000000) * slowness)
		fail_msg("lie %d: %u ms", (int)lie,
			 (unsigned)((time_ns() - t0) / 1000000));
	footprint_is(getpid(), &before, "after a lie");
	child_kill(&c);
	snprintf(path, sizeof(path), "%s/%s.sock", getenv("SKYIPC_DIR"),
		 l.name);
	unlink(path);
}

static void test_lies(void **state)
{
	(void)state;
	for (int lie = TRUTH; lie < LIES; lie++)
		against((enum lie)lie);
}

/* The same connection beside an honest one of the same process. */
static void test_beside_honest(void **state)
{
	static const enum lie some[] = { DIE_IN_CALL, CHAN_FDS_FLOOD,
					 REPLY_SCRIBBLE, REPLY_NO_FDS };
	struct target t;
	struct skyipc_conn *conn;

	target_up(&t, state, NULL);
	conn = connect_to(t.name, NULL);
	for (size_t i = 0; i < ARRAY_LEN(some); i++) {
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
		against(some[i]);
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
	}
	skyipc_close(conn);
	target_down(&t);
}

const struct CMUnitTest server_tests[] = {
	cmocka_unit_test(test_lies),
	cmocka_unit_test(test_beside_honest),
};
const size_t nserver_tests = ARRAY_LEN(server_tests);
