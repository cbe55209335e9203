/* SPDX-License-Identifier: MIT */
/*
 * conn.h - the client's end of a connection, the same for every transport
 */
#ifndef SKY_CONN_H
#define SKY_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "fdq.h"
#include "fork.h"
#include "proto.h"
#include "skyipc.h"
#include "transport.h"
#include "util.h"

enum conn_state {
	CONN_ALIVE = 0,
	CONN_DEAD,   /* the peer is gone, or has broken the protocol */
	CONN_FORKED, /* this is a child process's copy */
};

struct question;

struct skyipc_conn {
	/* Read on every call; written at connect, and once at death. */
	const struct transport *ops;
	uint64_t gen; /* never used twice in a process */
	uint32_t idx; /* place in the process's table of connections */
	_Atomic int state;

	/* Negotiated. */
	uint32_t depth;
	uint32_t bufs;
	uint64_t buf_size;
	uint64_t call_ns;
	uint64_t spin_ns;
	int sock;
	int bell;    /* eventfd: rings the server; -1: ring over the socket */
	int to_self; /* the server is this very process */
	struct skyipc_peer peer;

	struct fork_fd sock_fd; /* owns sock */
	pthread_mutex_t lock;
	pthread_cond_t sock_free;
	int sock_busy;	    /* somebody talks on the socket */
	struct chan *chans; /* all */
	struct chan *idle;  /* those without a thread */
	struct fdq fdq;	    /* descriptors of replies */
	struct question *questions;
	struct unmapped *unmapped; /* shm: channels */
	struct spare *spare;	   /* kcall: channels without a link */
	int kcall;		   /* kcall: as the module has it, or -1 */
};

static inline int conn_state(struct skyipc_conn *conn)
{
	/* Acquire: pairs with conn_die(); whoever sees DEAD sees why. */
	return atomic_load_explicit(&conn->state, memory_order_acquire);
}

/* Mark dead and wake every thread that waits on it. From any thread. */
void conn_die(struct skyipc_conn *conn);

/*
 * Ask the server something and wait for the answer of type @want (about channel
 * @chan; 0 for a new one) and its descriptor. Other threads wait for their
 * turn. Return: 0; the answer's -errno with its text as errmsg; -EPIPE;
 * -ETIMEDOUT; -EPROTO; -ENOMEM.
 */
int conn_ask(struct skyipc_conn *conn, const union proto_msg *req,
	     enum proto_type want, uint32_t chan, struct proto_answer *answer,
	     int *fd, uint64_t deadline);

/* At close: what was asked and never fetched. */
void conn_forget_questions(struct skyipc_conn *conn);

/* Send descriptors that belong to the request at @pos of channel @chan. */
int conn_send_fds(struct skyipc_conn *conn, uint32_t chan, uint64_t pos,
		  const int *fds, unsigned n, uint64_t deadline);

/* Take those of the reply at @pos: count and *@fds to free(); -errno. */
int conn_take_fds(struct skyipc_conn *conn, uint32_t chan, uint64_t pos,
		  int **fds);

#endif
