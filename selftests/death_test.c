/* SPDX-License-Identifier: MIT */
/*
 * Either side dies, or is stopped, at every named point of the library: the
 * other goes on, nothing is lost, nothing is left. Here: clients that die.
 */
#include "death.h"

#include <signal.h>

const struct scenario client_points[] = {
	{ "client-socket", IN_ALL, OVER_ALL },
	{ "client-connected", IN_ALL, OVER_ALL },
	{ "client-hello-sent", IN_ALL, OVER_ALL },
	{ "client-welcome-heard", IN_ALL, OVER_ALL },
	{ "client-registered", IN_ALL, OVER_ALL },
	{ "client-watched", IN_ALL, OVER_ALL },
	{ "client-chan-ask", IN_ALL, OVER_ALL },
	{ "client-chan-mapped", IN_ALL, OVER_SHM },
	{ "client-kcall-linked", IN_PARKING, OVER_MODULE },
	{ "client-call", IN_ALL, OVER_SHM },
	{ "client-published", IN_ALL, OVER_SHM },
	{ "client-reply-seen", IN_ALL, OVER_SHM },
	{ "client-ring", IN_PARKING, OVER_SHM },
	{ "client-spin", IN_ALL, OVER_SHM },
	{ "client-park", IN_ALL, OVER_SHM },
	{ "client-parked", IN_ALL, OVER_SHM },
	{ "client-kcall", IN_PARKING, OVER_MODULE },
	{ "client-kcall-done", IN_PARKING, OVER_MODULE },
	{ "client-vmfunc", IN_PARKING, OVER_VMFUNC },
	{ "client-vmfunc-done", IN_PARKING, OVER_VMFUNC },
	{ "client-bufs-ask", IN_ALL, OVER_ALL },
	{ "client-bufs-mapped", IN_ALL, OVER_ALL },
	{ "client-fds-sent", IN_ALL, OVER_ALL },
	{ "client-message", IN_ALL, OVER_SHM },
	{ "client-message-published", IN_ALL, OVER_SHM },
	{ "client-message-reply", IN_ALL, OVER_ALL },
	{ "client-kcall-submit", IN_PARKING, OVER_MODULE },
	{ "client-close", IN_ALL, OVER_ALL },
	{ "client-unregistered", IN_ALL, OVER_ALL },
};
const size_t nclient_points = ARRAY_LEN(client_points);

const struct scenario server_points[] = {
	{ "server-lock", IN_ALL, OVER_ALL },
	{ "server-owns", IN_ALL, OVER_ALL },
	{ "server-bound", IN_ALL, OVER_ALL },
	{ "server-created", IN_ALL, OVER_ALL },
	{ "server-start", IN_ALL, OVER_ALL },
	{ "server-accepted", IN_ALL, OVER_ALL },
	{ "server-hello-heard", IN_ALL, OVER_ALL },
	{ "server-opened", IN_ALL, OVER_ALL },
	{ "server-welcomed", IN_ALL, OVER_ALL },
	{ "server-chan-made", IN_ALL, OVER_ALL },
	{ "server-chan-given", IN_ALL, OVER_ALL },
	{ "server-bufs-made", IN_ALL, OVER_ALL },
	{ "server-claimed", IN_ALL, OVER_SHM },
	{ "server-request-taken", IN_ALL, OVER_ALL },
	{ "server-handler", IN_ALL, OVER_ALL },
	{ "server-handled", IN_ALL, OVER_ALL },
	{ "server-fds-sent", IN_ALL, OVER_ALL },
	{ "server-reply", IN_ALL, OVER_SHM },
	{ "server-wake", IN_ALL, OVER_SHM },
	{ "server-unclaimed", IN_ALL, OVER_SHM },
	{ "server-kcall", IN_PARKING, OVER_MODULE },
	{ "server-kcall-taken", IN_PARKING, OVER_MODULE },
	{ "server-lent", IN_PARKING, OVER_VMFUNC },
	{ "server-vmfunc", IN_PARKING, OVER_VMFUNC },
	{ "server-drop", IN_PARKING, OVER_SHM },
	{ "server-sleep", IN_PARKING, OVER_ALL },
	{ "server-woken", IN_PARKING, OVER_ALL },
	{ "server-drain", IN_ALL, OVER_ALL },
	{ "server-disown", IN_ALL, OVER_ALL },
	{ "server-drained", IN_ALL, OVER_ALL },
};
const size_t nserver_points = ARRAY_LEN(server_points);

struct victim {
	const char *name, *point;
	unsigned nth, first;
	int sig;
};

static int victim(struct child *me, void *arg)
{
	const struct victim *v = arg;
	int line;

	(void)me;
	pin_to(1);
	point_arm(v->point, v->nth, v->sig);
	line = client_script(v->name, v->first, 0);
	if (line)
		fprintf(stderr, "# script, line %d: %s\n", line,
			skyipc_errmsg());
	return line != 0;
}

static uint64_t conns_of(const char *name)
{
	struct skyipc_server_info info;

	query_of(name, &info);
	return info.stats.conns;
}

/* Longest that others waited after a client's death. */
static uint64_t longest_wait_ns;

/* The server is as before, and serves us at once. */
static void still_well(struct fixture *f, const struct footprint *fp,
		       const struct victim *v)
{
	char what[96];
	uint64_t t0 = time_ns();

	snprintf(what, sizeof(what), "%s, hit %u", v->point, v->nth);
	if (ask(f->conn, OP_ECHO, 41, 0) != 42)
		fail_msg("%s: wrong reply", what);
	t0 = time_ns() - t0;
	if (t0 > longest_wait_ns)
		longest_wait_ns = t0;
	/* Much less; but the machine may be busy with something else. */
	if (t0 > UINT64_C(5000000000) * slowness)
		fail_msg("%s: others waited for %u ms", what,
			 (unsigned)(t0 / 1000000));
	if (!WAIT_FOR_MS(conns_of(f->name) == 1, 1000 * slowness))
		fail_msg("%s: %d connections", what, (int)conns_of(f->name));
	footprint_is(f->child.pid, fp, what);
}

/* One victim: 1 if it got as far as its point. */
static int client_dies_at(struct fixture *f, const struct footprint *fp,
			  const struct victim *v)
{
	struct child c;
	int status;

	points_reset();
	child_start(&c, victim, (void *)v);
	status = child_end(&c);
	if (fired->fired ? status != 1000 + SIGKILL : status != 0)
		fail_msg("%s, hit %u: status %d", v->point, v->nth, status);
	still_well(f, fp, v);
	return fired->fired;
}

static void client_up(struct fixture *f, void **state, struct footprint *fp)
{
	pin_to(0);
	fixture_up(f, state, NULL, NULL);
	/* Channels, buffers: all that the server has for us. */
	ask(f->conn, OP_ECHO, 0, 0);
	/* Before asking it: questions leave their socket for a moment. */
	*fp = footprint_of(f->child.pid);
	assert_true(WAIT_FOR(conns_of(f->name) == 1));
}

static void test_client_dies(void **state)
{
	static const unsigned nths[] = { 1, 2, 5 };
	const struct variant *variant = *state;
	/* In haste each point once, in another way each time. */
	const unsigned step = getenv("SKY_FEW") ? WAYS + 1 : 1;
	struct footprint fp;
	struct fixture f;

	client_up(&f, state, &fp);
	for (size_t i = 0; i < nclient_points; i++) {
		const struct scenario *s = &client_points[i];
		int hits = 0;

		if (!is_reached(s, variant))
			continue;
		for (unsigned k = 0; k < ARRAY_LEN(nths) * WAYS; k += step) {
			struct victim v = { f.name, s->point, nths[k / WAYS],
					    k % WAYS, SIGKILL };
			int hit = client_dies_at(&f, &fp, &v);

			hits += hit;
			/* What is not reached twice is not reached more. */
			if (!hit)
				break;
		}
		if (hits < (step > 1 ? 1 : (int)WAYS))
			fail_msg("%s is not reached", s->point);
	}
	fixture_down(&f);
}

static void test_client_stops(void **state)
{
	const struct variant *variant = *state;
	struct footprint fp;
	struct fixture f;

	client_up(&f, state, &fp);
	for (size_t i = 0; i < nclient_points; i++) {
		struct victim v = { f.name, client_points[i].point, 1,
				    (unsigned)i % WAYS, SIGSTOP };
		struct child c;
		int status;

		if (!is_reached(&client_points[i], variant))
			continue;
		points_reset();
		child_start(&c, victim, &v);
		if (!wait_stopped(c.pid, &status))
			fail_msg("%s is not reached", v.point);
		assert_int_equal(ask(f.conn, OP_ECHO, 1, 0), 2);
		kill(c.pid, SIGCONT);
		status = child_end(&c);
		if (status)
			fail_msg("%s: status %d after SIGCONT", v.point,
				 status);
		still_well(&f, &fp, &v);
	}
	fixture_down(&f);
}

/* Many at a time, each at another point. */
static void test_clients_die_together(void **state)
{
	struct child c[ARRAY_LEN(client_points)];
	struct victim v[ARRAY_LEN(client_points)];
	struct footprint fp;
	struct fixture f;

	client_up(&f, state, &fp);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < nclient_points; i++) {
			v[i] = (struct victim){ f.name, client_points[i].point,
						1 + round, round, SIGKILL };
			child_start(&c[i], victim, &v[i]);
		}
		for (uint64_t i = 0; i < 1000; i++)
			assert_int_equal(ask(f.conn, OP_ECHO, i, 0), i + 1);
		for (size_t i = 0; i < nclient_points; i++) {
			int status = child_end(&c[i]);

			if (status && status != 1000 + SIGKILL)
				fail_msg("%s: status %d", v[i].point, status);
		}
		still_well(&f, &fp, &v[0]);
	}
	fixture_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_dies),
		cmocka_unit_test(test_client_stops),
		cmocka_unit_test(test_clients_die_together),
		cmocka_unit_test(test_server_dies),
		cmocka_unit_test(test_server_stops),
		cmocka_unit_test(test_all_pending),
		cmocka_unit_test(test_stopped_server_deadlines),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(test_tables),
	};
	int failed;

	points_init();
	failed = cmocka_run_group_tests_name("points", once, NULL, NULL);
	failed += run_variants("death", tests, ARRAY_LEN(tests), BY_MODE);
	printf("# a server's death was noticed after %u us at most\n",
	       (unsigned)(slowest_notice_ns / 1000));
	printf("# after a client's death others waited %u us at most\n",
	       (unsigned)(longest_wait_ns / 1000));
	return failed != 0;
}
