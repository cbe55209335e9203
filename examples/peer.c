/* SPDX-License-Identifier: MIT */
/*
 * Who is there? The server decides who may connect, knows who calls, and
 * holds on to the caller's process by a pidfd, which a recycled process
 * number cannot fool. The client asks who serves it.
 */
#include "pair.h"

#include <poll.h>
#include <stdatomic.h>

#define NAME "example-peer"

enum op {
	OP_WATCH_ME,   /* the server keeps a pidfd of the caller */
	OP_CLOSE_DOOR, /* no more connections */
	OP_COUNT,
};

static _Atomic int closed;
static int pidfd = -1;

/* Runs on the server's control thread, hence the atomic. */
static int may_connect(const struct skyipc_peer *peer, void *arg)
{
	(void)arg;
	if (peer->uid != geteuid())
		return -EACCES;
	return atomic_load(&closed) ? -EPERM : 0;
}

static int32_t watch_me(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = (uint64_t)call->peer->pid;
	pidfd = skyipc_call_pidfd(call);
	return pidfd < 0 ? -pidfd : 0;
}

static int32_t close_door(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	atomic_store(&closed, 1);
	return 0;
}

static int make(struct skyipc_server **server)
{
	static const struct skyipc_op ops[OP_COUNT] = {
		[OP_WATCH_ME] = { watch_me, NULL },
		[OP_CLOSE_DOOR] = { close_door, NULL },
	};
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	attr.ops = ops;
	attr.nops = OP_COUNT;
	attr.accept = may_connect;
	/* who may try at all: the file mode of the name */
	attr.sock_mode = SKYIPC_SOCK_MODE(0600);
	return skyipc_server_create(NAME, &attr, server);
}

static int look_around(struct skyipc_conn *conn)
{
	struct skyipc_conn *second;
	struct skyipc_peer server;
	uint64_t out[SKYIPC_WORDS];
	int32_t status;
	int err;

	err = skyipc_conn_peer(conn, &server);
	if (err)
		return complain("peer", err);
	printf("server: pid %s, uid %s\n",
	       server.pid == getppid() ? "of the parent" : "unknown",
	       server.uid == geteuid() ? "mine" : "another");
	if (server.pid != getppid() || server.uid != geteuid())
		return 1;

	err = skyipc_call(conn, OP_WATCH_ME, NULL, out, &status,
			  SKYIPC_DEFAULT);
	if (err)
		return complain("watch me", err);
	if (status == EOPNOTSUPP)
		printf("no pidfd: Linux 6.5 is needed\n");
	else if (status)
		return complain("pidfd", -status);
	if (out[0] != (uint64_t)getpid())
		return 1;

	err = skyipc_call(conn, OP_CLOSE_DOOR, NULL, NULL, NULL,
			  SKYIPC_DEFAULT);
	if (err)
		return complain("close door", err);
	err = skyipc_connect(NAME, NULL, &second);
	printf("second connection: %s\n", strerror(-err));
	return err != -EPERM;
}

static int client(void)
{
	struct skyipc_conn *conn;
	int err, ret;

	err = connect_to(NAME, &conn);
	if (err)
		return complain(NAME, err);
	ret = look_around(conn);
	skyipc_close(conn);
	return ret;
}

int main(void)
{
	int ret = run_pair(make, client);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (ret || pidfd < 0)
		return ret;
	/* readable when the process has ended; a server would wait for it */
	ret = poll(&p, 1, 0) != 1;
	printf("the client's process has %s\n", ret ? "not ended" : "ended");
	close(pidfd);
	return ret;
}
