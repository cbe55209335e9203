/* SPDX-License-Identifier: MIT */
/* stats_test.c - counters, queries, listings, messages, versions */
#include "testlib.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <sys/stat.h>

#define TIMED 64 /* one call in so many */

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

/* ---- counters ----------------------------------------------------------- */

/* 640 short calls, 10 long ones, 5 with descriptors, some errors. */
static void work(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	static char data[1000];
	int fds[4] = { 0, 0, 0, 0 };

	for (int i = 0; i < 640; i++)
		ask(conn, OP_ECHO, 0, 0);
	req.data = data;
	req.len = sizeof(data);
	for (int i = 0; i < 10; i++)
		assert_int_equal(skyipc_call_msg(conn, &req, &rep, LIMIT), 0);
	req.len = 0;
	req.op = OP_FDS_BACK;
	req.fds = fds;
	req.nfds = 4;
	for (int i = 0; i < 5; i++) {
		int got[4];

		rep.fds = got;
		rep.nfds = 4;
		assert_int_equal(skyipc_call_msg(conn, &req, &rep, LIMIT), 0);
		for (int k = 0; k < 4; k++)
			close(got[k]);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(skyipc_call(conn, OP_OWN,
					     (uint64_t[SKYIPC_WORDS]){ 9 },
					     NULL, NULL, LIMIT),
				 -EMSGSIZE);
}

static void check_hist(const struct skyipc_hist *h, uint64_t calls)
{
	uint64_t sum = 0;

	for (int i = 0; i < SKYIPC_HIST_BUCKETS; i++)
		sum += h->bucket[i];
	assert_true(sum == h->count);
	assert_in_range(h->count, calls / TIMED / 2, calls / TIMED + 2);
	assert_true(skyipc_hist_quantile(h, 0.5) > 0);
	assert_true(skyipc_hist_quantile(h, 0.5) <=
		    skyipc_hist_quantile(h, 0.99));
	assert_true(skyipc_hist_quantile(h, 1.0) <= h->max_ns * 9 / 8 + 1);
	assert_true(h->max_ns < 10 * UINT64_C(1000000000) * slowness);
}

static void counters(void **state)
{
	struct skyipc_stats s, before;
	struct skyipc_server_info info;
	struct skyipc_conn_info *ci;
	struct fixture f;
	size_t n;

	fixture_up(&f, state, NULL, NULL);
	conn_stats_of(f.conn, &s);
	assert_true(!s.conns && !s.calls && !s.mem && !s.latency.count);
	work(f.conn);
	conn_stats_of(f.conn, &s);
	assert_int_equal(s.size, sizeof(s));
	assert_int_equal(s.conns, 1);
	assert_int_equal(s.conns_total, 1);
	assert_int_equal(s.calls, 655);
	assert_int_equal(s.errors, 3);
	assert_int_equal(s.bytes_out, 10000);
	assert_int_equal(s.bytes_in, 10000);
	assert_int_equal(s.fds_out, 20);
	assert_int_equal(s.fds_in, 20);
	assert_true(s.mem >= 8 * 2 * 65536);
	if (!strcmp(f.v->transport, "shm"))
		assert_true(s.mem >= 8 * 2 * 65536 + 2 * 64 * 64);
	assert_true(s.spins + s.parks > 0);
	check_hist(&s.latency, s.calls);

	/* The same calls, as the server sees them */
	info.size = sizeof(info);
	assert_int_equal(skyipc_query(f.name, &info, &ci, &n, LIMIT), 0);
	assert_int_equal(n, 1);
	assert_string_equal(ci[0].transport, f.v->transport);
	assert_int_equal(ci[0].size, sizeof(ci[0]));
	assert_int_equal(ci[0].peer.pid, getpid());
	assert_int_equal(ci[0].stats.conns, 1);
	for (int all = 0; all < 2; all++) {
		const struct skyipc_stats *t = all ? &info.stats : &ci[0].stats;

		assert_int_equal(t->conns, 1);
		assert_in_range(t->calls, 655, 658); /* handlers that ran */
		assert_int_equal(t->errors, 3);
		assert_int_equal(t->bytes_in, 10000);
		assert_int_equal(t->bytes_out, 10000);
		assert_int_equal(t->fds_in, 20);
		assert_int_equal(t->fds_out, 20);
		assert_true(t->mem == s.mem);
		check_hist(&t->latency, t->calls);
	}
	free(ci);

	/* What a connection has done stays in the server's sum. */
	before = info.stats;
	skyipc_close(f.conn);
	assert_true(WAIT_FOR((query_of(f.name, &info),
			      !info.stats.conns && !info.stats.mem)));
	assert_true(info.stats.calls == before.calls);
	assert_true(info.stats.latency.count == before.latency.count);
	assert_int_equal(info.stats.conns_total, 1);
	f.conn = connect_to(f.name, NULL);
	ask(f.conn, OP_ECHO, 0, 0);
	query_of(f.name, &info);
	assert_true(info.stats.calls == before.calls + 1);
	assert_int_equal(info.stats.conns_total, 2);
	fixture_down(&f);
}

static _Atomic int stop_asking;

static void *keep_asking(void *arg)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_conn_info *ci;
	uint64_t last = 0;
	size_t n;

	while (!stop_asking) {
		CHECK(skyipc_query(arg, &info, &ci, &n, LIMIT) == 0);
		CHECK(info.stats.calls >= last); /* never backwards */
		last = info.stats.calls;
		free(ci);
	}
	return NULL;
}

/* Asked while connections come, work and go: the sum only grows. */
static void while_working(void **state)
{
	struct fixture f;
	pthread_t thread;

	fixture_up(&f, state, NULL, NULL);
	stop_asking = 0;
	assert_int_equal(
		pthread_create(&thread, NULL, keep_asking, (void *)f.name), 0);
	for (unsigned i = 0; i < 300 / slowness; i++) {
		struct skyipc_conn *conn = connect_to(f.name, NULL);

		for (int k = 0; k < 20; k++)
			ask(conn, OP_ECHO, 0, 0);
		skyipc_close(conn);
	}
	stop_asking = 1;
	pthread_join(thread, NULL);
	fixture_down(&f);
}

/* The size that a program knows */
static void sizes(void **state)
{
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	struct skyipc_stats s;
	const char *name = new_name();

	(void)state;
	server = server_here(name, &plain);
	conn = connect_to(name, NULL);
	s.size = 0;
	assert_int_equal(skyipc_conn_stats(conn, &s), -EINVAL);
	assert_int_equal(skyipc_server_stats(server, &s), -EINVAL);
	s.size = sizeof(s);
	assert_int_equal(skyipc_server_stats(server, &s), 0);
	skyipc_close(conn);
	skyipc_server_destroy(server);
}

/* ---- queries and lists -------------------------------------------------- */

static void query(void **state)
{
	struct skyipc_server_info info = { .size = 0 };
	struct skyipc_server_attr attr = plain;
	struct skyipc_conn *conn[5];
	struct skyipc_conn_info *ci;
	const struct variant *v = *state;
	struct child c;
	size_t n;

	attr.workers = 2;
	attr.mode = v->mode;
	server_spawn(&c, "a.name", &attr);
	assert_int_equal(skyipc_query("a.name", &info, NULL, NULL, LIMIT),
			 -EINVAL);
	for (int i = 0; i < 5; i++)
		conn[i] = connect_to("a.name", NULL);
	info.size = sizeof(info);
	assert_int_equal(skyipc_query("a.name", &info, &ci, &n, SKYIPC_DEFAULT),
			 0);
	assert_int_equal(n, 5);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < i; k++)
			assert_true(ci[i].id != ci[k].id);
	free(ci);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.pid, c.pid);
	assert_int_equal(info.uid, geteuid());
	assert_int_equal(info.mode, v->mode);
	assert_int_equal(info.workers, 2);
	assert_int_equal(info.threads, 2);
	assert_true(info.uptime_ns > 0);
	assert_true(info.uptime_ns < UINT64_C(600000000000));
	assert_string_equal(info.name, "a.name");
	assert_true(info.comm[0] && strlen(info.comm) < sizeof(info.comm));
	assert_int_equal(info.stats.conns, 5);
	for (int i = 0; i < 5; i++)
		skyipc_close(conn[i]);
	assert_int_equal(skyipc_query("no.name", &info, NULL, NULL, LIMIT),
			 -ENOENT);
	assert_true(skyipc_errmsg()[0]);
	child_kill(&c);
	assert_int_equal(skyipc_query("a.name", &info, NULL, NULL, LIMIT),
			 -ECONNREFUSED);
	server_spawn(&c, "a.name", &attr);
	assert_int_equal(child_end(&c), 0);
}

static int count_names(const char *path, void *arg)
{
	int *n = arg;

	assert_true(path[0] == '/');
	assert_int_equal(access(path, F_OK), 0);
	*n += strstr(path, "/list-") != NULL;
	return 0;
}

static int stop_at_first(const char *path, void *arg)
{
	(void)path;
	++*(int *)arg;
	return 77;
}

static void list(void **state)
{
	struct skyipc_server *server[3];
	int n = 0;

	(void)state;
	assert_int_equal(skyipc_list(count_names, &n), 0);
	assert_int_equal(n, 0);
	for (int i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "list-%d", i);
		assert_int_equal(skyipc_server_create(name, &plain, &server[i]),
				 0);
	}
	assert_int_equal(skyipc_list(count_names, &n), 0);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(skyipc_list(stop_at_first, &n), 77);
	assert_int_equal(n, 1);
	for (int i = 0; i < 3; i++)
		skyipc_server_destroy(server[i]);
	n = 0;
	assert_int_equal(skyipc_list(count_names, &n), 0);
	assert_int_equal(n, 0);
}

/* ---- what the library says ---------------------------------------------- */

static char said[8][200];
static _Atomic int nsaid;

static void hear(enum skyipc_log_level level, const char *line, void *arg)
{
	int i = nsaid;

	CHECK(arg == &nsaid);
	CHECK(level <= SKYIPC_LOG_DEBUG);
	CHECK(!strchr(line, '\n'));
	if (i < 8)
		snprintf(said[i], sizeof(said[i]), "%s", line);
	nsaid = i + 1;
}

static void logs(void **state)
{
	struct skyipc_server_attr attr = plain;
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn, *two;
	struct child c;

	(void)state;
	skyipc_set_log(hear, &nsaid);
	server_spawn(&c, name, &plain);
	child_kill(&c);
	nsaid = 0;
	attr.log = hear;
	attr.log_arg = &nsaid;
	attr.max_conns = 1;
	server = server_here(name, &attr);
	assert_int_equal(nsaid, 1); /* taken over */
	assert_non_null(strstr(said[0], name));
	conn = connect_to(name, NULL);
	nsaid = 0;
	assert_int_equal(skyipc_connect(name, NULL, &two), -EDQUOT);
	assert_true(WAIT_FOR(nsaid == 1));
	assert_non_null(strstr(said[0], "max_conns"));
	skyipc_close(conn);
	skyipc_server_destroy(server);
	skyipc_set_log(NULL, NULL);
}

static void *other_thread(void *arg)
{
	(void)arg;
	CHECK(!skyipc_errmsg()[0]);
	return NULL;
}

static void messages(void **state)
{
	struct skyipc_conn *conn;
	pthread_t thread;

	(void)state;
	assert_int_equal(skyipc_connect("no-such-name", NULL, &conn), -ENOENT);
	assert_non_null(strstr(skyipc_errmsg(), "no-such-name"));
	assert_null(strchr(skyipc_errmsg(), '\n'));
	/* Each thread has its own. */
	assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
	pthread_join(thread, NULL);
	assert_non_null(strstr(skyipc_errmsg(), "no-such-name"));
}

static void versions(void **state)
{
	struct skyipc_transport_info info = { .size = sizeof(info) };
	const struct variant *v = *state;
	char want[16];
	int found = 0;
	unsigned i;

	snprintf(want, sizeof(want), "%d.%d.", SKYIPC_VERSION_MAJOR,
		 SKYIPC_VERSION_MINOR);
	assert_int_equal(strncmp(skyipc_version(), want, strlen(want)), 0);
	for (i = 0; !skyipc_transport(i, &info); i++) {
		assert_true(info.name[0]);
		assert_true(info.available || info.detail[0]);
		found |= !strcmp(info.name, v->transport) && info.available;
		info.size = sizeof(info);
	}
	assert_true(found);
	assert_int_equal(skyipc_transport(i, &info), -ENOENT);
	info.size = 0;
	assert_int_equal(skyipc_transport(0, &info), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(counters),
		cmocka_unit_test(query),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_working), cmocka_unit_test(sizes),
		cmocka_unit_test(list),		 cmocka_unit_test(logs),
		cmocka_unit_test(messages),	 cmocka_unit_test(versions),
	};

	return run_variants("statistics", by_mode, ARRAY_LEN(by_mode),
			    BY_MODE) +
	       run_variants("what the library says", tests, ARRAY_LEN(tests),
			    0);
}
