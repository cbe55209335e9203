/* SPDX-License-Identifier: MIT */
/*
 * transport.h - how calls travel: one table of functions for each way
 *
 * On the client's side a struct chan is one calling thread's end of
 * a connection; a transport embeds it in what it needs itself. Everything a
 * channel does is done by one thread at a time, its owner, except wake().
 */
#ifndef SKY_TRANSPORT_H
#define SKY_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "skyipc.h"

struct sconn;

struct chan {
	struct skyipc_conn *conn;
	struct chan *next;	   /* all of the connection */
	struct chan *next_idle;	   /* without an owner */
	struct skyipc_stats stats; /* written by the owner only */
};

struct transport {
	const char *name;
	int rings; /* its clients have a doorbell */

	/* Usable on this machine? 0, or -errno and why. */
	int (*probe)(char *why, size_t size);

	/* ---- the server's side ---- */

	/* Does this server? 0, or -errno and why not. */
	int (*serves)(const struct skyipc_server *server, char *why,
		      size_t size);
	/* Make what a new connection needs: 0 or -errno. */
	int (*admit)(struct sconn *conn);
	/* It has a channel more. May be NULL. */
	void (*chan_made)(struct sconn *conn);
	/* It has been killed. May be NULL. */
	void (*kill)(struct sconn *conn);

	/* ---- the client's side ---- */

	/* Make a channel for the calling thread. */
	int (*open)(struct skyipc_conn *conn, struct chan **chan,
		    uint64_t deadline);
	/* Free it; nobody uses it any more. */
	void (*close)(struct chan *chan);
	/* Free what the transport has of a connection without channels. */
	void (*conn_close)(struct skyipc_conn *conn);
	/* Its thread ends, and is the one that says so: forget what is
	 * outstanding. */
	void (*abandon)(struct chan *chan);
	/* This thread takes over an abandoned one: 0 or -errno. May be NULL. */
	int (*adopt)(struct chan *chan);
	/* In a forked child, which is not to keep anything. May be NULL. */
	void (*forked)(struct skyipc_conn *conn);
	/* The peer is dead: wake the owner if it sleeps. From any thread. */
	void (*wake)(struct chan *chan);

	/* Add what is not in its counters. From any thread. May be NULL. */
	void (*stats)(const struct chan *chan, struct skyipc_stats *stats);

	/* The public functions of the same names; see skyipc.h. */
	int (*call)(struct chan *chan, uint32_t op, const uint64_t *in,
		    uint64_t *out, int32_t *status, skyipc_time t);
	int (*call_msg)(struct chan *chan, const struct skyipc_msg *req,
			struct skyipc_msg *rep, skyipc_time t);
	int (*submit)(struct chan *chan, const struct skyipc_msg *req);
	int (*reap)(struct chan *chan, struct skyipc_msg *msgs, unsigned n,
		    unsigned min, skyipc_time t);
	int (*buffer)(struct chan *chan, void **buf, size_t *size,
		      uint64_t deadline);
};

/* The @i-th, best first; NULL: no more. */
const struct transport *transport_at(unsigned i);
const struct transport *transport_named(const char *name);

extern const struct transport vmfunc_transport;
extern const struct transport kcall_transport;
extern const struct transport shm_transport;

#endif
