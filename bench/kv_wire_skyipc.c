/* SPDX-License-Identifier: MIT */
/*
 * skyipc: a server for each hop. Requests are built where they are sent from,
 * replies are written where they are read.
 */
#include <stdlib.h>

#include "kv_wire.h"
#include "sky.h"

struct sky_wire {
	size_t room;
	struct sky_dir dir;
};

struct sky_conn {
	struct run *run;
	struct skyipc_conn *conn;
};

struct sky_handler {
	kv_handler fn;
	void *arg;
};

static const char *const names[] = {
	[KV_CLIENT_CRYPTO] = "crypto",
	[KV_CRYPTO_STORE] = "store",
	[KV_HOPS] = NULL,
};

static void name_of(struct run *run, enum kv_hop hop, char *buf, size_t len)
{
	struct sky_wire *w = run->mem;

	sky_name(&w->dir, names[hop], buf, len);
}

static int sky_setup(struct run *run, size_t room)
{
	struct sky_wire *w = run_shared(run, sizeof(*w));

	if (!w)
		return PEER_FAILED;
	w->room = room;
	return sky_dir_make(run, &w->dir);
}

static void sky_teardown(struct run *run)
{
	struct sky_wire *w = run->mem;

	if (w)
		sky_dir_remove(run, &w->dir, names);
}

static int32_t handle(struct skyipc_call *call, void *arg)
{
	struct sky_handler *h = arg;
	ssize_t n = h->fn(h->arg, call->op, call->data, call->len, call->reply,
			  call->reply_cap);

	if (n < 0)
		return (int32_t)-n;
	call->reply_len = (size_t)n;
	return 0;
}

static int serve(struct run *run, enum kv_hop hop, unsigned client,
		 kv_handler fn, void *arg)
{
	struct sky_handler handler = { fn, arg };
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	char name[SKY_NAME_MAX];

	(void)client;
	attr.handler = handle;
	attr.arg = &handler;
	name_of(run, hop, name, sizeof(name));
	return sky_serve(run, name, &attr);
}

static void *sky_connect(struct run *run, enum kv_hop hop, unsigned client)
{
	struct sky_wire *w = run->mem;
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct sky_conn *c = run_alloc(run, sizeof(*c));
	char name[SKY_NAME_MAX];
	int err;

	(void)client;
	if (!c)
		return NULL;
	c->run = run;
	attr.transport = run->cfg.transport;
	attr.buf_size = w->room;
	attr.bufs = 1;
	name_of(run, hop, name, sizeof(name));
	err = skyipc_connect(name, &attr, &c->conn);
	if (!err)
		return c;
	sky_fail(run, "skyipc_connect", err);
	return NULL;
}

static unsigned char *sky_buffer(void *conn, size_t *room)
{
	struct sky_conn *c = conn;
	void *buf;
	int err = skyipc_buffer(c->conn, &buf, room);

	if (!err)
		return buf;
	sky_fail(c->run, "skyipc_buffer", err);
	return NULL;
}

static ssize_t sky_call(void *conn, uint32_t op, size_t len,
			const unsigned char **reply)
{
	struct sky_conn *c = conn;
	struct skyipc_msg req = { .op = op, .len = len }, rep;
	size_t room;
	int err;

	rep.fds = NULL;
	rep.nfds = 0;
	/* The buffer is the same one until the call. */
	err = skyipc_buffer(c->conn, &req.data, &room);
	if (!err)
		err = skyipc_call_msg(c->conn, &req, &rep, SKYIPC_FOREVER);
	if (err)
		return err;
	*reply = rep.data;
	return rep.status ? -rep.status : (ssize_t)rep.len;
}

static void sky_close(void *conn)
{
	struct sky_conn *c = conn;

	skyipc_close(c->conn);
	free(c);
}

const struct kv_wire kv_wire_skyipc = {
	.copies = "none: built and read in place",
	.setup = sky_setup,
	.serve = serve,
	.connect = sky_connect,
	.buffer = sky_buffer,
	.call = sky_call,
	.close = sky_close,
	.teardown = sky_teardown,
};
