/* SPDX-License-Identifier: MIT */
/* Ask a server from outside. What it answers is hostile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "connect.h"
#include "err.h"
#include "info.h"
#include "memfd.h"
#include "query.h"
#include "sock.h"
#include "util.h"

#define QUERY_NS UINT64_C(5000000000)
#define INFO_MAX (UINT64_C(1) << 32)

/* The first @have bytes of a structure that we know @want bytes of. */
static void take(void *to, size_t want, const void *from, size_t have)
{
	memset(to, 0, want);
	memcpy(to, from, have < want ? have : want);
}

int info_parse(const void *data, size_t size, struct skyipc_server_info *server,
	       struct skyipc_conn_info **conns, size_t *nconns)
{
	const char *p = data;
	struct info_head head;
	uint64_t need;

	if (size < sizeof(head))
		return -EPROTO;
	memcpy(&head, p, sizeof(head));
	need = sizeof(head) + head.server_size +
	       (uint64_t)head.nconns * head.conn_size;
	/* Fields are only appended: nobody's structure is smaller than ours of
	 * version 1. So what we allocate is never more than what was sent. */
	if (head.magic != INFO_MAGIC || head.server_size > 65536 ||
	    head.conn_size > 65536 ||
	    (head.nconns && head.conn_size < sizeof(struct skyipc_conn_info)) ||
	    need > size)
		return -EPROTO;
	p += sizeof(head);
	take(server, sizeof(*server), p, head.server_size);
	server->size = sizeof(*server);
	server->stats.size = sizeof(server->stats);
	server->name[sizeof(server->name) - 1] = '\0';
	server->comm[sizeof(server->comm) - 1] = '\0';
	if (!conns)
		return 0;
	p += head.server_size;
	*nconns = head.nconns;
	*conns = calloc(head.nconns + 1, sizeof(**conns));
	if (!*conns)
		return -ENOMEM;
	for (uint32_t i = 0; i < head.nconns; i++, p += head.conn_size) {
		struct skyipc_conn_info *ci = &(*conns)[i];

		take(ci, sizeof(*ci), p, head.conn_size);
		ci->size = sizeof(*ci);
		ci->stats.size = sizeof(ci->stats);
		ci->transport[sizeof(ci->transport) - 1] = '\0';
	}
	return 0;
}

SKY_PUBLIC int skyipc_query(const char *name, struct skyipc_server_info *user,
			    struct skyipc_conn_info **conns, size_t *nconns,
			    skyipc_time t)
{
	uint64_t deadline = deadline_of(t, QUERY_NS);
	struct skyipc_server_info server;
	union proto_msg msg;
	const void *map;
	struct fork_fd sock = FORK_FD_NONE;
	int fd, err;

	fail_clear();
	if (user->size < sizeof(user->size))
		return fail(-EINVAL, "server->size is not set");
	err = rendezvous(name, 0, deadline, &sock);
	if (err)
		return err;
	proto_init(&msg, PROTO_QUERY);
	err = rendezvous_ask(sock.fd, &msg, PROTO_INFO, &msg, &fd, deadline);
	fork_fd_close(&sock);
	if (err == -EPIPE)
		return fail(-ECONNREFUSED, "the server hung up");
	if (err)
		return err;
	err = -EPROTO;
	if (fd >= 0 && msg.info.size && msg.info.size < INFO_MAX)
		err = memfd_map_const(fd, msg.info.size, &map);
	close_fds(&fd, 1);
	if (!err) {
		err = info_parse(map, msg.info.size, &server, conns, nconns);
		munmap((void *)map, msg.info.size);
	}
	if (!err)
		sized_copy(user, user->size, &server, sizeof(server));
	return err == -EPROTO ? fail(err, "the server told nonsense") : err;
}
