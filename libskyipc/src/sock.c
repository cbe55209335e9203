/* SPDX-License-Identifier: MIT */
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

union control {
	char buf[CMSG_SPACE(sizeof(int) * SKYIPC_MAX_FDS)];
	struct cmsghdr align;
};

/* Wait for @events until @deadline: 0, -EAGAIN (deadline 0), -ETIMEDOUT. */
static int sock_wait(int sock, short events, uint64_t deadline)
{
	struct pollfd pfd = { .fd = sock, .events = events };
	int n;

	if (!deadline)
		return -EAGAIN;
	do {
		n = poll(&pfd, 1, deadline_ms(deadline));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

int sock_send(int sock, const void *msg, size_t len, const int *fds,
	      unsigned nfds, uint64_t deadline)
{
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	int err;

	if (nfds) {
		struct cmsghdr *c;

		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		memset(&control, 0, mh.msg_controllen);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	for (;;) {
		if (sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET || errno == ENOTCONN)
			return -EPIPE;
		if (errno != EAGAIN)
			return -errno;
		err = sock_wait(sock, POLLOUT, deadline);
		if (err)
			return err;
	}
}

/* Take the descriptors out of @mh; there may be several control messages. */
static void take_fds(struct msghdr *mh, int *fds, unsigned *nfds)
{
	struct cmsghdr *c;

	*nfds = 0;
	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		unsigned n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*nfds < SKYIPC_MAX_FDS)
				fds[(*nfds)++] = fd;
			else
				close(fd);
		}
	}
}

int sock_recv(int sock, union proto_msg *msg, int *fds, unsigned *nfds,
	      uint64_t deadline)
{
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	union control control;
	struct msghdr mh;
	int err, reset = 0, ended = 0;
	ssize_t len;

	*nfds = 0;
	for (;;) {
		memset(&mh, 0, sizeof(mh));
		mh.msg_iov = &iov;
		mh.msg_iovlen = 1;
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		memset(msg, 0, sizeof(*msg));
		len = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/*
		 * The end, perhaps: Linux looks for a message first and for the
		 * end afterwards, and tells the end of a peer that has sent
		 * and closed in between (unix_dgram_recvmsg()). What it had
		 * sent is there at a second look.
		 */
		if (!len && !mh.msg_controllen && !ended++)
			continue;
		if (len >= 0)
			break;
		if (errno == EINTR)
			continue;
		/*
		 * The peer closed with something of ours unread. The error is
		 * reported once, before what the peer had sent.
		 */
		if (errno == ECONNRESET && !reset++)
			continue;
		if (errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN)
			return -errno;
		if (ended) /* an empty packet, which is no message of ours */
			return 0;
		err = sock_wait(sock, POLLIN, deadline);
		if (err)
			return err;
	}
	take_fds(&mh, fds, nfds);
	/* An empty packet is no message of ours; do not take it for the end. */
	if (!len && *nfds)
		err = -EPROTO;
	else if (mh.msg_flags & MSG_TRUNC)
		err = -EPROTO;
	else if (mh.msg_flags & MSG_CTRUNC)
		err = -EMFILE;
	else
		return (int)len;
	close_fds(fds, *nfds);
	*nfds = 0;
	return err;
}

void close_fds(const int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int sock_peer(int sock, struct skyipc_peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;
	return 0;
}
