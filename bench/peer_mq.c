/* SPDX-License-Identifier: MIT */
/* Two POSIX message queues for each client, unlinked as soon as made. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "peer.h"

struct mq_chan {
	mqd_t ask, answer;
};

struct mq_conn {
	struct run *run;
	mqd_t ask, answer;
	size_t size;
	uint64_t serial;
	unsigned char *buf;
};

static int make(struct run *run, mqd_t *mq)
{
	static unsigned serial;
	struct mq_attr attr = { .mq_maxmsg = 1,
				.mq_msgsize = (long)run->cfg.size };
	int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
	char name[96];

	if (run->peer->flags & PEER_SPINS)
		flags |= O_NONBLOCK;
	snprintf(name, sizeof(name), "/%s-%u", run->tag, serial++);
	*mq = mq_open(name, flags, 0600, &attr);
	if (*mq == (mqd_t)-1) {
		if (errno == EINVAL)
			return run_skip(run,
					"%zu bytes are more than it carries "
					"(fs.mqueue.msgsize_max)",
					run->cfg.size);
		if (errno == ENOSYS)
			return run_skip(run, "the kernel has none");
		return run_fail(run, "mq_open: %s", strerror(errno));
	}
	mq_unlink(name);
	return PEER_OK;
}

static int mq_setup(struct run *run)
{
	size_t len = sizeof(struct mq_chan) * run->cfg.clients;
	struct mq_chan *c = run_shared(run, len);

	if (!c)
		return PEER_FAILED;
	memset(c, 0xff, len);
	for (unsigned i = 0; i < run->cfg.clients; i++) {
		int rc = make(run, &c[i].ask);

		if (rc == PEER_OK)
			rc = make(run, &c[i].answer);
		if (rc != PEER_OK)
			return rc;
	}
	return PEER_OK;
}

static void mq_teardown(struct run *run)
{
	struct mq_chan *c = run->mem;

	for (unsigned i = 0; c && i < run->cfg.clients; i++) {
		if (c[i].ask != (mqd_t)-1)
			mq_close(c[i].ask);
		if (c[i].answer != (mqd_t)-1)
			mq_close(c[i].answer);
	}
}

static int put(mqd_t mq, const unsigned char *buf, size_t size)
{
	while (mq_send(mq, (const char *)buf, size, 0)) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		cpu_relax();
	}
	return 0;
}

static int get(mqd_t mq, unsigned char *buf, size_t size)
{
	for (;;) {
		ssize_t n = mq_receive(mq, (char *)buf, size, NULL);

		if (n >= 0)
			return (size_t)n == size ? 0 : -EBADMSG;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		cpu_relax();
	}
}

static int mq_serve(struct run *run, unsigned client)
{
	struct mq_chan *c = (struct mq_chan *)run->mem + client;
	unsigned char *buf = run_private(run, run->cfg.size);
	int err = 0;

	if (!buf)
		return PEER_FAILED;
	run_ready(run);
	while (!err) {
		err = get(c->ask, buf, run->cfg.size);
		if (!err)
			err = put(c->answer, buf, run->cfg.size);
	}
	return run_fail(run, "server: %s", strerror(-err));
}

static void *mq_open_conn(struct run *run, unsigned client)
{
	struct mq_chan *chan = (struct mq_chan *)run->mem + client;
	struct mq_conn *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	c->run = run;
	c->ask = chan->ask;
	c->answer = chan->answer;
	c->size = run->cfg.size;
	c->buf = run_private(run, c->size);
	return c->buf ? c : NULL;
}

static int mq_call(void *conn)
{
	struct mq_conn *c = conn;
	int err;

	payload_stamp(c->buf, c->size, ++c->serial);
	err = put(c->ask, c->buf, c->size);
	if (!err)
		err = get(c->answer, c->buf, c->size);
	if (err)
		return run_fail(c->run, "message queue: %s", strerror(-err));
	if (!payload_ok(c->buf, c->size, c->serial))
		return run_fail(c->run, "wrong reply");
	return 0;
}

#define MQ_PEER                                                                \
	.copies = "4 (in and out of the kernel, each way)", .setup = mq_setup, \
	.serve = mq_serve, .open = mq_open_conn, .call = mq_call,              \
	.close = free, .teardown = mq_teardown

const struct peer peer_posix_mq = {
	.name = "posix-mq", .mode = "blocking", .flags = PEER_THREADED, MQ_PEER
};

const struct peer peer_posix_mq_spin = { .name = "posix-mq-spin",
					 .mode = "polling",
					 .flags = PEER_THREADED | PEER_SPINS,
					 MQ_PEER };
