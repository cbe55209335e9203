/* SPDX-License-Identifier: MIT */
/*
 * uring_test.c - handlers that read and write files through rings, over every
 * transport
 *
 * The server is a process of its own, which looks at its end whether anything
 * of its rings is left. Clients say offsets and lengths, good and bad.
 */
#include "testlib.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include "clock.h"
#include "uring_sets.h"

enum { SIZE = 300001, BLOCK = 16384 };

enum op {
	READ,  /* in: offset, length; the bytes back; out: result */
	WRITE, /* in: offset; the bytes; out: result */
	WORDS, /* in: offset; out: 5 words from there, result */
	TWICE, /* the same, but two reads at a time */
	PLAIN, /* as WORDS, without the library */
	PIPE,  /* in: 5 words; into a pipe, and out again */
	PLAIN_PIPE,
	WAIT,	/* until there is a byte in the pipe; out: it */
	FEED,	/* a byte into it */
	CHILD,	/* fork() */
	COUNTS, /* out: rings, done, direct, busy, waiting handlers, system
		   calls of rings */
};

/* What the server is to be like */
struct setting {
	struct skyipc_uring_attr uring;
	uint32_t workers;
	int stops;
	const char *name;
	enum skyipc_mode mode;
};

/* ---- the server ------------------------------------------------------------
 */

static struct skyipc_uring *u;
static int file, ends[2];
static _Atomic uint64_t waiting;

static int64_t words(struct skyipc_call *call)
{
	struct skyipc_uring_io io[2] = {
		{ .flags = SKYIPC_URING_FILE,
		  .buf = call->out,
		  .len = 40,
		  .offset = (int64_t)call->in[0] },
		{ .flags = SKYIPC_URING_FILE,
		  .buf = call->out,
		  .len = 20,
		  .offset = (int64_t)call->in[0] },
	};
	int err;

	if (call->op == PLAIN)
		return pread(file, call->out, 40, (int64_t)call->in[0]);
	if (call->op == WORDS)
		return skyipc_uring_read(u, file, call->out, 40,
					 (int64_t)call->in[0]);
	io[1].buf = (char *)call->out + 20;
	io[1].offset += 20;
	io[0].len = 20;
	err = skyipc_uring_submit(u, io, 2);
	if (!err)
		err = skyipc_uring_wait(u, io, 2);
	return err ?: io[0].result + io[1].result;
}

/* The poller itself can do this at once, whatever files are made of. */
static int64_t through_pipe(struct skyipc_call *call)
{
	int plain = call->op == PLAIN_PIPE;
	ssize_t n = plain ? write(ends[1], call->in, 40)
			  : skyipc_uring_write(u, ends[1], call->in, 40, 0);

	if (n != 40)
		return n;
	return plain ? read(ends[0], call->out, 40)
		     : skyipc_uring_read(u, ends[0], call->out, 40, 0);
}

static int forks(void)
{
	char c;
	pid_t child = fork();
	int status;

	if (!child)
		_exit(skyipc_uring_read(u, file, &c, 1, 0) != -ECHILD);
	return child < 0 || waitpid(child, &status, 0) != child || status;
}

static int32_t handler(struct skyipc_call *call, void *arg)
{
	struct skyipc_uring_stats s;
	int64_t n;
	char c = (char)call->in[0];

	(void)arg;
	switch (call->op) {
	case READ:
		if (call->in[1] > call->reply_cap)
			return EMSGSIZE;
		n = skyipc_uring_read(u, file, call->reply, call->in[1],
				      (int64_t)call->in[0]);
		call->reply_len = n > 0 ? (size_t)n : 0;
		call->out[0] = (uint64_t)n;
		return 0;
	case WRITE:
		n = skyipc_uring_write(u, file, call->data, call->len,
				       (int64_t)call->in[0]);
		call->out[0] = (uint64_t)n;
		return 0;
	case WORDS:
	case TWICE:
	case PLAIN:
		call->out[5] = (uint64_t)words(call);
		return 0;
	case PIPE:
	case PLAIN_PIPE:
		call->out[5] = (uint64_t)through_pipe(call);
		return 0;
	case WAIT:
		waiting++;
		n = skyipc_uring_read(u, ends[0], &c, 1, 0);
		waiting--;
		call->out[0] = n == 1 ? (uint64_t)c : (uint64_t)n;
		return 0;
	case FEED:
		n = skyipc_uring_write(u, ends[1], &c, 1, 0);
		call->out[0] = (uint64_t)n;
		return 0;
	case CHILD:
		return forks();
	case COUNTS:
		s = stats_of(u);
		call->out[0] = s.rings;
		call->out[1] = s.done;
		call->out[2] = s.direct;
		call->out[3] = s.busy;
		call->out[4] = waiting;
		call->out[5] = s.wakes + s.waits;
		return 0;
	}
	return ENOSYS;
}

static int serve(struct child *me, void *arg)
{
	struct setting *s = arg;
	const struct skyipc_server_attr attr = { .size = sizeof(attr),
						 .handler = handler,
						 .mode = s->mode,
						 .workers = s->workers };
	int fds = fds_open(getpid());
	struct skyipc_server *server;

	file = file_of(SIZE);
	CHECK(!pipe2(ends, O_CLOEXEC));
	s->uring.files = &file;
	s->uring.nfiles = 1;
	if (!rings_here())
		s->uring.flags = SKYIPC_URING_DIRECT;
	CHECK(!skyipc_uring_create(&s->uring, &u));
	server = server_here(s->name, &attr);
	child_say(me, 0);
	/* Stopping: first it cannot, then it can. */
	if (s->stops) {
		child_hear(me);
		child_say(me, skyipc_server_stop(server, SKYIPC_MS(50)));
		child_hear(me);
		CHECK(write(ends[1], "z", 1) == 1);
		child_say(me, skyipc_server_stop(server, LIMIT));
	}
	child_await_end(me);
	CHECK(!skyipc_server_stop(server, LIMIT));
	skyipc_server_destroy(server);
	skyipc_uring_destroy(u);
	close(file);
	close(ends[0]);
	close(ends[1]);
	CHECK(fds_open(getpid()) == fds);
	CHECK(pollers_end());
	return 0;
}

/* ---- clients ----------------------------------------------------------------
 */

struct pair {
	struct setting setting;
	struct child server;
	struct skyipc_conn *conn;
};

static void up(struct pair *p, void **state, uint32_t workers)
{
	const struct variant *v = *state;
	const struct skyipc_connect_attr attr = { .size = sizeof(attr),
						  .buf_size = BLOCK };

	p->setting.uring.size = sizeof(p->setting.uring);
	p->setting.workers = workers;
	p->setting.name = new_name();
	p->setting.mode = v->mode;
	child_start(&p->server, serve, &p->setting);
	child_hear(&p->server);
	p->conn = connect_to(p->setting.name, &attr);
}

static void down(struct pair *p)
{
	skyipc_close(p->conn);
	assert_int_equal(child_end(&p->server), 0);
}

static void counts(struct pair *p, uint64_t *out)
{
	CHECK(!skyipc_call(p->conn, COUNTS, NULL, out, NULL, LIMIT));
}

/* What READ says: its result; the bytes are looked at. */
static int64_t read_at(struct skyipc_conn *conn, uint64_t offset, uint64_t len,
		       void *to)
{
	struct skyipc_msg req = { .op = READ, .w = { offset, len } },
			  rep = { .op = 0 };

	CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT));
	if (rep.status)
		return -rep.status;
	CHECK(rep.len == ((int64_t)rep.w[0] > 0 ? rep.w[0] : 0));
	if (rep.len)
		memcpy(to, rep.data, rep.len);
	return (int64_t)rep.w[0];
}

static int64_t write_at(struct skyipc_conn *conn, uint64_t offset,
			const void *data, size_t len)
{
	struct skyipc_msg req = { .op = WRITE,
				  .w = { offset },
				  .data = (void *)(uintptr_t)data,
				  .len = len },
			  rep = { .op = 0 };

	CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT));
	return rep.status ? -rep.status : (int64_t)rep.w[0];
}

static int64_t words_at(struct skyipc_conn *conn, enum op op, uint64_t offset)
{
	uint64_t in[SKYIPC_WORDS] = { offset }, out[SKYIPC_WORDS];

	CHECK(!skyipc_call(conn, op, in, out, NULL, SKYIPC_DEFAULT));
	CHECK((int64_t)out[5] < 0 || file_is(out, out[5], offset));
	return (int64_t)out[5];
}

/* All of the file, in pieces of all sizes, and what is written into it */
static void exact(void **state)
{
	char data[BLOCK], back[BLOCK];
	uint64_t random = 1, out[SKYIPC_WORDS];
	struct pair p = {};

	up(&p, state, 1);
	for (uint64_t at = 0; at < SIZE; at += BLOCK) {
		uint64_t len = at + BLOCK < SIZE ? BLOCK : SIZE - at;

		assert_int_equal(read_at(p.conn, at, BLOCK, data), len);
		assert_true(file_is(data, len, at));
	}
	for (unsigned i = 0; i < 500 / slowness; i++) {
		uint64_t at, len;

		random = random * UINT64_C(6364136223846793005) + 1;
		at = (random >> 33) % SIZE;
		len = (random >> 20) % (BLOCK + 1);
		len = at + len < SIZE ? len : SIZE - at;
		assert_int_equal(read_at(p.conn, at, len, data), len);
		assert_true(file_is(data, len, at));
		at = at < SIZE - 40 ? at : SIZE - 40;
		assert_int_equal(words_at(p.conn, WORDS, at), 40);
		assert_int_equal(words_at(p.conn, TWICE, at), 40);
	}
	for (unsigned i = 0; i < 200 / slowness; i++) {
		size_t len = 1 + i * 977 % BLOCK, at = i * 7919 % SIZE;

		pattern_fill(data, len, i);
		assert_int_equal(write_at(p.conn, at, data, len), len);
		assert_int_equal(read_at(p.conn, at, len, back), len);
		assert_memory_equal(data, back, len);
	}
	counts(&p, out);
	assert_true(out[1] + out[2] > 0);
	assert_int_equal(out[3], 0);
	down(&p);
}

/* What a client may say */
static void hostile(void **state)
{
	static const struct {
		uint64_t offset, len;
		int64_t result;
	} cases[] = {
		{ SIZE, 10, 0 },
		{ SIZE - 1, 10, 1 },
		{ SIZE + 1, 10, 0 },
		{ UINT64_C(1) << 50, 10, 0 },
		{ 0, 0, 0 },
		{ INT64_MAX - 10, 10, 0 },
		{ INT64_MAX - 10, 11, -EINVAL },
		{ INT64_MAX, 1, -EINVAL },
		{ UINT64_C(1) << 63, 10, -EINVAL },
		{ UINT64_MAX, 10, -EINVAL },
		{ UINT64_MAX - 10, 10, -EINVAL },
		{ 0, BLOCK + 1, -EMSGSIZE },
		{ 0, UINT32_MAX, -EMSGSIZE },
		{ 0, UINT64_MAX, -EMSGSIZE },
		{ UINT64_MAX, UINT64_MAX, -EMSGSIZE },
	};
	char data[BLOCK] = "";
	struct pair p = {};

	up(&p, state, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t n =
			read_at(p.conn, cases[i].offset, cases[i].len, data);

		if (n != cases[i].result)
			fail_msg("case %zu: %lld", i, (long long)n);
		if (cases[i].result < 0 && cases[i].len <= BLOCK)
			assert_int_equal(write_at(p.conn, cases[i].offset, data,
						  cases[i].len),
					 cases[i].result);
	}
	/* The file is what it was. */
	assert_int_equal(read_at(p.conn, SIZE - 5, 10, data), 5);
	assert_true(file_is(data, 5, SIZE - 5));
	down(&p);
}

/* Handlers at the same time, with rings for all and for some of them */
struct caller {
	struct pair *p;
	pthread_t thread;
	unsigned number;
};

static void *call_many(void *arg)
{
	const struct caller *c = arg;
	/* Each its own part of the file */
	const uint64_t at = c->number * 20000;
	char data[3000], back[3000];

	for (unsigned i = 0; i < 100 / slowness + 1; i++) {
		size_t len = 1 + (i * 631 + c->number) % sizeof(data);

		pattern_fill(data, len, i * 8 + c->number);
		CHECK(write_at(c->p->conn, at, data, len) == (int64_t)len);
		CHECK(read_at(c->p->conn, at, len, back) == (int64_t)len);
		CHECK(!memcmp(data, back, len));
		for (unsigned k = 0; k < 10; k++)
			CHECK(words_at(c->p->conn, k & 1 ? WORDS : TWICE,
				       200000 + i * 50 + k) == 40);
	}
	return NULL;
}

static void crowd(void **state)
{
	for (uint32_t rings = 1; rings <= 4; rings += 3) {
		struct caller c[6];
		uint64_t out[SKYIPC_WORDS];
		struct pair p = { .setting.uring = { .rings = rings,
						     .depth = rings } };

		up(&p, state, 4);
		for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
			c[i] = (struct caller){ .p = &p, .number = i };
			assert_int_equal(pthread_create(&c[i].thread, NULL,
							call_many, &c[i]),
					 0);
		}
		for (unsigned i = 0; i < ARRAY_LEN(c); i++)
			pthread_join(c[i].thread, NULL);
		counts(&p, out);
		assert_int_equal(out[1] + out[2],
				 (100 / slowness + 1) * 17 * ARRAY_LEN(c));
		/* Workers are four: with as many rings nobody finds none. */
		if (rings == 4)
			assert_int_equal(out[3], 0);
		down(&p);
	}
}

static void *wait_for_byte(void *arg)
{
	struct pair *p = arg;
	uint64_t out[SKYIPC_WORDS];

	CHECK(!skyipc_call(p->conn, WAIT, NULL, out, NULL, LIMIT));
	CHECK(out[0] == 'z');
	return NULL;
}

/* A transfer that is under way when its server stops; no fewer bytes for that
 */
static void stops(void **state)
{
	uint64_t in[SKYIPC_WORDS] = { 'y' }, out[SKYIPC_WORDS];
	struct pair p = {};
	pthread_t thread;
	uint64_t before;

	p.setting.stops = 1;
	up(&p, state, 2);
	assert_int_equal(skyipc_call(p.conn, FEED, in, out, NULL, LIMIT), 0);
	assert_int_equal(out[0], 1);
	assert_int_equal(skyipc_call(p.conn, WAIT, NULL, out, NULL, LIMIT), 0);
	assert_int_equal(out[0], 'y');
	counts(&p, out);
	before = out[5];
	assert_int_equal(pthread_create(&thread, NULL, wait_for_byte, &p), 0);
	/* Its handler runs; if there are rings, it sleeps for what is late. */
	do
		counts(&p, out);
	while (!out[4] || (out[0] && out[5] == before));
	child_say(&p.server, 0);
	assert_int_equal(child_hear(&p.server), -ETIMEDOUT);
	child_say(&p.server, 0);
	assert_int_equal(child_hear(&p.server), 0);
	pthread_join(thread, NULL);
	down(&p);
}

/* A handler's child has no rings, and the server goes on. */
static void forking(void **state)
{
	struct pair p = {};
	int32_t status;

	up(&p, state, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(words_at(p.conn, WORDS, 100), 40);
		assert_int_equal(
			skyipc_call(p.conn, CHILD, NULL, NULL, &status, LIMIT),
			0);
		assert_int_equal(status, 0);
		assert_int_equal(words_at(p.conn, TWICE, 300), 40);
	}
	down(&p);
}

static void call_one(struct pair *p, enum op op, unsigned i)
{
	uint64_t in[SKYIPC_WORDS] = { i, i * 3, i ^ 99, ~i, i << 20 },
		 out[SKYIPC_WORDS];

	if (op != PIPE && op != PLAIN_PIPE) {
		assert_int_equal(words_at(p->conn, op, i), 40);
		return;
	}
	CHECK(!skyipc_call(p->conn, op, in, out, NULL, SKYIPC_DEFAULT));
	assert_int_equal(out[5], 40);
	assert_memory_equal(in, out, 40);
}

/* How many of @n calls have left their view; what one takes is said. */
static uint64_t moved(struct pair *p, const char *what, enum op op, unsigned n)
{
	struct skyipc_stats s;
	uint64_t t, before;

	conn_stats_of(p->conn, &s);
	before = s.parks;
	t = ticks();
	for (unsigned i = 0; i < n; i++)
		call_one(p, op, i);
	t = ticks() - t;
	conn_stats_of(p->conn, &s);
	print_message("# %s: %llu ticks a call, %llu of %u moved\n", what,
		      (unsigned long long)(t / n),
		      (unsigned long long)(s.parks - before), n);
	return s.parks - before;
}

/*
 * In views, I/O stays there: with a poller that is awake, on a CPU of its own,
 * not one of so many calls moves, and each does without rings. What is there
 * for the first time (pages of counters, for one) has been there before.
 */
static void stays(void **state)
{
	const unsigned n = 2000 / slowness;
	uint64_t before[SKYIPC_WORDS], after[SKYIPC_WORDS];
	struct pair p = { .setting.uring = {
				  .idle_ms = 1000000,
				  .poll_ns = UINT64_C(1000000000000),
				  .set_cpu = 1,
				  .cpu = 1,
			  } };
	cpu_set_t was;

	if (strcmp(transport, "vmfunc") || cpus_allowed() < 2 || !rings_here())
		skip();
	up(&p, state, 1);
	assert_int_equal(sched_getaffinity(0, sizeof(was), &was), 0);
	pin_to(0);
	for (enum op op = WORDS; op <= PLAIN_PIPE; op++)
		moved(&p, "warming", op, 200);
	counts(&p, before);
	assert_int_equal(moved(&p, "reading", WORDS, n), 0);
	assert_int_equal(moved(&p, "reading twice", TWICE, n), 0);
	assert_int_equal(moved(&p, "through a pipe", PIPE, n), 0);
	counts(&p, after);
	assert_int_equal(after[1] - before[1], 5 * n);
	assert_int_equal(after[2], before[2]);
	assert_int_equal(after[5], before[5]);
	assert_int_equal(moved(&p, "pread()", PLAIN, n), n);
	assert_int_equal(moved(&p, "write() and read()", PLAIN_PIPE, n), n);
	assert_int_equal(sched_setaffinity(0, sizeof(was), &was), 0);
	down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact),   cmocka_unit_test(hostile),
		cmocka_unit_test(crowd),   cmocka_unit_test(stops),
		cmocka_unit_test(forking), cmocka_unit_test(stays),
	};

	cmocka_set_test_filter(getenv("SKY_TEST"));
	return run_variants("rings", tests, ARRAY_LEN(tests), BY_MODE);
}
