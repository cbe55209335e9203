/* SPDX-License-Identifier: MIT */
/* What is told to skyipc_query(), and the counters of a whole server. */
#include "info.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "hist.h"
#include "memfd.h"
#include "server.h"
#include "transport.h"
#include "vmfunc_server.h"

static void conn_stats_locked(struct sconn *conn, struct skyipc_stats *stats)
{
	for (struct schan *ch = conn->chans; ch; ch = ch->next)
		stats_merge(stats, &ch->stats);
#ifdef __x86_64__
	vmfunc_stats(conn, stats);
#endif
}

void info_stats_locked(struct skyipc_server *s, struct skyipc_stats *stats)
{
	size_t size = stats->size;

	*stats = s->retired;
	stats->size = size;
	stats->mem = 0; /* of those retired it is no more */
	stats->conns = s->nopen;
	for (uint32_t i = 0; i < s->conns_size; i++)
		if (s->conns[i])
			conn_stats_locked(s->conns[i], stats);
	for (struct sconn *conn = s->dying; conn; conn = conn->next_dying)
		conn_stats_locked(conn, stats);
	for (uint32_t i = 0; i < s->attr.workers; i++) {
		stats->spins += stat_read(s->seats[i].spins);
		stats->parks += stat_read(s->seats[i].parks);
	}
}

static void fill_server(struct skyipc_server *s,
			struct skyipc_server_info *info)
{
	const char *base = strrchr(s->name.path, '/');
	ssize_t n = 0;
	size_t len;
	int fd;

	info->size = sizeof(*info);
	info->pid = getpid();
	info->uid = geteuid();
	info->mode = s->attr.mode;
	info->workers = s->attr.workers;
	info->threads = s->nthreads;
	info->uptime_ns = now_ns() - s->started_ns;
	base = base ? base + 1 : s->name.path;
	len = strlen(base);
	if (s->name.plain)
		len -= strlen(NAME_SUFFIX);
	memcpy(info->name, base, min_u64(len, sizeof(info->name) - 1));
	fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, info->comm, sizeof(info->comm) - 1);
		close(fd);
	}
	if (n > 0 && info->comm[n - 1] == '\n')
		info->comm[n - 1] = '\0';
	info->stats.size = sizeof(info->stats);
	info_stats_locked(s, &info->stats);
}

int info_make(struct skyipc_server *s, const struct skyipc_peer *asker,
	      uint64_t *size)
{
	int all = asker->uid == 0 || asker->uid == geteuid();
	struct skyipc_server_info *server;
	struct skyipc_conn_info *ci;
	struct info_head *head;
	uint32_t n = 0;
	size_t bytes;
	int fd;

	pthread_mutex_lock(&s->lock);
	bytes = sizeof(*head) + sizeof(*server) + s->nopen * sizeof(*ci);
	head = calloc(1, bytes);
	if (!head) {
		pthread_mutex_unlock(&s->lock);
		return -ENOMEM;
	}
	server = (void *)(head + 1);
	ci = (void *)(server + 1);
	fill_server(s, server);
	for (uint32_t i = 0; i < s->conns_size; i++) {
		struct sconn *conn = s->conns[i];

		if (!conn || conn->state != SCONN_OPEN ||
		    (!all && conn->peer.uid != asker->uid))
			continue;
		ci[n].size = sizeof(*ci);
		ci[n].id = conn->id >> 32;
		ci[n].peer = conn->peer;
		snprintf(ci[n].transport, sizeof(ci[n].transport), "%s",
			 conn->transport->name);
		ci[n].stats.size = sizeof(ci[n].stats);
		ci[n].stats.conns = conn->nchans;
		conn_stats_locked(conn, &ci[n].stats);
		n++;
	}
	pthread_mutex_unlock(&s->lock);
	head->magic = INFO_MAGIC;
	head->server_size = sizeof(*server);
	head->conn_size = sizeof(*ci);
	head->nconns = n;
	*size = sizeof(*head) + sizeof(*server) + n * sizeof(*ci);
	fd = memfd_of("skyipc-info", head, *size);
	free(head);
	return fd;
}
