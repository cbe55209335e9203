/* SPDX-License-Identifier: MIT */
/*
 * skyipc itself. Up to 48 bytes travel in the words of the short message, more
 * through a buffer. The server's handler answers in place.
 */
#include <stdlib.h>

#include "sky.h"

#define WORD_BYTES (SKYIPC_WORDS * sizeof(uint64_t))

enum { OP_SHORT, OP_LONG };

struct sky_conn {
	struct run *run;
	struct skyipc_conn *conn;
	size_t size;
	uint64_t sent, got;
	uint64_t words[SKYIPC_WORDS];
	unsigned char *source; /* private */
	struct skyipc_msg *msgs;
};

#define NAME "server" /* in a directory of the run's own */

static int sky_setup(struct run *run)
{
	struct sky_dir *d = run_shared(run, sizeof(*d));

	return d ? sky_dir_make(run, d) : PEER_FAILED;
}

static void sky_teardown(struct run *run)
{
	static const char *const names[] = { NAME, NULL };

	if (run->mem)
		sky_dir_remove(run, run->mem, names);
}

static int32_t serve_short(struct skyipc_call *call, void *arg)
{
	(void)arg;
	memcpy(call->out, call->in, sizeof(call->out));
	return 0;
}

static int32_t serve_long(struct skyipc_call *call, void *arg)
{
	const struct run *run = arg;

	if (run->cfg.server_reads)
		payload_touch(call->data, call->len);
	call->reply = (void *)(uintptr_t)call->data;
	call->reply_len = call->len;
	return 0;
}

static int serve(struct run *run, unsigned client)
{
	const struct skyipc_op ops[] = {
		[OP_SHORT] = { serve_short, NULL },
		[OP_LONG] = { serve_long, run },
	};
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	char name[SKY_NAME_MAX];

	(void)client;
	attr.ops = ops;
	attr.nops = 2;
	if (run->cfg.size > 64 << 20)
		attr.buf_size = run->cfg.size;
	sky_name(run->mem, NAME, name, sizeof(name));
	return sky_serve(run, name, &attr);
}

/* A transport this machine does not have is no failure: say what is missing. */
static int have_transport(struct run *run)
{
	struct skyipc_transport_info info = { .size = sizeof(info) };

	for (unsigned i = 0; !skyipc_transport(i, &info); i++) {
		if (strcmp(info.name, run->cfg.transport))
			continue;
		if (info.available)
			return PEER_OK;
		return run_skip(run, "%s", info.detail);
	}
	return run_skip(run, "this library has no transport %s",
			run->cfg.transport);
}

static void *sky_open(struct run *run, unsigned client)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct sky_conn *c = run_alloc(run, sizeof(*c));
	char name[SKY_NAME_MAX];
	int err;

	(void)client;
	if (!c || have_transport(run) != PEER_OK)
		return NULL;
	c->run = run;
	c->size = run->cfg.size;
	attr.transport = run->cfg.transport;
	attr.depth = run->cfg.depth > 64 ? run->cfg.depth : 0;
	attr.bufs = run->cfg.depth;
	attr.buf_size = c->size > 65536 ? c->size : 0;
	sky_name(run->mem, NAME, name, sizeof(name));
	err = skyipc_connect(name, &attr, &c->conn);
	if (err) {
		sky_fail(run, "skyipc_connect", err);
		return NULL;
	}
	c->source = run_private(run, c->size);
	c->msgs = run_alloc(run, run->cfg.depth * sizeof(*c->msgs));
	return c->source && c->msgs ? c : NULL;
}

/* Put the request where it is to be sent from. */
static int build(struct sky_conn *c, struct skyipc_msg *req)
{
	void *buf = c->source;
	size_t room;
	int err;

	*req = (struct skyipc_msg){ .op = OP_LONG, .len = c->size };
	req->tag = ++c->sent;
	payload_stamp(c->source, c->size, c->sent);
	if (c->run->cfg.in_place) {
		err = skyipc_buffer(c->conn, &buf, &room);
		if (err)
			return sky_fail(c->run, "skyipc_buffer", err);
		memcpy(buf, c->source, c->size);
	}
	req->data = buf;
	return 0;
}

static int check(struct sky_conn *c, const struct skyipc_msg *rep)
{
	const void *got = rep->op == OP_LONG ? rep->data : (void *)rep->w;

	c->got++;
	if (rep->op == OP_LONG && rep->len != c->size)
		return run_fail(c->run, "reply of %zu bytes", rep->len);
	if (!payload_ok(got, c->size, c->got))
		return run_fail(c->run, "wrong reply");
	if (rep->op == OP_LONG)
		payload_touch(rep->data, rep->len);
	return 0;
}

static int sky_call(void *conn)
{
	struct sky_conn *c = conn;
	struct skyipc_msg req, rep;
	uint64_t out[SKYIPC_WORDS];
	int err;

	if (c->size <= WORD_BYTES) {
		c->words[0] = ++c->sent;
		c->got++;
		err = skyipc_call(c->conn, OP_SHORT, c->words, out, NULL,
				  SKYIPC_FOREVER);
		if (err)
			return sky_fail(c->run, "skyipc_call", err);
		if (out[0] != c->words[0])
			return run_fail(c->run, "wrong reply");
		return 0;
	}
	err = build(c, &req);
	if (err)
		return err;
	rep.fds = NULL;
	rep.nfds = 0;
	err = skyipc_call_msg(c->conn, &req, &rep, SKYIPC_FOREVER);
	return err ? sky_fail(c->run, "skyipc_call_msg", err) : check(c, &rep);
}

static int sky_submit(void *conn)
{
	struct sky_conn *c = conn;
	struct skyipc_msg req;
	int err;

	if (c->size <= WORD_BYTES) {
		req = (struct skyipc_msg){ .op = OP_SHORT };
		req.w[0] = req.tag = ++c->sent;
	} else if (build(c, &req)) {
		return PEER_FAILED;
	}
	err = skyipc_submit(c->conn, &req);
	return err ? sky_fail(c->run, "skyipc_submit", err) : 0;
}

static int sky_reap(void *conn)
{
	struct sky_conn *c = conn;
	unsigned n = c->run->cfg.depth;
	int got = skyipc_poll(c->conn, c->msgs, n);

	if (!got)
		got = skyipc_wait(c->conn, c->msgs, n, 1, SKYIPC_FOREVER);
	if (got < 0)
		return sky_fail(c->run, "skyipc_wait", got);
	for (int i = 0; i < got; i++) {
		if (c->msgs[i].result)
			return sky_fail(c->run, "reply", c->msgs[i].result);
		if (check(c, &c->msgs[i]))
			return PEER_FAILED;
	}
	return got;
}

static void sky_close(void *conn)
{
	struct sky_conn *c = conn;

	skyipc_close(c->conn);
	free(c->msgs);
	free(c);
}

const struct peer peer_skyipc = {
	.name = "skyipc",
	.copies = "1 (client into the buffer)",
	.flags = PEER_GRACEFUL | PEER_SKYIPC,
	.setup = sky_setup,
	.serve = serve,
	.open = sky_open,
	.call = sky_call,
	.submit = sky_submit,
	.reap = sky_reap,
	.close = sky_close,
	.teardown = sky_teardown,
};
