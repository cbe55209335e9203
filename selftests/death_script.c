/* SPDX-License-Identifier: MIT */
/* A client that uses everything once, with or without a dying server. */
#include "death.h"

#include <fcntl.h>

#define ASYNC 8
#define LONG 5000

uint64_t slowest_notice_ns;

struct run {
	struct skyipc_conn *conn;
	int mortal;
};

/*
 * What a call returned: 1: go on; 0: a failure. Errors are only such as a dying
 * server causes, and come soon.
 */
static int fine(struct run *r, int ret)
{
	uint64_t late;

	if (ret >= 0)
		return 1;
	if (!r->mortal || !fired->fired)
		return 0;
	late = time_ns() - fired->ns;
	if (late > slowest_notice_ns)
		slowest_notice_ns = late;
	if (late > UINT64_C(1000000000) * slowness)
		return 0;
	return ret == -EPIPE || ret == -ECONNRESET;
}

#define LINE_UNLESS(what)                                                      \
	do {                                                                   \
		if (!(what))                                                   \
			return __LINE__;                                       \
	} while (0)

static int way_short(struct run *r)
{
	for (uint64_t i = 0; i < 40; i++) {
		uint64_t in[SKYIPC_WORDS] = { i, 1, 2, 3, 4, 5 };
		uint64_t out[SKYIPC_WORDS];
		int ret = skyipc_call(r->conn, OP_ECHO, in, out, NULL,
				      SKYIPC_FOREVER);

		LINE_UNLESS(fine(r, ret));
		for (int w = 0; !ret && w < SKYIPC_WORDS; w++)
			LINE_UNLESS(out[w] == in[w] + 1);
	}
	/* Without words a call takes the long way round. */
	for (int i = 0; i < 6; i++)
		LINE_UNLESS(fine(r, skyipc_call(r->conn, OP_ECHO, NULL, NULL,
						NULL, SKYIPC_FOREVER)));
	/* So long that the client parks. */
	for (int i = 0; i < 3; i++) {
		uint64_t in[SKYIPC_WORDS] = { 1000000 };

		LINE_UNLESS(fine(r, skyipc_call(r->conn, OP_SPIN, in, NULL,
						NULL, SKYIPC_FOREVER)));
	}
	return 0;
}

static int way_message(struct run *r)
{
	static char data[LONG];
	int fds[3] = { 0, 1, 2 }, back[3];

	for (uint64_t i = 0; i < 4; i++) {
		struct skyipc_msg req = { .op = OP_ECHO,
					  .data = data,
					  .len = LONG };
		struct skyipc_msg rep = { .fds = back, .nfds = 3 };
		int ret;

		pattern_fill(data, LONG, i);
		ret = skyipc_call_msg(r->conn, &req, &rep, SKYIPC_FOREVER);
		LINE_UNLESS(fine(r, ret));
		LINE_UNLESS(ret || (rep.len == LONG &&
				    pattern_is(rep.data, rep.len, i)));

		req.op = OP_FDS_BACK;
		req.fds = fds;
		req.nfds = 3;
		rep.nfds = 3;
		ret = skyipc_call_msg(r->conn, &req, &rep, SKYIPC_FOREVER);
		LINE_UNLESS(fine(r, ret));
		LINE_UNLESS(ret || rep.nfds == 3);
		for (uint32_t n = 0; !ret && n < rep.nfds; n++)
			close(back[n]);
	}
	return 0;
}

static int way_async(struct run *r)
{
	struct skyipc_msg msgs[ASYNC];
	static char data[LONG];
	uint64_t sent = 0, got = 0;

	for (uint64_t i = 0; i < ASYNC; i++) {
		struct skyipc_msg req = { .op = OP_ECHO, .tag = i };
		int ret;

		req.w[0] = i;
		if (i & 1) {
			pattern_fill(data, LONG, i);
			req.data = data;
			req.len = LONG;
		}
		ret = skyipc_submit(r->conn, &req);
		LINE_UNLESS(fine(r, ret));
		if (ret)
			break;
		sent++;
	}
	while (got < sent) {
		int ret;

		memset(msgs, 0, sizeof(msgs));
		ret = skyipc_wait(r->conn, msgs, ASYNC, 1, SKYIPC_FOREVER);
		/* All that was submitted comes back, as what it is. */
		LINE_UNLESS(ret > 0);
		for (int i = 0; i < ret; i++, got++) {
			struct skyipc_msg *m = &msgs[i];

			LINE_UNLESS(m->tag == got);
			LINE_UNLESS(fine(r, m->result));
			if (m->result)
				continue;
			LINE_UNLESS(m->w[0] == m->tag + 1);
			LINE_UNLESS(!(m->tag & 1) ||
				    (m->len == LONG &&
				     pattern_is(m->data, m->len, m->tag)));
		}
	}
	LINE_UNLESS(skyipc_poll(r->conn, msgs, ASYNC) == -ENOENT);
	return 0;
}

int client_script(const char *name, unsigned first, int mortal)
{
	static int (*const ways[WAYS])(struct run *) = { way_short, way_message,
							 way_async };
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct run r = { .mortal = mortal };
	int err;

	attr.transport = transport;
	attr.timeout_ns = LIMIT * slowness;
	attr.wait = !mortal;
	err = skyipc_connect(name, &attr, &r.conn);
	if (err) {
		LINE_UNLESS(mortal && fired->fired);
		LINE_UNLESS(err == -ECONNREFUSED || err == -ENOENT);
		LINE_UNLESS(time_ns() - fired->ns <
			    UINT64_C(1000000000) * slowness);
		return 0;
	}
	for (unsigned i = 0; i < WAYS && !err; i++)
		err = ways[(first + i) % WAYS](&r);
	if (!err && mortal && fired->fired) {
		/* Only now the watch may have heard of it. */
		int ret = -ECONNRESET;

		WAIT_FOR_MS((ret = skyipc_call(r.conn, OP_ECHO, NULL, NULL,
					       NULL, SKYIPC_FOREVER)) == -EPIPE,
			    1000 * slowness);
		if (ret != -EPIPE)
			err = __LINE__;
	}
	skyipc_close(r.conn);
	return err;
}
