/* SPDX-License-Identifier: MIT */
/*
 * kcall_hostile_test.c - peers that use the transport kcall by hand: whoever
 * deals with them gets a clear error, nobody else notices, nothing is left
 */
#include "kcall_raw.h"
#include "server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* ---- what a client may say ------------------------------------------------
 */

/* A call with these: the error instead of its handler, or 0 */
static int with(struct kraw *k, uint32_t flags, uint32_t chan, uint64_t ext)
{
	struct skyipc_dev_call c = kraw_call(k, OP_ECHO);

	c.msg.words[0] = 41;
	c.msg.ext[0] = ext;
	c.msg.ext[1] = kraw_flags(flags, chan);
	assert_int_equal(kraw_ioctl(k->link, SKYIPC_LINK_CALL, &c), 0);
	if (kraw_reply_flags(&c) & CALL_ERROR) {
		/* Words of the handler's, or of anybody's, do not come. */
		for (int i = 0; i < SKYIPC_WORDS; i++)
			assert_int_equal(c.msg.words[i], 0);
		return c.msg.status;
	}
	assert_int_equal(c.msg.status, 0);
	assert_int_equal(c.msg.words[0], 42);
	return 0;
}

static void words(void **state)
{
	static const uint64_t outside[] = {
		EXT(RAW_BUF_SIZE + 1, 0), EXT(UINT32_MAX, 0), EXT(1, RAW_BUFS),
		EXT(1, UINT32_MAX),	  UINT64_MAX,
	};
	struct target t;
	struct kraw k;

	target_up(&t, state, NULL);
	kraw_open(&k, t.name);
	assert_int_equal(with(&k, 0, k.raw.chan, 0), 0);
	for (int bit = 0; bit < 32; bit++) {
		int want = 1u << bit == CALL_CANCEL ? -ECANCELED
			   : 1u << bit == CALL_FDS  ? -EBADMSG
						    : -EINVAL;

		assert_int_equal(with(&k, 1u << bit, k.raw.chan, 0), want);
	}
	for (int bit = 0; bit < 32; bit++)
		assert_int_equal(with(&k, 0, k.raw.chan ^ 1u << bit, 0),
				 -EINVAL);
	assert_int_equal(with(&k, 0, UINT32_MAX, 0), -EINVAL);
	assert_int_equal(with(&k, ~0u, UINT32_MAX, UINT64_MAX), -EINVAL);
	honest_goes_on(&t.honest);

	assert_int_equal(raw_bufs(&k.raw, k.raw.chan), 0);
	assert_int_equal(with(&k, CALL_LONG, k.raw.chan, EXT(RAW_BUF_SIZE, 1)),
			 0);
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		assert_int_equal(with(&k, CALL_LONG, k.raw.chan, outside[i]),
				 -EINVAL);
	/* Its place is its own: the same one again, and the last one. */
	k.pos = 0;
	assert_int_equal(with(&k, 0, k.raw.chan, 0), 0);
	k.pos = UINT64_MAX;
	assert_int_equal(with(&k, 0, k.raw.chan, 0), 0);
	kraw_close(&k);
	target_down(&t);
}

/* What the module does for others, and libskyipc does not use. */
static void module_flags(void **state)
{
	static const uint32_t flags[] = { SKYIPC_CALL_LONG,
					  SKYIPC_CALL_LONG | SKYIPC_CALL_GRANT,
					  SKYIPC_CALL_LONG | SKYIPC_CALL_KEEP };
	const size_t size = 64 * 4096;
	struct skyipc_dev_call c;
	struct target t;
	struct kraw k;
	char *mem = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(mem != MAP_FAILED);
	target_up(&t, state, NULL);
	kraw_open(&k, t.name);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		c = kraw_call(&k, OP_ECHO);
		c.flags = flags[i];
		c.msg.words[0] = 41;
		c.msg.data = (uintptr_t)mem;
		c.msg.len = size;
		c.reply = (uintptr_t)mem + size;
		c.reply_size = size;
		assert_int_equal(kraw_ioctl(k.link, SKYIPC_LINK_CALL, &c), 0);
		assert_int_equal(c.msg.status, 0);
		assert_int_equal(c.msg.words[0], 42);
		assert_int_equal(c.msg.len, 0);
	}
	honest_goes_on(&t.honest);
	kraw_close(&k);
	munmap(mem, 2 * size);
	target_down(&t);
}

/* It goes while its call is in a handler, or on its way there. */
static void killed_in_call(void **state)
{
	struct skyipc_dev_call c;
	struct target t;
	struct kraw k;

	target_up(&t, state, NULL);
	for (unsigned i = 0; i < 200 / slowness + 8; i++) {
		kraw_open(&k, t.name);
		for (unsigned n = 0; n < i % RAW_DEPTH; n++) {
			c = kraw_call(&k, OP_SPIN);
			c.msg.words[0] = i % 4 * 10000;
			assert_int_equal(
				kraw_ioctl(k.link, SKYIPC_LINK_SUBMIT, &c), 0);
		}
		if (i & 8)
			moment();
		if (i & 1)
			assert_int_equal(
				kraw_ioctl(k.conn, SKYIPC_CONN_KILL, NULL), 0);
		if (i & 2) {
			close(k.link);
			k.link = -1;
		}
		kraw_close(&k);
	}
	target_down(&t);
}

/* All by one channel's number, each with as many calls as it may have */
static void many_links(void **state)
{
	struct target t;
	struct kraw k[50];

	target_up(&t, state, NULL);
	kraw_open(&k[0], t.name);
	for (size_t i = 1; i < ARRAY_LEN(k); i++) {
		k[i] = k[0];
		kraw_link(&k[i], RAW_DEPTH);
	}
	for (unsigned n = 0; n < RAW_DEPTH; n++)
		for (size_t i = 0; i < ARRAY_LEN(k); i++) {
			struct skyipc_dev_call c = kraw_call(&k[i], OP_ECHO);

			c.msg.words[0] = i;
			assert_int_equal(
				kraw_ioctl(k[i].link, SKYIPC_LINK_SUBMIT, &c),
				0);
		}
	honest_goes_on(&t.honest);
	for (unsigned n = 0; n < RAW_DEPTH; n++)
		for (size_t i = 0; i < ARRAY_LEN(k); i++) {
			struct skyipc_dev_call c = kraw_call(&k[i], 0);

			assert_int_equal(
				kraw_ioctl(k[i].link, SKYIPC_LINK_REAP, &c), 0);
			assert_int_equal(c.msg.words[0], i + 1);
		}
	for (size_t i = 1; i < ARRAY_LEN(k); i++)
		close(k[i].link);
	kraw_close(&k[0]);
	target_down(&t);
}

/* ---- shares ----------------------------------------------------------------
 */

#define USER_CONNS "/proc/sys/skyipc/user_connections"
#define USERS "/sys/kernel/debug/skyipc/users"

static long read_long(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = -1;

	if (f && fscanf(f, "%ld", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

static int write_long(const char *path, long n)
{
	FILE *f = fopen(path, "we");
	int ok = f && fprintf(f, "%ld\n", n) > 0;

	if (f && fclose(f))
		ok = 0;
	return ok;
}

/* Connections in use by root, as the module has it */
static long conns_used(void)
{
	FILE *f = fopen(USERS, "re");
	char line[256];
	unsigned uid;
	long n = 0, used = f ? 0 : -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%u %*d %ld", &uid, &n) == 2 && !uid)
			used = n;
	if (f)
		fclose(f);
	return used;
}

static void is_over(const char *name, const char *want)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr) };
	struct skyipc_conn *conn;

	assert_int_equal(skyipc_connect(name, &attr, &conn), 0);
	assert_string_equal(skyipc_conn_transport(conn), want);
	assert_int_equal(ask(conn, OP_ECHO, 1, 0), 2);
	skyipc_close(conn);
}

/* Descriptors of what has been over long are kept: they are nobody's share. */
static void hoarded_conns(void **state)
{
	long most = read_long(USER_CONNS), used;
	struct kraw k[60];
	struct target t;

	if (most < 0 || conns_used() < 0 || geteuid())
		skip();
	target_up(&t, state, NULL);
	used = conns_used();
	assert_true(used > 0);
	assert_true(write_long(USER_CONNS, used + 20));
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		kraw_open(&k[i], t.name);
		close(k[i].raw.sock);
		k[i].raw.sock = -1;
		/* Its server hears of it in a moment. */
		if (!WAIT_FOR(conns_used() <= used + 10))
			fail_msg("%ld connections", conns_used());
	}
	is_over(t.name, kraw_over());
	honest_goes_on(&t.honest);
	/* Where there is no room for it, there is another transport. */
	assert_true(write_long(USER_CONNS, 0));
	is_over(t.name, "shm");
	assert_true(write_long(USER_CONNS, most));
	is_over(t.name, kraw_over());
	for (size_t i = 0; i < ARRAY_LEN(k); i++)
		kraw_close(&k[i]);
	target_down(&t);
}

/* ---- rings for nothing ------------------------------------------------------
 */

/* A client over shared memory that does nothing but ring, and hardly calls */
static int ringer(struct child *me, void *arg)
{
	struct raw r;

	raw_open(&r, arg);
	raw_chan(&r);
	child_say(me, 0);
	for (unsigned i = 1;; i++) {
		char end;

		raw_ring(&r);
		if (i % 5000)
			continue;
		if (!raw_reply(&r, raw_put(&r, OP_ECHO, 0, 0)))
			return 1;
		if (recv(me->from, &end, 1, MSG_DONTWAIT) >= 0)
			break;
	}
	raw_close(&r);
	return 0;
}

static void rings(void **state)
{
	struct target t;
	struct child c;

	target_up(&t, state, NULL);
	child_start(&c, ringer, (void *)t.name);
	child_hear(&c);
	for (unsigned i = 0; i < 50 / slowness + 2; i++)
		honest_goes_on(&t.honest);
	assert_int_equal(child_end(&c), 0);
	target_down(&t);
}

static void *stop_it(void *server)
{
	assert_int_equal(skyipc_server_stop(server, LIMIT * slowness), 0);
	return NULL;
}

/* ---- at the end
 * -------------------------------------------------------------- */

#define LINKS 100

/* As many calls as the module takes, by one channel */
static int flooder(struct child *me, void *arg)
{
	struct kraw k[LINKS];
	struct skyipc_dev_call c;

	kraw_open(&k[0], arg);
	c = kraw_call(&k[0], OP_BLOCK);
	CHECK(!kraw_ioctl(k[0].link, SKYIPC_LINK_SUBMIT, &c));
	for (int i = 1; i < LINKS; i++) {
		k[i] = k[0];
		kraw_link(&k[i], RAW_DEPTH);
		for (unsigned n = 0; n < RAW_DEPTH; n++) {
			c = kraw_call(&k[i], OP_ECHO);
			CHECK(!kraw_ioctl(k[i].link, SKYIPC_LINK_SUBMIT, &c));
		}
	}
	child_say(me, 0);
	child_await_end(me);
	return 0;
}

/* A stopping server does not let one client's calls go before all others'. */
static void stop_flooded(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_msg req = { .op = OP_ECHO }, reps[32];
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	pthread_t thread;
	struct child c;

	(void)state;
	attr.handler = test_handler;
	attr.workers = 1;
	server = server_here(name, &attr);
	conn = connect_to(name, NULL);
	assert_int_equal(ask(conn, OP_ECHO, 1, 0), 2);
	/* The only worker is busy, and everything waits. */
	child_start(&c, flooder, (void *)name);
	child_hear(&c);
	assert_true(WAIT_FOR(test_blocked() == 1));
	for (unsigned i = 0; i < 32; i++) {
		req.w[0] = i;
		assert_int_equal(skyipc_submit(conn, &req), 0);
	}
	assert_int_equal(pthread_create(&thread, NULL, stop_it, server), 0);
	assert_true(WAIT_FOR(atomic_load(&server->draining)));
	test_unblock(1);
	memset(reps, 0, sizeof(reps));
	assert_int_equal(skyipc_wait(conn, reps, 32, 32, LIMIT * slowness), 32);
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(reps[i].result, 0);
		assert_int_equal(reps[i].w[0], i + 1);
	}
	pthread_join(thread, NULL);
	assert_int_equal(child_end(&c), 0);
	skyipc_close(conn);
	skyipc_server_destroy(server);
}

/* ---- servers that lie ------------------------------------------------------
 */

/* Each error that there is comes in time, and with a reason. */
static void calls(struct skyipc_conn *conn, enum klie lie)
{
	struct skyipc_msg req = { .op = 1 }, rep = { .op = 0 };
	int fds[4], err;

	rep.fds = fds;
	rep.nfds = 4;
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_MS(300) * slowness);
	/* (What has been replied may come although the connection is dead.) */
	if (lie == K_TRUTH ? err != 0 : !err && lie != K_KILL)
		fail_msg("lie %d: %d", (int)lie, err);
	if (err && !skyipc_errmsg()[0])
		fail_msg("lie %d: no message for %d", (int)lie, err);
	for (unsigned i = 0; !err && i < rep.nfds; i++)
		close(fds[i]);
	err = skyipc_call(conn, 1, NULL, NULL, NULL, SKYIPC_MS(50));
	if (lie != K_TRUTH && !err)
		fail_msg("lie %d is believed", (int)lie);
	lied_calls(conn);
}

static void against(int which)
{
	const enum klie lie = (enum klie)which;
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct kliar l = { .t.name = new_name(), .lie = lie };
	struct skyipc_conn *conn;
	struct lied lied;

	lied_begin(&lied, lie, l.t.name, kliar, &l);
	attr.transport = kraw_over();
	attr.call_ns = SKYIPC_MS(100) * slowness;
	lied_attr(&attr);
	if (skyipc_connect(l.t.name, &attr, &conn))
		fail_msg("lie %d: cannot connect: %s", (int)lie,
			 skyipc_errmsg());
	calls(conn, lie);
	skyipc_close(conn);
	/* Descriptors are waited for longer: they may be on their way. */
	lied_end(&lied, UINT64_C(1000000000) * (lie == K_NO_FDS ? 12 : 2));
}

static void lies(void **state)
{
	(void)state;
	for (int lie = K_TRUTH; lie < K_LIES; lie++)
		against(lie);
}

static void beside_honest(void **state)
{
	static const int some[] = { K_DIE, K_KILL, K_TAKEN, K_OVERFLOW };

	lied_beside_honest(state, against, some, ARRAY_LEN(some));
}

static void no_module(void **state)
{
	(void)state;
	skip();
}

static int has_kcall(void)
{
	struct skyipc_transport_info info = { .size = sizeof(info) };

	for (unsigned i = 0; !skyipc_transport(i, &info); i++)
		if (!strcmp(info.name, kraw_over()))
			return info.available;
	return 0;
}

int main(void)
{
	const struct CMUnitTest none[] = {
		cmocka_unit_test(no_module),
	};
	const struct CMUnitTest by_mode[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(module_flags),
		cmocka_unit_test(killed_in_call),
		cmocka_unit_test(many_links),
		cmocka_unit_test(rings),
	};
	const struct CMUnitTest once[] = {
		cmocka_unit_test(hoarded_conns),
		cmocka_unit_test(stop_flooded),
		cmocka_unit_test(lies),
		cmocka_unit_test(beside_honest),
	};

	if (!has_kcall())
		return cmocka_run_group_tests_name("kcall by hand", none, NULL,
						   NULL);
	setenv("SKY_TRANSPORT", kraw_over(), 1);
	return run_variants("kcall by hand", by_mode, ARRAY_LEN(by_mode),
			    BY_MODE) +
	       run_variants("kcall by hand, once", once, ARRAY_LEN(once), 0);
}
