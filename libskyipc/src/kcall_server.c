/* SPDX-License-Identifier: MIT */
/* kcall_server.c - servers, connections and workers as the module has them */
#include "kcall_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "err.h"
#include "kcall_dev.h"
#include "kcall_worker.h"

/* ---- servers ------------------------------------------------------------- */

int kcall_serves(const struct skyipc_server *server, char *why, size_t size)
{
	if (server->kcall >= 0)
		return 0;
	snprintf(why, size, "the server has no calls through the module");
	return -EPROTONOSUPPORT;
}

void kcall_server_open(struct skyipc_server *server)
{
	struct skyipc_dev_server attr = { .size = sizeof(attr) };
	char why[160];
	int dev;

	/* One that polls does not enter the kernel. */
	if (server->attr.mode == SKYIPC_POLLING)
		return;
	dev = kcall_dev_open(why, sizeof(why));
	if (dev < 0)
		return;
	/* Linux does not register a notifier for an mm while a signal, or work
	 * that comes like one (io_uring's), waits for the thread. */
	do
		server->kcall = ioctl(dev, SKYIPC_DEV_SERVER, &attr);
	while (server->kcall < 0 && errno == EINTR);
	if (server->kcall < 0)
		server_say(server, SKYIPC_LOG_WARNING,
			   "no calls through the module: %s", strerror(errno));
	close(dev);
}

/* ---- connections --------------------------------------------------------- */

int kcall_conn_open(struct sconn *conn)
{
	struct skyipc_dev_connect attr = { .size = sizeof(attr),
					   .cookie = conn->id };

	conn->kcall = ioctl(conn->server->kcall, SKYIPC_SERVER_CONNECT, &attr);
	return conn->kcall < 0 ? -errno : 0;
}

void kcall_conn_kill(struct sconn *conn)
{
	struct skyipc_server *server = conn->server;

	ioctl(conn->kcall, SKYIPC_CONN_KILL);
	/* After its state: see conn_keep(). */
	for (uint32_t i = 0; i < server->attr.workers; i++) {
		struct sconn *kept = conn;

		if (atomic_compare_exchange_strong(&server->seats[i].kept,
						   &kept, NULL))
			sconn_put(conn);
	}
}

/* ---- workers ------------------------------------------------------------- */

__thread struct kcall_worker *my_kcall_worker;

struct kcall_worker *kcall_worker_new(struct skyipc_server *server, int bell)
{
	struct skyipc_dev_worker attr = { .size = sizeof(attr), .bell = bell };
	struct kcall_worker *w;

	if (server->kcall < 0)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	/* Under the lock: fork() finds it on the list, or not at all. */
	pthread_mutex_lock(&server->lock);
	w->fd = ioctl(server->kcall, SKYIPC_SERVER_WORKER, &attr);
	if (w->fd >= 0) {
		w->server = server;
		w->tid = gettid();
		w->serve.size = sizeof(w->serve);
		LIST_INSERT_HEAD(&server->kcall_workers, w, entry);
	}
	pthread_mutex_unlock(&server->lock);
	if (w->fd < 0) {
		server_say(server, SKYIPC_LOG_WARNING,
			   "a thread cannot serve calls through the module: %s",
			   strerror(errno));
		free(w);
		return NULL;
	}
	return w;
}

int kcall_worker_ready(struct skyipc_server *server)
{
	if (!my_kcall_worker)
		my_kcall_worker = kcall_worker_new(server, server->bell_ep);
	return my_kcall_worker != NULL;
}

void kcall_worker_free(struct kcall_worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->server->lock);
	LIST_REMOVE(w, entry);
	close(w->fd);
	pthread_mutex_unlock(&w->server->lock);
	free(w);
}

void kcall_workers_forget(struct skyipc_server *server)
{
	struct kcall_worker *w;

	/* (Not freed: this may be the copy of one that is in a handler.) */
	while ((w = LIST_FIRST(&server->kcall_workers))) {
		LIST_REMOVE(w, entry);
		close(w->fd);
		w->fd = -1;
	}
	server->kcall_dispatcher = NULL;
}

void kcall_worker_sit(struct skyipc_server *server)
{
	struct kcall_worker *w = server->kcall_dispatcher;

	/* One thread dispatches at a time, but not always the same one. */
	if (w && w->tid != gettid()) {
		kcall_worker_free(w);
		w = NULL;
	}
	if (!w)
		w = kcall_worker_new(server, server->bell_ep);
	server->kcall_dispatcher = w;
	my_kcall_worker = w;
}
