/* SPDX-License-Identifier: MIT */
#include "peer_lines.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "sky.h"

#define NAME "lines" /* in a directory of the run's own */
#define LINE 64

struct line {
	_Alignas(LINE) atomic_ullong n;
};

/* Shared by all processes of a run. */
struct area {
	struct sky_dir dir;
	pthread_mutex_t lock;
	_Alignas(128) atomic_ullong calls; /* of clients that have gone */
	_Alignas(128) struct line lines[];
};

struct lines_conn {
	struct run *run;
	struct area *area;
	unsigned n; /* lines */
	uint64_t calls;
	struct skyipc_conn *sky;
};

static int lines_setup(struct run *run)
{
	size_t n = (size_t)run->cfg.variant;
	struct area *a = run_shared(run, sizeof(*a) + n * sizeof(a->lines[0]));
	pthread_mutexattr_t attr;
	int err;

	if (!a)
		return PEER_FAILED;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	err = pthread_mutex_init(&a->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return err ? run_fail(run, "mutex: %s", strerror(err)) : PEER_OK;
}

/* Every call has added one to every line. */
static void lines_teardown(struct run *run)
{
	struct area *a = run->mem;

	for (int i = 0; a && !run_failed(run) && i < run->cfg.variant; i++)
		if (a->lines[i].n != a->calls)
			run_fail(run,
				 "line %d was written %llu times by %llu "
				 "calls",
				 i, a->lines[i].n, a->calls);
}

static void *lines_open(struct run *run, unsigned client)
{
	struct lines_conn *c = run_alloc(run, sizeof(*c));

	(void)client;
	if (!c)
		return NULL;
	c->run = run;
	c->area = run->mem;
	c->n = (unsigned)run->cfg.variant;
	return c;
}

static void lines_close(void *conn)
{
	struct lines_conn *c = conn;

	atomic_fetch_add(&c->area->calls, c->calls);
	if (c->sky)
		skyipc_close(c->sky);
	free(c);
}

/* By somebody who is alone. */
static void write_lines(struct area *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned long long was = atomic_load_explicit(
			&a->lines[i].n, memory_order_relaxed);

		atomic_store_explicit(&a->lines[i].n, was + 1,
				      memory_order_relaxed);
	}
}

static int call_shm(void *conn)
{
	struct lines_conn *c = conn;

	for (unsigned i = 0; i < c->n; i++)
		atomic_fetch_add_explicit(&c->area->lines[i].n, 1,
					  memory_order_relaxed);
	c->calls++;
	return 0;
}

static int call_lock(void *conn)
{
	struct lines_conn *c = conn;

	pthread_mutex_lock(&c->area->lock);
	write_lines(c->area, c->n);
	pthread_mutex_unlock(&c->area->lock);
	c->calls++;
	return 0;
}

const struct peer peer_lines_shm = {
	.name = "shm",
	.flags = PEER_LOCAL,
	.batch = 16,
	.setup = lines_setup,
	.open = lines_open,
	.call = call_shm,
	.close = lines_close,
	.teardown = lines_teardown,
};

const struct peer peer_lines_lock = {
	.name = "shm-lock",
	.flags = PEER_LOCAL,
	.batch = 16,
	.setup = lines_setup,
	.open = lines_open,
	.call = call_lock,
	.close = lines_close,
	.teardown = lines_teardown,
};

/* ------------------------------------------------------------- messages -- */

static int msg_setup(struct run *run)
{
	if (lines_setup(run) != PEER_OK)
		return PEER_FAILED;
	return sky_dir_make(run, &((struct area *)run->mem)->dir);
}

static void msg_teardown(struct run *run)
{
	static const char *const names[] = { NAME, NULL };
	struct area *a = run->mem;

	lines_teardown(run);
	if (a)
		sky_dir_remove(run, &a->dir, names);
}

static int32_t handle(struct skyipc_call *call, void *arg)
{
	const struct run *run = arg;

	write_lines(run->mem, (unsigned)run->cfg.variant);
	call->out[0] = call->in[0];
	return 0;
}

static int msg_serve(struct run *run, unsigned client)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct area *a = run->mem;
	char name[SKY_NAME_MAX];

	(void)client;
	attr.handler = handle;
	attr.arg = run;
	sky_name(&a->dir, NAME, name, sizeof(name));
	return sky_serve(run, name, &attr);
}

static void *msg_open(struct run *run, unsigned client)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct lines_conn *c = lines_open(run, client);
	char name[SKY_NAME_MAX];
	int err;

	if (!c)
		return NULL;
	attr.transport = "shm";
	sky_name(&c->area->dir, NAME, name, sizeof(name));
	err = skyipc_connect(name, &attr, &c->sky);
	if (!err)
		return c;
	sky_fail(run, "skyipc_connect", err);
	free(c);
	return NULL;
}

static int call_msg(void *conn)
{
	struct lines_conn *c = conn;
	uint64_t in[SKYIPC_WORDS] = { ++c->calls }, out[SKYIPC_WORDS];
	int err = skyipc_call(c->sky, 0, in, out, NULL, SKYIPC_FOREVER);

	if (err)
		return sky_fail(c->run, "skyipc_call", err);
	return out[0] == in[0] ? 0 : run_fail(c->run, "wrong reply");
}

const struct peer peer_lines_msg = {
	.name = "msg",
	.flags = PEER_GRACEFUL | PEER_SKYIPC,
	.setup = msg_setup,
	.serve = msg_serve,
	.open = msg_open,
	.call = call_msg,
	.close = lines_close,
	.teardown = msg_teardown,
};
