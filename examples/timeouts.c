/* SPDX-License-Identifier: MIT */
/*
 * Limits in time: of one call, of several calls together, of all calls of a
 * connection, and of stopping a server while a handler is still running.
 */
#include "pair.h"

#include <semaphore.h>
#include <time.h>

#define NAME "example-timeouts"

enum op {
	OP_QUICK,
	OP_SLOW, /* takes 100 ms */
	OP_HELD, /* until the program says so */
	OP_COUNT,
};

static sem_t held, release;

static int32_t quick(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

static int32_t slow(struct skyipc_call *call, void *arg)
{
	const struct timespec ts = { .tv_nsec = 100000000 };

	(void)call;
	(void)arg;
	nanosleep(&ts, NULL);
	return 0;
}

static int32_t hold(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	sem_post(&held);
	while (sem_wait(&release))
		;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int limits(struct skyipc_conn *conn)
{
	uint64_t deadline;
	int32_t status;
	int err;

	/* the handler goes on; its reply will be dropped */
	err = skyipc_call(conn, OP_SLOW, NULL, NULL, &status, SKYIPC_MS(10));
	printf("10 ms for 100 ms of work: %s\n", strerror(-err));
	if (err != -ETIMEDOUT)
		return 1;

	/* calls of one thread queue, so the first of these waits for it */
	deadline = now_ns() + SKYIPC_SEC(10);
	for (int i = 0; i < 3; i++) {
		err = skyipc_call(conn, OP_QUICK, NULL, NULL, &status,
				  SKYIPC_AT(deadline));
		if (err)
			return complain("quick", err);
	}
	printf("10 s for three calls together: enough\n");

	err = skyipc_call(conn, OP_SLOW, NULL, NULL, &status, SKYIPC_DEFAULT);
	printf("what the connection was given: %s\n", strerror(-err));
	if (err != -ETIMEDOUT)
		return 1;
	err = skyipc_call(conn, OP_HELD, NULL, NULL, &status, SKYIPC_FOREVER);
	if (err)
		return complain("held", err);
	/* the server was told to stop meanwhile; it may still serve a little */
	do
		err = skyipc_call(conn, OP_QUICK, NULL, NULL, &status,
				  SKYIPC_FOREVER);
	while (!err);
	printf("then the server is %s\n",
	       err == -EPIPE || err == -ECONNRESET ? "gone" : strerror(-err));
	return err != -EPIPE && err != -ECONNRESET;
}

static int client(void)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_conn *conn;
	int err, ret;

	attr.wait = 1;
	attr.timeout_ns = SKYIPC_SEC(10); /* to connect */
	attr.call_ns = SKYIPC_MS(20);	  /* what SKYIPC_DEFAULT means */
	err = skyipc_connect(NAME, &attr, &conn);
	if (err)
		return complain(NAME, err);
	ret = limits(conn);
	skyipc_close(conn);
	return ret;
}

/* Stopping waits for the handlers, but not longer than it is told to. */
static int stop(struct skyipc_server *server)
{
	int err = skyipc_server_stop(server, SKYIPC_MS(10));

	printf("stop while a handler runs: %s\n", strerror(-err));
	sem_post(&release);
	if (err != -ETIMEDOUT)
		return 1;
	err = skyipc_server_stop(server, SKYIPC_SEC(10));
	return err ? complain("stop", err) : 0;
}

static int make(struct skyipc_server **server)
{
	static const struct skyipc_op ops[OP_COUNT] = {
		[OP_QUICK] = { quick, NULL },
		[OP_SLOW] = { slow, NULL },
		[OP_HELD] = { hold, NULL },
	};
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	sem_init(&held, 0, 0);
	sem_init(&release, 0, 0);
	attr.ops = ops;
	attr.nops = OP_COUNT;
	return skyipc_server_create(NAME, &attr, server);
}

int main(void)
{
	struct skyipc_server *server;
	struct timespec limit;
	pid_t child = start_pair(make, client, &server);
	int ret;

	if (child < 0)
		return 1;
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 20;
	ret = sem_timedwait(&held, &limit) || stop(server);
	if (ret)
		kill(child, SIGTERM);
	skyipc_server_destroy(server);
	return reap(child) || ret;
}
