/* SPDX-License-Identifier: MIT */
/*
 * The limit: a cache line goes from one CPU to the other and an answer comes
 * back, with nothing else done. No call between two processes can be faster on
 * this pair of CPUs. Payload that does not fit the line's eight bytes travels
 * in shared memory beside it: copied there once by the client, answered in
 * place.
 *
 * limit        a line for each direction: each is written by one side only
 * limit-1line  both sides write one line
 */
#include <stdlib.h>

#include "clock.h"
#include "peer.h"

struct limit_line {
	_Alignas(
		128) _Atomic uint64_t word; /* adjacent lines are fetched too */
};

struct limit_chan {
	struct limit_line line[2];
};

struct limit_conn {
	_Atomic uint64_t *ask;
	_Atomic uint64_t *answer;
	uint64_t serial;
	unsigned char *data;   /* shared */
	unsigned char *source; /* private */
	size_t size;
};

extern const struct peer peer_limit, peer_limit_1line;

static size_t data_len(const struct run *run)
{
	size_t size = run->cfg.size;

	return size > 8 ? page_align(size) : 0;
}

static size_t lines_len(const struct run *run)
{
	return page_align(sizeof(struct limit_chan) * run->cfg.clients);
}

static struct limit_chan *chan(struct run *run, unsigned client)
{
	return (struct limit_chan *)run->mem + client;
}

static unsigned char *chan_data(struct run *run, unsigned client)
{
	return (unsigned char *)run->mem + lines_len(run) +
	       client * data_len(run);
}

static int limit_setup(struct run *run)
{
	size_t len = lines_len(run) + run->cfg.clients * data_len(run);

	return run_shared(run, len) ? PEER_OK : PEER_FAILED;
}

static void lines(struct run *run, unsigned client, _Atomic uint64_t **ask,
		  _Atomic uint64_t **answer)
{
	struct limit_chan *c = chan(run, client);

	*ask = &c->line[0].word;
	*answer = run->peer == &peer_limit ? &c->line[1].word : *ask;
}

/* Requests are odd, replies even: on one line each side waits for its kind. */
static int limit_serve(struct run *run, unsigned client)
{
	_Atomic uint64_t *ask, *answer;
	unsigned char *data = chan_data(run, client);
	uint64_t want = 1;

	lines(run, client, &ask, &answer);
	run_ready(run);
	while (!run_stopping(run)) {
		while (atomic_load_explicit(ask, memory_order_acquire) != want)
			cpu_relax();
		if (run->cfg.server_reads)
			payload_touch(data, data_len(run));
		atomic_store_explicit(answer, want + 1, memory_order_release);
		want += 2;
	}
	return PEER_OK;
}

static void *limit_open(struct run *run, unsigned client)
{
	struct limit_conn *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	lines(run, client, &c->ask, &c->answer);
	c->size = data_len(run) ? run->cfg.size : 0;
	if (c->size) {
		c->data = chan_data(run, client);
		c->source = run_private(run, c->size);
		if (!c->source)
			return NULL;
	}
	return c;
}

static int limit_call(void *conn)
{
	struct limit_conn *c = conn;
	uint64_t ask = ++c->serial, answer = ++c->serial;

	if (c->size)
		memcpy(c->data, c->source, c->size);
	atomic_store_explicit(c->ask, ask, memory_order_release);
	while (atomic_load_explicit(c->answer, memory_order_acquire) != answer)
		cpu_relax();
	if (c->size)
		payload_touch(c->data, c->size);
	return 0;
}

#define LIMIT_PEER                                                             \
	.mode = "polling", .copies = "1 (client into shared memory)",          \
	.flags = PEER_THREADED | PEER_SPINS | PEER_CONTROL,                    \
	.setup = limit_setup, .serve = limit_serve, .open = limit_open,        \
	.call = limit_call, .close = free

const struct peer peer_limit = { .name = "limit", LIMIT_PEER };
const struct peer peer_limit_1line = { .name = "limit-1line", LIMIT_PEER };
