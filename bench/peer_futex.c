/* SPDX-License-Identifier: MIT */
/*
 * The textbook ping-pong over two words in shared memory: whoever waits goes
 * to sleep with FUTEX_WAIT at once, whoever writes wakes with FUTEX_WAKE. The
 * payload lies beside the words.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chan.h"

struct futex_chan {
	_Alignas(64) _Atomic uint32_t ask;
	_Alignas(64) _Atomic uint32_t answer;
	_Alignas(4096) unsigned char data[];
};

static int futex_setup(struct run *run)
{
	return chan_setup(run, sizeof(struct futex_chan));
}

static void await(_Atomic uint32_t *word, uint32_t old)
{
	while (atomic_load_explicit(word, memory_order_acquire) == old)
		syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static void tell(_Atomic uint32_t *word, uint32_t now)
{
	atomic_store_explicit(word, now, memory_order_release);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int futex_serve(struct run *run, unsigned client)
{
	struct futex_chan *c = chan_of(run, sizeof(struct futex_chan), client);

	run_ready(run);
	for (uint32_t n = 0; !run_stopping(run); n++) {
		await(&c->ask, n);
		if (run->cfg.server_reads)
			payload_touch(c->data, run->cfg.size);
		tell(&c->answer, n + 1);
	}
	return PEER_OK;
}

static void *futex_open(struct run *run, unsigned client)
{
	return chan_open(run, sizeof(struct futex_chan), client);
}

static int futex_call(void *conn)
{
	struct chan_conn *c = conn;
	struct futex_chan *chan = c->chan;
	uint32_t n = (uint32_t)c->serial++; /* the words wrap */

	payload_stamp(c->source, c->size, c->serial);
	memcpy(chan->data, c->source, c->size);
	tell(&chan->ask, n + 1);
	await(&chan->answer, n);
	if (!payload_ok(chan->data, c->size, c->serial))
		return run_fail(c->run, "wrong reply");
	payload_touch(chan->data, c->size);
	return 0;
}

const struct peer peer_futex = {
	.name = "futex",
	.mode = "blocking",
	.copies = "1 (client into shared memory)",
	.flags = PEER_THREADED,
	.setup = futex_setup,
	.serve = futex_serve,
	.open = futex_open,
	.call = futex_call,
	.close = free,
};
