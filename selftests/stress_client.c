/* SPDX-License-Identifier: MIT */
/* What a client of stress does at random, and what its server answers. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helpers/stress.h"

#define BATCH 32
#define LONG_MAX_BYTES 20000

enum op {
	OP_WORDS, /* in[0] * in[1] + position */
	OP_LONG,  /* every byte of the long part ^ in[0], in place or not */
	OP_FDS,	  /* all but the first one back */
};

int32_t stress_handler(struct skyipc_call *call, void *arg)
{
	const uint8_t *from = call->data;
	uint8_t *to = call->reply;

	(void)arg;
	for (uint64_t i = 0; i < SKYIPC_WORDS; i++)
		call->out[i] = call->in[i] * 3 + i;
	switch (call->op) {
	case OP_LONG:
		if (call->in[1] & 1)
			to = call->reply = (void *)(uintptr_t)call->data;
		for (size_t i = 0; i < call->len; i++)
			to[i] = from[i] ^ (uint8_t)call->in[0];
		call->reply_len = call->len;
		break;
	case OP_FDS:
		if (call->nfds) {
			call->reply_fds = call->fds + 1;
			call->reply_nfds = call->nfds - 1;
		}
		break;
	}
	return (int32_t)call->in[0];
}

struct thread {
	pthread_t id;
	uint64_t x;
	struct skyipc_conn **conns;
	pthread_rwlock_t *lock;
	unsigned nconns;
};

static int bad(const char *what, int err)
{
	fprintf(stderr, "pid %d: %s: %d (%s)\n", (int)getpid(), what, err,
		skyipc_errmsg());
	shared->failed = 1;
	return 1;
}

static int words_wrong(const uint64_t *in, const uint64_t *out, int32_t status)
{
	for (uint64_t i = 0; i < SKYIPC_WORDS; i++)
		if (out[i] != in[i] * 3 + i)
			return 1;
	return status != (int32_t)in[0];
}

static void fill(uint64_t *w, uint64_t *x)
{
	for (int i = 0; i < SKYIPC_WORDS; i++)
		w[i] = rnd(x);
}

static int do_short(struct skyipc_conn *conn, uint64_t *x)
{
	uint64_t in[SKYIPC_WORDS], out[SKYIPC_WORDS];
	unsigned n = (unsigned)(rnd(x) % 16) + 1;
	int32_t status;
	int err;

	for (unsigned i = 0; i < n; i++) {
		fill(in, x);
		err = skyipc_call(conn, OP_WORDS, in, out, &status,
				  SKYIPC_SEC(60));
		if (err || words_wrong(in, out, status))
			return bad("short call", err);
	}
	shared->calls += n;
	return 0;
}

static int do_long(struct skyipc_conn *conn, uint64_t *x)
{
	static __thread uint8_t data[LONG_MAX_BYTES];
	struct skyipc_msg req = { .op = OP_LONG, .data = data };
	struct skyipc_msg rep = { .nfds = 0 };
	uint64_t seed;
	int err;

	fill(req.w, x);
	req.len = rnd(x) % LONG_MAX_BYTES + 1;
	seed = rnd(x);
	for (size_t i = 0; i < req.len; i++)
		data[i] = (uint8_t)(seed + i * 7);
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_SEC(60));
	if (err || words_wrong(req.w, rep.w, rep.status) || rep.len != req.len)
		return bad("long call", err);
	for (size_t i = 0; i < rep.len; i++)
		if (((uint8_t *)rep.data)[i] !=
		    (uint8_t)(data[i] ^ (uint8_t)req.w[0]))
			return bad("long reply", 0);
	shared->calls++;
	return 0;
}

static int do_fds(struct skyipc_conn *conn, uint64_t *x)
{
	unsigned n = (unsigned)(rnd(x) % 5) + 1;
	int fds[5], back[5], err;
	struct skyipc_msg req = { .op = OP_FDS, .fds = fds, .nfds = n };
	struct skyipc_msg rep = { .fds = back, .nfds = 5 };
	struct stat a, b;

	fill(req.w, x);
	for (unsigned i = 0; i < n; i++)
		fds[i] = (int)(i % 3);
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_SEC(60));
	if (err || words_wrong(req.w, rep.w, rep.status) || rep.nfds != n - 1)
		return bad("call with descriptors", err);
	for (unsigned i = 0; i < rep.nfds; i++) {
		if (fstat(back[i], &a) || fstat(fds[i + 1], &b) ||
		    a.st_ino != b.st_ino)
			return bad("a descriptor", 0);
		close(back[i]);
	}
	shared->calls++;
	return 0;
}

static int do_async(struct skyipc_conn *conn, uint64_t *x)
{
	struct skyipc_msg req[BATCH], rep[BATCH];
	int got = 0, n, err;

	memset(req, 0, sizeof(req));
	memset(rep, 0, sizeof(rep));
	for (int i = 0; i < BATCH; i++) {
		req[i].op = OP_WORDS;
		req[i].tag = (uint64_t)i;
		fill(req[i].w, x);
		err = skyipc_submit(conn, &req[i]);
		if (err)
			return bad("submit", err);
	}
	while (got < BATCH) {
		n = 1 + (int)(rnd(x) % (unsigned)(BATCH - got));
		n = skyipc_wait(conn, rep, BATCH, n, SKYIPC_SEC(60));
		if (n <= 0)
			return bad("wait", n);
		for (int i = 0; i < n; i++, got++)
			if (rep[i].result || rep[i].tag != (uint64_t)got ||
			    words_wrong(req[got].w, rep[i].w, rep[i].status))
				return bad("asynchronous call", rep[i].result);
	}
	shared->calls += BATCH;
	return 0;
}

static int do_reconnect(struct thread *t, unsigned i)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	int err;

	attr.timeout_ns = UINT64_C(60000000000);
	pthread_rwlock_wrlock(t->lock);
	skyipc_close(t->conns[i]);
	t->conns[i] = NULL;
	err = skyipc_connect(shared->name, &attr, &t->conns[i]);
	pthread_rwlock_unlock(t->lock);
	shared->connects++;
	return err ? bad("connect", err) : 0;
}

static void *work(void *arg)
{
	struct thread *t = arg;
	int failed = 0;

	while (!failed && !shared->clients_end) {
		unsigned i = (unsigned)(rnd(&t->x) % t->nconns);
		struct skyipc_conn *conn;

		pthread_rwlock_rdlock(t->lock);
		conn = t->conns[i];
		switch (rnd(&t->x) % 32) {
		case 0:
			failed = do_fds(conn, &t->x);
			break;
		case 1:
		case 2:
			failed = do_long(conn, &t->x);
			break;
		case 3 ... 22:
			failed = do_async(conn, &t->x);
			break;
		default:
			failed = do_short(conn, &t->x);
		}
		pthread_rwlock_unlock(t->lock);
		if (!failed && rnd(&t->x) % 512 == 0)
			failed = do_reconnect(t, i);
	}
	return failed ? t : NULL;
}

int stress_client(uint64_t seed)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	unsigned n = opt.conns / opt.procs;
	pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
	struct skyipc_conn **conns = calloc(n, sizeof(*conns));
	struct thread *t = calloc(opt.threads, sizeof(*t));
	int failed = 0;

	if (!conns || !t)
		return 1;
	attr.timeout_ns = UINT64_C(60000000000);
	for (unsigned i = 0; i < n && !failed; i++) {
		int err = skyipc_connect(shared->name, &attr, &conns[i]);

		if (err)
			failed = bad("connect", err);
		shared->connects++;
	}
	for (unsigned i = 0; i < opt.threads && !failed; i++) {
		t[i] = (struct thread){ .x = seed + i * UINT64_C(7919),
					.conns = conns,
					.lock = &lock,
					.nconns = n };
		failed = pthread_create(&t[i].id, NULL, work, &t[i]);
	}
	for (unsigned i = 0; i < opt.threads; i++) {
		void *ret = NULL;

		if (t[i].id)
			pthread_join(t[i].id, &ret);
		failed |= ret != NULL;
	}
	for (unsigned i = 0; i < n; i++)
		skyipc_close(conns[i]);
	free(conns);
	free(t);
	return failed;
}
