/* SPDX-License-Identifier: MIT */
#include "chan.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cancel.h"
#include "err.h"
#include "fork.h"

__thread struct chan_table chan_table
	__attribute__((tls_model("initial-exec")));
__thread struct chan_entry chan_last __attribute__((tls_model("initial-exec")));

/* All connections of the process. Lock order: table, then a connection's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct skyipc_conn **table;
static uint32_t table_size;
static uint64_t next_gen = 1;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* only for its destructor */
static int key_err;

/* A thread ends: its channels go back to those connections that still are. */
static void thread_exit(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < chan_table.size && i < table_size; i++) {
		struct chan_entry *e = &chan_table.entry[i];
		struct skyipc_conn *conn = table[i];

		if (!e->chan || !conn || conn->gen != e->gen)
			continue;
		conn->ops->abandon(e->chan);
		pthread_mutex_lock(&conn->lock);
		e->chan->next_idle = conn->idle;
		conn->idle = e->chan;
		pthread_mutex_unlock(&conn->lock);
	}
	pthread_mutex_unlock(&lock);
	free(chan_table.entry);
	chan_table.entry = NULL;
	chan_table.size = 0;
	chan_last = (struct chan_entry){ 0, NULL };
}

/*
 * fork(): nobody may hold these locks while the process is copied, and the
 * child's copies of connections are not its own: the channels' cursors would
 * be used twice.
 */
static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < table_size; i++)
		if (table[i])
			pthread_mutex_lock(&table[i]->lock);
}

static void fork_done(int child)
{
	for (uint32_t i = 0; i < table_size; i++) {
		struct skyipc_conn *conn = table[i];

		if (!conn)
			continue;
		if (child) {
			atomic_store(&conn->state, CONN_FORKED);
			if (conn->ops->forked)
				conn->ops->forked(conn);
			if (conn->bell >= 0)
				close(conn->bell);
			/* sock is closed by fork.c */
			conn->sock = conn->bell = -1;
		}
		pthread_mutex_unlock(&conn->lock);
	}
	pthread_mutex_unlock(&lock);
}

static void chan_init(void)
{
	static struct fork_hook hook = { .prepare = fork_prepare,
					 .done = fork_done };

	key_err = pthread_key_create(&key, thread_exit);
	fork_hook_add(&hook);
}

int chan_conn_add(struct skyipc_conn *conn)
{
	uint32_t i;
	int err = 0;

	pthread_once(&once, chan_init);
	if (key_err)
		return fail(-key_err, "no thread-specific data key left");
	pthread_mutex_lock(&lock);
	for (i = 0; i < table_size && table[i]; i++)
		;
	if (i == table_size) {
		uint32_t size = table_size ? table_size * 2 : 16;
		struct skyipc_conn **p = realloc(table, size * sizeof(*p));

		if (p) {
			memset(p + i, 0, (size - i) * sizeof(*p));
			table = p;
			table_size = size;
		} else {
			err = -ENOMEM;
		}
	}
	if (!err) {
		table[i] = conn;
		conn->idx = i;
		conn->gen = next_gen++;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

void chan_conn_del(struct skyipc_conn *conn)
{
	pthread_mutex_lock(&lock);
	table[conn->idx] = NULL;
	pthread_mutex_unlock(&lock);
}

void chan_conn_with(uint32_t idx, uint64_t gen,
		    void (*fn)(struct skyipc_conn *conn))
{
	pthread_mutex_lock(&lock);
	if (idx < table_size && table[idx] && table[idx]->gen == gen)
		fn(table[idx]);
	pthread_mutex_unlock(&lock);
}

/* Room for the connection's index in this thread's table. */
static int table_grow(uint32_t idx)
{
	uint32_t size = max_u64(roundup_pow2(idx + 1), 8);
	struct chan_entry *p;

	if (idx < chan_table.size)
		return 0;
	if (pthread_setspecific(key, &chan_table))
		return -ENOMEM;
	p = realloc(chan_table.entry, size * sizeof(*p));
	if (!p)
		return -ENOMEM;
	memset(p + chan_table.size, 0, (size - chan_table.size) * sizeof(*p));
	chan_table.entry = p;
	chan_table.size = size;
	return 0;
}

int chan_get(struct skyipc_conn *conn, struct chan **out, uint64_t deadline)
{
	struct chan *chan = chan_peek(conn);
	int err;

	fail_clear();
	if (chan) {
		*out = chan;
		return 0;
	}
	switch (conn_state(conn)) {
	case CONN_DEAD:
		return fail(-EPIPE, "the server has gone");
	case CONN_FORKED:
		return fail(-ECHILD, "the connection belongs to the parent");
	}
	err = table_grow(conn->idx);
	if (err)
		return err;

	pthread_mutex_lock(&conn->lock);
	chan = conn->idle;
	if (chan)
		conn->idle = chan->next_idle;
	pthread_mutex_unlock(&conn->lock);
	if (chan && conn->ops->adopt) {
		err = conn->ops->adopt(chan);
		if (err) {
			pthread_mutex_lock(&conn->lock);
			chan->next_idle = conn->idle;
			conn->idle = chan;
			pthread_mutex_unlock(&conn->lock);
			return err;
		}
	}
	if (!chan) {
		int cancel = cancel_off();

		err = conn->ops->open(conn, &chan, deadline);
		cancel_back(cancel);
		if (err)
			return err;
		chan->conn = conn;
		pthread_mutex_lock(&conn->lock);
		chan->next = conn->chans;
		conn->chans = chan;
		pthread_mutex_unlock(&conn->lock);
	}
	chan_table.entry[conn->idx].gen = conn->gen;
	chan_table.entry[conn->idx].chan = chan;
	*out = chan;
	return 0;
}
