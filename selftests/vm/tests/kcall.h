/* SPDX-License-Identifier: MIT */
/*
 * Calls through the module by hand: what tests of it share. Everything gives up
 * where it is not the test's to see.
 */
#ifndef SKYIPC_KCALL_H
#define SKYIPC_KCALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../../kmod/uapi/skyipc_dev.h"

/* ioctl(), 0 or more, or -errno */
int op(int fd, unsigned long number, void *arg);
/* CALL or SERVE by the lean entry: 0 or -errno */
int lean(int fd, void *arg);
uint64_t now(void);
/* A deadline so many ms from now */
uint64_t in_ms(unsigned ms);

/* The descriptors of a new server and of a connection to it */
int new_server(void);
int new_conn(int server, uint64_t cookie);
int new_worker(int server);
/* with enum skyipc_dev_worker_flag */
int new_worker_with(int server, uint32_t flags);
int new_link(int conn, unsigned depth);

/*
 * Serve until the server is dead or interrupted: -errno then. @handler changes
 * the message into the reply; false: it is not to be sent.
 */
struct request {
	uint64_t token, cookie;
	uint32_t flags; /* of the call, as SERVE gave them */
	struct skyipc_dev_msg msg;
	uint8_t *buf;
	uint64_t len; /* of the data in @buf */
	int worker;
	bool in_place; /* to be set: the reply's data are there already */
};
typedef bool handler_fn(struct request *r);
int serve(int worker, handler_fn *handler, void *buf, uint64_t size);

/* Descriptors over a socket */
void send_fd(int sock, int fd);
int recv_fd(int sock);

/*
 * A process of its own: 0 in the child, which gives a connection to the parent;
 * that gets it in *@conn.
 */
pid_t server_fork(int socks[2], int *conn);
void server_give(const int socks[2], int conn);

/* A process of its own that serves with @n threads, with its pid; and a
 * connection to it.
 */
pid_t server_process(handler_fn *handler, int n, int *conn);
void end_process(pid_t pid);

/*
 * Until a thread of this process sleeps. It has said who it is just before it
 * goes where it will.
 */
void until_asleep(_Atomic pid_t *tid);

/*
 * Has every user given back what it had, but for what threads of this process
 * have until they end? In a while; if not, it is told.
 */
bool nobody_has_anything(void);

/* 0 or -errno; the reply is in @c. */
int call(int link, struct skyipc_dev_call *c, uint32_t what, unsigned ms);

#endif
