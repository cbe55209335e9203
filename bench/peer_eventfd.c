/* SPDX-License-Identifier: MIT */
/* Payload in shared memory, and an eventfd for each direction to wake with. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "peer.h"

struct eventfd_chan {
	int ask, answer;
	_Alignas(4096) unsigned char data[];
};

struct eventfd_conn {
	struct eventfd_chan *chan;
	struct run *run;
	uint64_t serial;
	unsigned char *buf;
	size_t size;
};

static size_t chan_len(const struct run *run)
{
	return sizeof(struct eventfd_chan) +
	       ((run->cfg.size + 4095) & ~(size_t)4095);
}

static struct eventfd_chan *chan(struct run *run, unsigned client)
{
	return (struct eventfd_chan *)((unsigned char *)run->mem +
				       client * chan_len(run));
}

static int eventfd_setup(struct run *run)
{
	if (!run_shared(run, run->cfg.clients * chan_len(run)))
		return PEER_FAILED;
	for (unsigned i = 0; i < run->cfg.clients; i++) {
		struct eventfd_chan *c = chan(run, i);

		c->ask = eventfd(0, EFD_CLOEXEC);
		c->answer = eventfd(0, EFD_CLOEXEC);
		if (c->ask < 0 || c->answer < 0)
			return run_fail(run, "eventfd: %s", strerror(errno));
	}
	return PEER_OK;
}

static void eventfd_teardown(struct run *run)
{
	for (unsigned i = 0; run->mem && i < run->cfg.clients; i++) {
		struct eventfd_chan *c = chan(run, i);

		if (c->ask > 0)
			close(c->ask);
		if (c->answer > 0)
			close(c->answer);
	}
}

static int tell(int fd)
{
	return eventfd_write(fd, 1);
}

static int await(int fd)
{
	eventfd_t n;

	return eventfd_read(fd, &n);
}

static int eventfd_serve(struct run *run, unsigned client)
{
	struct eventfd_chan *c = chan(run, client);
	int ask = c->ask, answer = c->answer;

	run_ready(run);
	for (;;) {
		if (await(ask))
			return run_fail(run, "read: %s", strerror(errno));
		if (run->cfg.server_reads)
			payload_touch(c->data, run->cfg.size);
		if (tell(answer))
			return run_fail(run, "write: %s", strerror(errno));
	}
}

static void *eventfd_open(struct run *run, unsigned client)
{
	struct eventfd_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->chan = chan(run, client);
	c->run = run;
	c->size = run->cfg.size;
	c->buf = run_private(run, c->size);
	return c->buf ? c : NULL;
}

static int eventfd_call(void *conn)
{
	struct eventfd_conn *c = conn;

	payload_stamp(c->buf, c->size, ++c->serial);
	memcpy(c->chan->data, c->buf, c->size);
	if (tell(c->chan->ask) || await(c->chan->answer))
		return run_fail(c->run, "eventfd: %s", strerror(errno));
	if (!payload_ok(c->chan->data, c->size, c->serial))
		return run_fail(c->run, "wrong reply");
	payload_touch(c->chan->data, c->size);
	return 0;
}

const struct peer peer_eventfd = {
	.name = "eventfd",
	.mode = "blocking",
	.copies = "1 (client into shared memory)",
	.flags = PEER_THREADED,
	.setup = eventfd_setup,
	.serve = eventfd_serve,
	.open = eventfd_open,
	.call = eventfd_call,
	.close = free,
	.teardown = eventfd_teardown,
};
