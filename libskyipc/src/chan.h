/* SPDX-License-Identifier: MIT */
/*
 * chan.h - which channel a thread uses on a connection
 *
 * Each thread has a channel of its own on each connection it calls through, so
 * channels need no locks. The process has a table of connections; a thread has
 * a table of its channels with the same indices. Generations tell a new
 * connection from an old one in the same place.
 */
#ifndef SKY_CHAN_H
#define SKY_CHAN_H

#include "conn.h"

struct chan_table {
	struct chan_entry {
		uint64_t gen;
		struct chan *chan;
	} * entry;
	uint32_t size;
};

extern __thread struct chan_table chan_table
	__attribute__((tls_model("initial-exec")));
/* The entry that was used last. Of a generation that is gone, it is nobody's.
 */
extern __thread struct chan_entry chan_last
	__attribute__((tls_model("initial-exec")));

/* This thread's channel, or NULL if it has none yet: the fast path. */
static inline struct chan *chan_peek(const struct skyipc_conn *conn)
{
	if (likely(chan_last.gen == conn->gen))
		return chan_last.chan;
	if (likely(conn->idx < chan_table.size)) {
		struct chan_entry *e = &chan_table.entry[conn->idx];

		if (likely(e->gen == conn->gen)) {
			chan_last = *e;
			return e->chan;
		}
	}
	return NULL;
}

/*
 * Give this thread a channel: an idle one or a new one. Return: 0; -EPIPE,
 * -ECHILD: the connection is dead; -EDQUOT, -ENOMEM, -ETIMEDOUT, ...
 */
int chan_get(struct skyipc_conn *conn, struct chan **chan, uint64_t deadline);

/* Register and unregister a connection: sets idx and gen. 0 or -errno. */
int chan_conn_add(struct skyipc_conn *conn);
void chan_conn_del(struct skyipc_conn *conn);

/*
 * Call @fn with the connection registered at @idx under generation @gen, if it
 * still is; it cannot be closed meanwhile.
 */
void chan_conn_with(uint32_t idx, uint64_t gen,
		    void (*fn)(struct skyipc_conn *conn));

#endif
