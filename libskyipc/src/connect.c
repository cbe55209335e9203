/* SPDX-License-Identifier: MIT */
/* Rendezvous: from a name to a connection, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "chan.h"
#include "clock.h"
#include "connect.h"
#include "err.h"
#include "fork.h"
#include "name.h"
#include "flags.h"
#include "shm_layout.h"
#include "sock.h"
#include "trust.h"
#include "watch.h"
#include "point.h"

#define CONNECT_NS 5000000000u
#define SPIN_NS 50000u
#define DEPTH 64u
#define BUF_SIZE 65536u
#define BUFS 8u

/* A name that cannot be watched is looked for this often. */
#define LOOK_AGAIN_MS 20

static int try_connect(const char *path, uint64_t deadline,
		       struct fork_fd *sock_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timeval tv = { 0, 0 };
	uint64_t now = now_ns();
	int sock, err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	point("client-socket");
	sock = fork_fd_socket(sock_fd, AF_UNIX, SOCK_SEQPACKET);
	if (sock < 0)
		return sock;
	/* connect(2) waits while the listener's queue is full. */
	if (deadline != DEADLINE_NONE) {
		uint64_t left = deadline > now ? deadline - now : 1000;

		tv.tv_sec = (time_t)(left / 1000000000u);
		tv.tv_usec = (suseconds_t)(left % 1000000000u / 1000);
		if (!tv.tv_sec && !tv.tv_usec)
			tv.tv_usec = 1;
		setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	}
	do {
		err = connect(sock, (void *)&addr, sizeof(addr)) ? -errno : 0;
	} while (err == -EINTR);
	point("client-connected");
	if (!err)
		return 0;
	fork_fd_close(sock_fd);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

/* Sleep until the directory of @path changes, or a while, or @deadline. */
static void await_change(const char *path, uint64_t deadline)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct pollfd pfd = { .fd = -1, .events = POLLIN };
	int ms = deadline_ms(deadline);
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir)
		*slash = '\0';
	pfd.fd = inotify_init1(IN_CLOEXEC);
	if (pfd.fd >= 0)
		inotify_add_watch(pfd.fd, dir, IN_CREATE | IN_MOVED_TO);
	/* The name may have come before the watch: look again soon. */
	if (ms < 0 || ms > LOOK_AGAIN_MS)
		ms = LOOK_AGAIN_MS;
	poll(&pfd, pfd.fd >= 0, ms);
	if (pfd.fd >= 0)
		close(pfd.fd);
}

int rendezvous(const char *name, int wait, uint64_t deadline,
	       struct fork_fd *sock)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int ret;

	for (;;) {
		path[0] = '\0';
		ret = name_for_client(name, path, sizeof(path));
		if (!ret)
			ret = try_connect(path, deadline, sock);
		if (!ret)
			return ret;
		if (!wait || (ret != -ENOENT && ret != -ECONNREFUSED))
			break;
		if (now_ns() >= deadline) {
			ret = -ETIMEDOUT;
			break;
		}
		await_change(path, deadline);
	}
	switch (ret) {
	case -ECONNREFUSED:
		return fail(ret, "nobody serves %s (left by a killed server)",
			    path);
	case -EACCES:
		return fail(ret, "no permission to connect to %s", path);
	case -ENOENT:
	case -EINVAL:
	case -ENAMETOOLONG:
		if (!strchr(name, '/'))
			return ret; /* name_for_client() has said why */
				    /* fall through */
	default:
		return fail(ret, "cannot connect to %s: %s",
			    path[0] ? path : name, strerror(-ret));
	}
}

int rendezvous_ask(int sock, const union proto_msg *req, enum proto_type want,
		   union proto_msg *answer, int *fd, uint64_t deadline)
{
	int fds[SKYIPC_MAX_FDS], len, err;
	unsigned nfds;

	if (fd)
		*fd = -1;
	err = sock_send(sock, req, proto_size(req->head.type), NULL, 0,
			deadline);
	if (err && err != -EPIPE)
		return fail(err, "cannot talk to the server: %s",
			    strerror(-err));
	point("client-hello-sent");
	/* A server that refuses may have answered before it listened. */
	len = sock_recv(sock, answer, fds, &nfds, deadline);
	if (len == 0)
		return fail(-EPIPE, "the server hung up");
	if (len < 0)
		return fail(len, len == -ETIMEDOUT
					 ? "the server did not answer in time"
					 : "no valid answer from the server");
	err = proto_check(answer, (size_t)len);
	point("client-welcome-heard");
	if (err == (int)want && answer->answer.result == 0 && nfds <= !!fd) {
		if (nfds)
			*fd = fds[0];
		return 0;
	}
	close_fds(fds, nfds);
	if (err == -EPROTONOSUPPORT)
		return fail(err, "the server speaks another version");
	if (err != (int)want || answer->answer.result == 0)
		return fail(-EPROTO, "the peer is no server of this kind");
	return fail(answer->answer.result, "%s",
		    answer->answer.text[0] ? answer->answer.text
					   : strerror(-answer->answer.result));
}

static int check_transport(struct skyipc_connect_attr *attr)
{
	const char *env = secure_getenv("SKYIPC_TRANSPORT");
	const char *from = "";

	if (!attr->transport && env && *env) {
		attr->transport = env;
		from = " (SKYIPC_TRANSPORT)";
	}
	if (attr->transport && !transport_named(attr->transport))
		return fail(-EPROTONOSUPPORT, "no transport named %s%s",
			    attr->transport, from);
	return 0;
}

/* Fill in defaults and check; @attr is a private copy. */
static int check_attr(struct skyipc_connect_attr *attr)
{
	if (!attr->timeout_ns)
		attr->timeout_ns = CONNECT_NS;
	if (!attr->depth)
		attr->depth = DEPTH;
	if (!attr->buf_size)
		attr->buf_size = BUF_SIZE;
	if (!attr->spin_ns)
		attr->spin_ns = SPIN_NS;
	if (attr->depth > SHM_DEPTH_MAX)
		return fail(-EINVAL, "depth is at most %u", SHM_DEPTH_MAX);
	if (attr->buf_size > BUF_SIZE_MAX)
		return fail(-EINVAL, "buf_size is at most %llu",
			    (unsigned long long)BUF_SIZE_MAX);
	attr->depth = (uint32_t)max_u64(roundup_pow2(attr->depth), 2);
	attr->buf_size = align_up(attr->buf_size, 4096);
	if (!attr->bufs)
		attr->bufs = (uint32_t)min_u64(BUFS, attr->depth);
	if (attr->bufs > attr->depth)
		return fail(-EINVAL, "bufs is at most depth");
	return check_transport(attr);
}

/*
 * Ringing writes to what the server has sent: a pipe could kill us with
 * SIGPIPE, anything that blocks could keep us. Of the descriptors without a
 * file type only eventfds can be written to.
 */
static int is_bell(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !(st.st_mode & S_IFMT) &&
	       fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* With the doorbell, or without if it could be used against us: see proto.h. */
static int hello(struct skyipc_conn *conn,
		 const struct skyipc_connect_attr *attr, uint64_t deadline)
{
	int trusted, err;
	union proto_msg msg;

	err = sock_peer(conn->sock, &conn->peer);
	if (err)
		return err;
	trusted = peer_trusted(&conn->peer);
	proto_init(&msg, PROTO_HELLO);
	if (attr->transport)
		snprintf(msg.hello.transport, sizeof(msg.hello.transport), "%s",
			 attr->transport);
	msg.hello.depth = attr->depth;
	msg.hello.bufs = attr->bufs;
	msg.hello.buf_size = attr->buf_size;
	msg.hello.flags = trusted ? 0 : PROTO_HELLO_RING;
	err = rendezvous_ask(conn->sock, &msg, PROTO_WELCOME, &msg,
			     trusted ? &conn->bell : NULL, deadline);
	if (err)
		return err;
	conn->ops = transport_named(msg.welcome.transport);
	if (conn->bell >= 0 ? !is_bell(conn->bell)
			    : trusted && conn->ops && conn->ops->rings)
		return fail(-EPROTO, "the server's doorbell is none");
	if (!conn->ops ||
	    (attr->transport && strcmp(attr->transport, conn->ops->name)) ||
	    msg.welcome.depth != attr->depth ||
	    msg.welcome.bufs != attr->bufs ||
	    msg.welcome.buf_size != attr->buf_size)
		return fail(-EPROTO, "the server offers what was not asked");
	conn->depth = attr->depth;
	conn->bufs = attr->bufs;
	conn->buf_size = attr->buf_size;
	return 0;
}

/* Find a server and shake hands. */
static int meet(struct skyipc_conn *conn, const char *name,
		const struct skyipc_connect_attr *attr, uint64_t deadline)
{
	int err;

	do {
		err = rendezvous(name, attr->wait, deadline, &conn->sock_fd);
		conn->sock = conn->sock_fd.fd;
		if (!err)
			err = hello(conn, attr, deadline);
		if (err)
			fork_fd_close(&conn->sock_fd);
		/* It stopped between accepting us and hearing us. The next one
		 * may be waited for. */
	} while (err == -EPIPE && attr->wait && now_ns() < deadline);
	return err == -EPIPE ? fail(-ECONNREFUSED, "the server hung up") : err;
}

static void conn_free(struct skyipc_conn *conn)
{
	while (conn->chans) {
		struct chan *c = conn->chans;

		conn->chans = c->next;
		conn->ops->close(c);
	}
	if (conn->ops)
		conn->ops->conn_close(conn);
	conn_forget_questions(conn);
	fdq_clear(&conn->fdq);
	if (conn->bell >= 0)
		close(conn->bell);
	fork_fd_close(&conn->sock_fd);
	/* The parent's threads, which may wait on it, are not here to leave it:
	 * destroying a child's copy could wait for them for ever. */
	if (conn_state(conn) != CONN_FORKED)
		pthread_cond_destroy(&conn->sock_free);
	pthread_mutex_destroy(&conn->lock);
	free(conn);
}

SKY_PUBLIC int skyipc_connect(const char *name,
			      const struct skyipc_connect_attr *user,
			      struct skyipc_conn **out)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	pthread_condattr_t monotonic;
	struct skyipc_conn *conn;
	uint64_t deadline;
	int err;

	fail_clear();
	if (user) {
		if (user->size < sizeof(attr.size) || user->size > 4096)
			return fail(-EINVAL, "attr->size is not set");
		memcpy(&attr, user, min_u64(user->size, sizeof(attr)));
		attr.size = sizeof(attr);
	}
	err = check_attr(&attr);
	if (err)
		return err;
	deadline = deadline_of(SKYIPC_NS(attr.timeout_ns), 0);

	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return -ENOMEM;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&conn->sock_free, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&conn->lock, NULL);
	conn->sock = conn->sock_fd.fd = conn->bell = conn->kcall = -1;
	conn->call_ns = attr.call_ns;
	conn->spin_ns = attr.spin_ns;

	err = meet(conn, name, &attr, deadline);
	if (err)
		goto fail;
	conn->to_self = conn->peer.pid == getpid();
	err = chan_conn_add(conn);
	if (err)
		goto fail;
	point("client-registered");
	err = watch_add(conn);
	point("client-watched");
	if (err) {
		chan_conn_del(conn);
		goto fail;
	}
	*out = conn;
	return 0;
fail:
	conn_free(conn);
	return err;
}

SKY_PUBLIC void skyipc_close(struct skyipc_conn *conn)
{
	if (!conn)
		return;
	point("client-close");
	watch_del(conn);
	chan_conn_del(conn);
	point("client-unregistered");
	conn_free(conn);
}

SKY_PUBLIC const char *skyipc_conn_transport(const struct skyipc_conn *conn)
{
	return conn->ops->name;
}

SKY_PUBLIC int skyipc_conn_peer(const struct skyipc_conn *conn,
				struct skyipc_peer *peer)
{
	*peer = conn->peer;
	return 0;
}
