/* SPDX-License-Identifier: MIT */
/*
 * skyipc: a server for each hop. Requests are built where they are sent from,
 * replies are written where they are read.
 */
#include <errno.h>
#include <signal.h>
#include <skyipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv_wire.h"

struct sky_wire {
	size_t room;
	char dir[4096];
};

struct sky_conn {
	struct run *run;
	struct skyipc_conn *conn;
};

struct sky_handler {
	kv_handler fn;
	void *arg;
};

static struct skyipc_server *server;

static void name_of(struct run *run, enum kv_hop hop, char *buf, size_t len)
{
	struct sky_wire *w = run->mem;

	snprintf(buf, len, "%s/%s", w->dir,
		 hop == KV_CRYPTO_STORE ? "store" : "crypto");
}

static int sky_setup(struct run *run, size_t room)
{
	struct sky_wire *w = run_shared(run, sizeof(*w));
	const char *tmp = getenv("TMPDIR");

	if (!w)
		return PEER_FAILED;
	w->room = room;
	snprintf(w->dir, sizeof(w->dir), "%s/%s", tmp && *tmp ? tmp : "/tmp",
		 run->tag);
	if (mkdir(w->dir, 0700)) {
		run_fail(run, "mkdir %s: %s", w->dir, strerror(errno));
		w->dir[0] = 0;
		return PEER_FAILED;
	}
	return PEER_OK;
}

static void sky_teardown(struct run *run)
{
	struct sky_wire *w = run->mem;
	char name[4200], lock[4300];

	if (!w || !w->dir[0])
		return;
	for (int hop = 0; hop < KV_HOPS; hop++) {
		name_of(run, (enum kv_hop)hop, name, sizeof(name));
		snprintf(lock, sizeof(lock), "%s.lock", name);
		unlink(name);
		unlink(lock);
	}
	if (rmdir(w->dir))
		run_fail(run, "rmdir %s: %s", w->dir, strerror(errno));
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

static void on_term(int sig)
{
	(void)sig;
	skyipc_server_shutdown(server);
}

static int sky_serve(struct run *run, enum kv_hop hop, unsigned client,
		     kv_handler fn, void *arg)
{
	struct sky_handler handler = { fn, arg };
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct sigaction sa = { .sa_handler = on_term };
	char name[4200];
	int err;

	(void)client;
	attr.mode = (enum skyipc_mode)run->cfg.mode;
	attr.handler = handle;
	attr.arg = &handler;
	attr.workers = run->cfg.workers;
	attr.cpus = &run->server_cpus;
	attr.cpus_size = sizeof(run->server_cpus);
	if (!attr.workers)
		attr.workers = (uint32_t)CPU_COUNT(&run->server_cpus);
	name_of(run, hop, name, sizeof(name));
	err = skyipc_server_create(name, &attr, &server);
	if (err)
		return run_fail(run, "skyipc_server_create: %s (%s)",
				strerror(-err), skyipc_errmsg());
	sigaction(SIGTERM, &sa, NULL);
	run_ready(run);
	err = skyipc_server_run(server);
	if (err)
		return run_fail(run, "skyipc_server_run: %s (%s)",
				strerror(-err), skyipc_errmsg());
	skyipc_server_destroy(server);
	return PEER_OK;
}

static void *sky_connect(struct run *run, enum kv_hop hop, unsigned client)
{
	struct sky_wire *w = run->mem;
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct sky_conn *c = run_alloc(run, sizeof(*c));
	char name[4200];
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
	run_fail(run, "skyipc_connect: %s (%s)", strerror(-err),
		 skyipc_errmsg());
	return NULL;
}

static unsigned char *sky_buffer(void *conn, size_t *room)
{
	struct sky_conn *c = conn;
	void *buf;
	int err = skyipc_buffer(c->conn, &buf, room);

	if (!err)
		return buf;
	run_fail(c->run, "skyipc_buffer: %s (%s)", strerror(-err),
		 skyipc_errmsg());
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
	.serve = sky_serve,
	.connect = sky_connect,
	.buffer = sky_buffer,
	.call = sky_call,
	.close = sky_close,
	.teardown = sky_teardown,
};
