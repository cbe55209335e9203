/* SPDX-License-Identifier: MIT */
/* Payload in shared memory, and an eventfd for each direction to wake with. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "chan.h"

struct eventfd_chan {
	int ask, answer;
	_Alignas(4096) unsigned char data[];
};

static struct eventfd_chan *chan_at(const struct run *run, unsigned client)
{
	return chan_of(run, sizeof(struct eventfd_chan), client);
}

static int eventfd_setup(struct run *run)
{
	if (chan_setup(run, sizeof(struct eventfd_chan)))
		return PEER_FAILED;
	for (unsigned i = 0; i < run->cfg.clients; i++)
		chan_at(run, i)->ask = chan_at(run, i)->answer = -1;
	for (unsigned i = 0; i < run->cfg.clients; i++) {
		struct eventfd_chan *c = chan_at(run, i);

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
		struct eventfd_chan *c = chan_at(run, i);

		if (c->ask >= 0)
			close(c->ask);
		if (c->answer >= 0)
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
	struct eventfd_chan *c = chan_at(run, client);
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
	return chan_open(run, sizeof(struct eventfd_chan), client);
}

static int eventfd_call(void *conn)
{
	struct chan_conn *c = conn;
	struct eventfd_chan *chan = c->chan;

	payload_stamp(c->source, c->size, ++c->serial);
	memcpy(chan->data, c->source, c->size);
	if (tell(chan->ask) || await(chan->answer))
		return run_fail(c->run, "eventfd: %s", strerror(errno));
	if (!payload_ok(chan->data, c->size, c->serial))
		return run_fail(c->run, "wrong reply");
	payload_touch(chan->data, c->size);
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
