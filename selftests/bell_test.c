/* SPDX-License-Identifier: MIT */
/*
 * bell_test.c - clients that do not share a doorbell with their server
 *
 * To this program nobody is trusted: what it defines takes the place of the
 * library's own (libskyipc/src/trust.c). So its clients ring over the socket,
 * as those of another user's server do.
 */
#include "bell.h"
#include "sock.h"
#include "trust.h"

#include <poll.h>
#include <pthread.h>

int peer_trusted(const struct skyipc_peer *peer)
{
	(void)peer;
	return 0;
}

struct shm_chan *mine(struct skyipc_conn *conn)
{
	struct chan *chan = chan_peek(conn);

	assert_non_null(chan);
	return shm_of(chan);
}

/* ---- calls -------------------------------------------------------------- */

enum kind { SHORT, LONG, FDS, ASYNC, KINDS };

static void call_as(struct skyipc_conn *conn, enum kind kind, uint64_t i)
{
	uint64_t in[SKYIPC_WORDS] = { i }, out[SKYIPC_WORDS];
	int fds[2] = { 0, 1 }, back[2];
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 }, reps[3];
	char data[3000];

	switch (kind) {
	case SHORT:
		CHECK(!skyipc_call(conn, OP_ECHO, in, out, NULL,
				   LIMIT * slowness));
		CHECK(out[0] == i + 1);
		break;
	case LONG:
		req.data = data;
		req.len = i % sizeof(data) + 1;
		pattern_fill(data, req.len, i);
		CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT * slowness));
		CHECK(rep.len == req.len && pattern_is(rep.data, rep.len, i));
		break;
	case FDS:
		req = (struct skyipc_msg){ .op = OP_FDS_BACK,
					   .fds = fds,
					   .nfds = 2 };
		rep = (struct skyipc_msg){ .fds = back, .nfds = 2 };
		CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT * slowness));
		CHECK(rep.nfds == 2);
		close_fds(back, 2);
		break;
	default:
		memset(reps, 0, sizeof(reps));
		for (req.tag = 0; req.tag < 3; req.tag++) {
			req.w[0] = i + req.tag;
			CHECK(!skyipc_submit(conn, &req));
		}
		CHECK(skyipc_wait(conn, reps, 3, 3, LIMIT * slowness) == 3);
		for (uint64_t k = 0; k < 3; k++)
			CHECK(reps[k].tag == k && reps[k].w[0] == i + k + 1);
	}
}

/*
 * Has the server gone to sleep since it had done so @before times, so that our
 * next call has to wake it? One that is dispatched does not count.
 */
static int parked(const struct fixture *f, uint64_t before)
{
	struct skyipc_server_info info;

	query_of(f->name, &info);
	return (!info.threads || info.stats.parks > before) &&
	       atomic_load(&mine(f->conn)->head->server.park) == SHM_PARKED;
}

/*
 * Every kind of call finds the server asleep, and wakes it: when it asks for
 * it, and when it does not, as if a worker that is busy had our channel.
 */
static void wake_with_all_kinds(const struct fixture *f)
{
	struct skyipc_server_info info = { .stats.parks = 0 };
	struct skyipc_stats stats;
	uint64_t rung;

	for (unsigned i = 0; i < 100 / slowness + 2 * KINDS; i++) {
		assert_true(WAIT_FOR_MS(parked(f, info.stats.parks),
					LIMIT_MS * slowness));
		query_of(f->name, &info);
		conn_stats_of(f->conn, &stats);
		rung = stats.wakes;
		if (i / KINDS & 1)
			atomic_store(&mine(f->conn)->head->server.park,
				     SHM_AWAKE);
		call_as(f->conn, i % KINDS, i);
		conn_stats_of(f->conn, &stats);
		assert_true(stats.wakes > rung);
	}
}

static void modes(void **state)
{
	struct fixture f;

	over_shm_only();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(f.conn->bell, -1);
	for (unsigned i = 0; i < 400 / slowness; i++)
		call_as(f.conn, i % KINDS, i);
	if (f.v->mode != SKYIPC_POLLING) /* it never sleeps */
		wake_with_all_kinds(&f);
	assert_int_equal(f.conn->bell, -1);
	fixture_down(&f);
}

/* An event loop: rings have to make its descriptor readable. */
static int dispatcher(struct child *me, void *arg)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = test_handler };
	struct pollfd pfd[2] = { { me->from, POLLIN, 0 }, { -1, POLLIN, 0 } };
	struct skyipc_server *server;

	CHECK(!skyipc_server_create(arg, &attr, &server));
	pfd[1].fd = skyipc_server_fd(server);
	CHECK(pfd[1].fd >= 0);
	child_say(me, 0);
	while (poll(pfd, 2, -1) > 0 && !pfd[0].revents)
		CHECK(skyipc_server_dispatch(server, SKYIPC_NS(1)) >= 0);
	skyipc_server_destroy(server);
	return 0;
}

static void dispatched(void **state)
{
	struct fixture f = { .v = *state, .name = new_name() };

	over_shm_only();
	child_start(&f.child, dispatcher, (void *)f.name);
	child_hear(&f.child);
	f.conn = connect_to(f.name, NULL);
	assert_int_equal(f.conn->bell, -1);
	call_as(f.conn, SHORT, 0);
	wake_with_all_kinds(&f);
	fixture_down(&f);
}

/* ---- threads ------------------------------------------------------------ */

static void *all_kinds(void *arg)
{
	for (unsigned i = 0; i < 400 / slowness; i++)
		call_as(arg, i % KINDS, i);
	return NULL;
}

static void *block(void *arg)
{
	CHECK(!skyipc_call(arg, OP_BLOCK, NULL, NULL, NULL, LIMIT * slowness));
	return NULL;
}

/* All of them ring over the one socket, and one worker is busy for long. */
static void threads(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr), .workers = 2 };
	pthread_t thread[4], blocked;
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	if (f.v->mode !=
	    SKYIPC_POLLING) { /* its channels stay where they are */
		assert_int_equal(pthread_create(&blocked, NULL, block, f.conn),
				 0);
		assert_true(WAIT_FOR(ask(f.conn, OP_BLOCKED, 0, 0)));
	}
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, all_kinds, f.conn), 0);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	if (f.v->mode != SKYIPC_POLLING) {
		ask(f.conn, OP_UNBLOCK, 1, 0);
		pthread_join(blocked, NULL);
	}
	fixture_down(&f);
}

/* ---- the server goes ---------------------------------------------------- */

static void *call_until_it_goes(void *arg)
{
	int err;

	do {
		err = skyipc_call(arg, OP_ECHO, NULL, NULL, NULL,
				  LIMIT * slowness);
	} while (!err);
	CHECK(err == -EPIPE || err == -ECONNRESET);
	return NULL;
}

static void *block_until_it_goes(void *arg)
{
	CHECK(skyipc_call(arg, OP_BLOCK, NULL, NULL, NULL, LIMIT * slowness) ==
	      -ECONNRESET);
	return NULL;
}

static void gone(struct fixture *f)
{
	assert_true(WAIT_FOR(skyipc_call(f->conn, OP_ECHO, NULL, NULL, NULL,
					 LIMIT * slowness) == -EPIPE));
	skyipc_close(f->conn);
	pin_to(-1);
}

static void stops(void **state)
{
	pthread_t thread;
	struct fixture f;

	fixture_up(&f, state, NULL, NULL);
	ask(f.conn, OP_ECHO, 0, 0);
	assert_int_equal(
		pthread_create(&thread, NULL, call_until_it_goes, f.conn), 0);
	assert_int_equal(child_end(&f.child), 0);
	pthread_join(thread, NULL);
	gone(&f);
}

static void dies(void **state)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = test_handler,
					   .workers = 2 };
	pthread_t thread;
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	ask(f.conn, OP_ECHO, 0, 0);
	assert_int_equal(
		pthread_create(&thread, NULL, block_until_it_goes, f.conn), 0);
	assert_true(WAIT_FOR(ask(f.conn, OP_BLOCKED, 0, 0)));
	child_kill(&f.child);
	pthread_join(thread, NULL);
	gone(&f);
	/* A successor takes over the name, and cleans up. */
	server_spawn(&f.child, f.name, &attr);
	assert_int_equal(child_end(&f.child), 0);
}

int main(void)
{
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(modes),
		cmocka_unit_test(threads),
		cmocka_unit_test(stops),
		cmocka_unit_test(dies),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(dispatched),
	};

	return run_variants("no doorbell", by_mode, ARRAY_LEN(by_mode),
			    BY_MODE) +
	       run_variants("an event loop", once, ARRAY_LEN(once), 0) +
	       run_variants("ringing by hand", bell_raw_tests, nbell_raw_tests,
			    0);
}
