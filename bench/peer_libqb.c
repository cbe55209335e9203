/* SPDX-License-Identifier: MIT */
/*
 * libqb over its shared-memory rings. Whoever waits for a reply waits on a
 * semaphore in the ring; the server waits for a byte on a socket, which the
 * library sends with every request. The spinning variant never sleeps: the
 * server polls its descriptors without a time-out and the client tries the
 * ring without one. The byte is sent all the same.
 */
#include <errno.h>
#include <qb/qbipcc.h>
#include <qb/qbipcs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "guard.h"
#include "peer.h"

#define QB_HEADER sizeof(struct qb_ipc_request_header)

struct qb_conn {
	struct run *run;
	qb_ipcc_connection_t *conn;
	size_t size, len;
	uint64_t serial;
	int spin;
	unsigned char *request, *reply;
};

/* ------------------------------------------- the server's event loop -- */

struct watch {
	int fd;
	void *data;
	qb_ipcs_dispatch_fn_t fn;
	struct watch *next;
};

struct job {
	void *data;
	qb_loop_job_dispatch_fn fn;
	struct job *next;
};

static int epoll_fd = -1;
static sigset_t
	unblocked; /* SIGTERM comes while waiting; to who spins, at any time */
static struct watch *watches;
static struct job *jobs;

static int32_t job_add(enum qb_loop_priority p, void *data,
		       qb_loop_job_dispatch_fn fn)
{
	struct job *j = calloc(1, sizeof(*j));

	(void)p;
	if (!j)
		return -ENOMEM;
	*j = (struct job){ data, fn, jobs };
	jobs = j;
	return 0;
}

static struct watch **find(int32_t fd)
{
	struct watch **w = &watches;

	while (*w && (*w)->fd != fd)
		w = &(*w)->next;
	return w;
}

/* The library's events are those of poll(), which epoll's are as well. */
static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t events,
			    void *data, qb_ipcs_dispatch_fn_t fn)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct epoll_event e = { .events = (uint32_t)events, .data.fd = fd };

	(void)p;
	if (!w)
		return -ENOMEM;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		free(w);
		return -errno;
	}
	*w = (struct watch){ fd, data, fn, watches };
	watches = w;
	return 0;
}

static int32_t dispatch_mod(enum qb_loop_priority p, int32_t fd, int32_t events,
			    void *data, qb_ipcs_dispatch_fn_t fn)
{
	struct epoll_event e = { .events = (uint32_t)events, .data.fd = fd };
	struct watch *w = *find(fd);

	(void)p;
	if (!w)
		return -ENOENT;
	w->data = data;
	w->fn = fn;
	return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &e) ? -errno : 0;
}

static int32_t dispatch_del(int32_t fd)
{
	struct watch **w = find(fd), *gone = *w;

	if (!gone)
		return -ENOENT;
	*w = gone->next;
	free(gone);
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	return 0;
}

static void turn(int timeout)
{
	struct epoll_event e[16];
	int n = epoll_pwait(epoll_fd, e, 16, timeout, &unblocked);

	for (int i = 0; i < n; i++) {
		/* An earlier event may have removed it. */
		struct watch *w = *find(e[i].data.fd);

		if (w && w->fn(w->fd, (int32_t)e[i].events, w->data) < 0)
			dispatch_del(e[i].data.fd);
	}
	while (jobs) {
		struct job *j = jobs;

		jobs = j->next;
		j->fn(j->data);
		free(j);
	}
}

/* --------------------------------------------------------------- server -- */

static int32_t on_accept(qb_ipcs_connection_t *c, uid_t uid, gid_t gid)
{
	(void)c;
	(void)uid;
	(void)gid;
	return 0;
}

static int32_t on_message(qb_ipcs_connection_t *c, void *data, size_t size)
{
	/* The headers of requests and replies differ in length. */
	struct qb_ipc_request_header *h = data;
	ssize_t n;

	(void)size;
	do
		n = qb_ipcs_response_send(c, data, (size_t)h->size);
	while (n == -EAGAIN);
	return n < 0 ? (int32_t)n : 0;
}

static void on_created(qb_ipcs_connection_t *c)
{
	(void)c;
}

static int32_t on_closed(qb_ipcs_connection_t *c)
{
	(void)c;
	return 0;
}

static int qb_serve(struct run *run, unsigned client)
{
	struct qb_ipcs_service_handlers handlers = {
		.connection_accept = on_accept,
		.connection_created = on_created,
		.msg_process = on_message,
		.connection_closed = on_closed,
		.connection_destroyed = on_created,
	};
	struct qb_ipcs_poll_handlers loop = { job_add, dispatch_add,
					      dispatch_mod, dispatch_del };
	int timeout = run->peer->flags & PEER_SPINS ? 0 : -1;
	qb_ipcs_service_t *s;
	sigset_t term;
	int32_t err;

	(void)client;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(timeout ? SIG_BLOCK : SIG_UNBLOCK, &term, &unblocked);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s = qb_ipcs_create(run->tag, 0, QB_IPC_SHM, &handlers);
	if (!s || epoll_fd < 0)
		return run_fail(run, "qb_ipcs_create: %s", strerror(errno));
	qb_ipcs_poll_handlers_set(s, &loop);
	qb_ipcs_request_rate_limit(s, QB_IPCS_RATE_FAST);
	err = qb_ipcs_run(s);
	if (err)
		return run_fail(run, "qb_ipcs_run: %s", strerror(-err));
	run_ready(run);
	while (!run_stopping(run))
		turn(timeout);
	qb_ipcs_destroy(s);
	return PEER_OK;
}

/* --------------------------------------------------------------- client -- */

static void *qb_open(struct run *run, unsigned client)
{
	struct qb_conn *c = run_alloc(run, sizeof(*c));
	size_t max;

	(void)client;
	if (!c)
		return NULL;
	c->run = run;
	c->size = run->cfg.size;
	c->len = QB_HEADER + c->size;
	c->spin = run->peer->flags & PEER_SPINS;
	max = page_align(2 * c->len + 4096);
	c->request = run_private(run, c->len);
	c->reply = run_private(run, max);
	c->conn = qb_ipcc_connect(run->tag, max);
	if (!c->conn) {
		run_fail(run, "qb_ipcc_connect: %s", strerror(errno));
		return NULL;
	}
	return c->request && c->reply ? c : NULL;
}

/* The ring may still hold the last request, answered but not yet removed. */
static ssize_t call_once(struct qb_conn *c, struct iovec *iov)
{
	size_t max = (size_t)qb_ipcc_get_buffer_size(c->conn);
	int timeout = c->spin ? 0 : -1;
	ssize_t n;

	while ((n = qb_ipcc_sendv(c->conn, iov, 1)) == -EAGAIN)
		cpu_relax();
	if (n < 0)
		return n;
	while ((n = qb_ipcc_recv(c->conn, c->reply, max, timeout)) == -EAGAIN ||
	       n == -ETIMEDOUT)
		cpu_relax();
	return n;
}

static int qb_call(void *conn)
{
	struct qb_conn *c = conn;
	struct qb_ipc_request_header *h = (void *)c->request;
	struct iovec iov = { c->request, c->len };
	ssize_t n;

	h->id = QB_IPC_MSG_USER_START;
	h->size = (int32_t)c->len;
	payload_stamp(c->request + QB_HEADER, c->size, ++c->serial);
	n = call_once(c, &iov);
	if (n < 0)
		return run_fail(c->run, "libqb: %s", strerror((int)-n));
	if ((size_t)n != c->len ||
	    !payload_ok(c->reply + QB_HEADER, c->size, c->serial))
		return run_fail(c->run, "wrong reply");
	return 0;
}

static void qb_end(void *conn)
{
	struct qb_conn *c = conn;

	qb_ipcc_disconnect(c->conn);
	free(c);
}

/* Rings whose owners were killed: folders with the server's pid in the name. */
static void qb_teardown(struct run *run)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "qb-%d-", (int)run->server);
	if (run->server > 0)
		guard_sweep("/dev/shm", prefix);
}

#define QB_PEER                                                                \
	.copies = "3 (into the ring, into the reply ring, out of it)",         \
	.serve = qb_serve, .open = qb_open, .call = qb_call, .close = qb_end,  \
	.teardown = qb_teardown

const struct peer peer_libqb = {
	.name = "libqb", .mode = "blocking", .flags = PEER_GRACEFUL, QB_PEER
};

const struct peer peer_libqb_spin = { .name = "libqb-spin",
				      .mode = "polling",
				      .flags = PEER_GRACEFUL | PEER_SPINS,
				      QB_PEER };
