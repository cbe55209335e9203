/* SPDX-License-Identifier: MIT */
/* A client of hostile servers, and those beside it. */
#include "hostile_liar.h"

/* It may fail in any way, but in time, and it must say why. */
static void calls(struct skyipc_conn *conn, enum lie lie, skyipc_time t)
{
	struct skyipc_msg req = { .op = 1 }, rep;
	int fds[4], err;

	memset(&rep, 0, sizeof(rep));
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
	lied_calls(conn);
}

static void against(int which)
{
	const enum lie lie = (enum lie)which;
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct liar l = { .t.name = new_name(), .lie = lie };
	/* What is true is said as soon as it can be, a lie perhaps never. */
	const int welcome = lie == TRUTH || lie >= CHAN_SILENCE;
	const uint64_t patience = LIMIT * slowness, soon = SKYIPC_MS(300);
	struct skyipc_conn *conn;
	struct lied lied;
	int err;

	lied_begin(&lied, lie, l.t.name, liar, &l);
	attr.timeout_ns = welcome ? patience : soon;
	attr.call_ns = SKYIPC_MS(100);
	lied_attr(&attr);
	err = skyipc_connect(l.t.name, &attr, &conn);
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
	lied_end(&lied, UINT64_C(2000000000));
}

static void test_lies(void **state)
{
	(void)state;
	for (int lie = TRUTH; lie < LIES; lie++)
		against(lie);
}

static void test_beside_honest(void **state)
{
	static const int some[] = { DIE_IN_CALL, CHAN_FDS_FLOOD, REPLY_SCRIBBLE,
				    REPLY_NO_FDS };

	lied_beside_honest(state, against, some, ARRAY_LEN(some));
}

const struct CMUnitTest server_tests[] = {
	cmocka_unit_test(test_lies),
	cmocka_unit_test(test_beside_honest),
};
const size_t nserver_tests = ARRAY_LEN(server_tests);
