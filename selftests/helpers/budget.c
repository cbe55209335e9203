/* SPDX-License-Identifier: MIT */
/*
 * budget.c - short calls for selftests/budget_test.sh to count
 *
 * Neither side waits here: the reply is put into its slot before the client
 * looks, the request before the server does. What is counted is the path of a
 * call whose peer is awake, all of the library and an empty handler. Each thing
 * to count is done N times in a function of its own, whose name is what
 * callgrind's --toggle-collect is given.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chan.h"
#include "server.h"
#include "shm_chan.h"

#define N 64

static struct skyipc_server *server;
static struct skyipc_conn *conn;
static _Atomic int ready;

static int32_t handler(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = call->in[0];
	return 0;
}

static void *dispatcher(void *arg)
{
	(void)arg;
	while (!ready)
		skyipc_server_dispatch(server, SKYIPC_MS(1));
	return NULL;
}

/* A server and a client in this process, connected, and then left alone. */
static int set_up(void)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_connect_attr small = SKYIPC_CONNECT_ATTR_INIT;
	pthread_t thread;

	attr.handler = handler;
	small.depth = N;
	if (skyipc_server_create("budget", &attr, &server) ||
	    pthread_create(&thread, NULL, dispatcher, NULL) ||
	    skyipc_connect("budget", &small, &conn))
		return -1;
	/* Once round the ring, so that the counted calls are like any other. */
	for (int i = 0; i < N; i++)
		if (skyipc_call(conn, 0, NULL, NULL, NULL, 0))
			return -1;
	ready = 1;
	return pthread_join(thread, NULL);
}

static struct schan *server_chan(void)
{
	for (uint32_t i = 0; i < server->conns_size; i++)
		if (server->conns[i] && server->conns[i]->chans)
			return server->conns[i]->chans;
	abort();
}

static __attribute__((noinline)) int count_client(uint64_t *in, uint64_t *out)
{
	int32_t status;

	return skyipc_call(conn, 1, in, out, &status, SKYIPC_DEFAULT);
}

static __attribute__((noinline)) unsigned count_server(struct schan *ch)
{
	return serve(ch);
}

int main(void)
{
	uint64_t in[SKYIPC_WORDS] = { 1, 2, 3, 4, 5, 6 }, out[SKYIPC_WORDS];
	struct shm_chan *ch;
	struct schan *sch;

	if (set_up()) {
		fprintf(stderr, "budget: %s\n", skyipc_errmsg());
		return 1;
	}
	ch = shm_of(chan_peek(conn));
	sch = server_chan();
	/* As it is while calls go on. */
	sch->head->server.park = SHM_AWAKE;
	atomic_store(&sch->owner, &server->seats[0]);
	for (int i = 0; i < N; i++) {
		ch->rep[ch->pos & ch->mask].head = shm_head(ch->pos, 0, 0);
		/* The server is on another CPU than we. */
		ch->head->server.cpu = 0;
		if (count_client(in, out))
			return 1;
		/* The request is there now. */
		if (count_server(sch) != 1)
			return 1;
	}
	atomic_store(&sch->owner, NULL);
	skyipc_close(conn);
	skyipc_server_destroy(server);
	return 0;
}
