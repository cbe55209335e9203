/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint8_t eat(struct food *f)
{
	if (!f->left)
		return 0;
	f->left--;
	return *f->at++;
}

void eat_bytes(struct food *f, void *to, size_t n)
{
	size_t have = f->left < n ? f->left : n;

	memset(to, 0, n);
	memcpy(to, f->at, have);
	f->at += have;
	f->left -= have;
}

void seed(const char *name, const void *data, size_t size)
{
	const char *dir = getenv("FUZZ_SEEDS");
	char path[512];
	FILE *f;

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		abort();
}

void seeds_end(void)
{
	if (getenv("FUZZ_SEEDS"))
		exit(0);
}

void no_fd_left(void)
{
	static int first = -1;
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		abort();
	close(fd);
	if (first < 0)
		first = fd;
	if (fd != first) {
		char cmd[64];

		fprintf(stderr, "descriptors are left: %d, was %d\n", fd,
			first);
		snprintf(cmd, sizeof(cmd), "ls -l /proc/%d/fd >&2",
			 (int)getpid());
		if (system(cmd))
			fprintf(stderr, "(cannot list them)\n");
		abort();
	}
}

static char path[108];

static void remove_path(void)
{
	unlink(path);
}

const char *fuzz_path(const char *name)
{
	const char *dir = getenv("SKYIPC_DIR");

	snprintf(path, sizeof(path), "%s/%s-%d", dir ? dir : "/tmp", name,
		 (int)getpid());
	atexit(remove_path);
	return path;
}

union control {
	char buf[CMSG_SPACE(SKYIPC_MAX_FDS * sizeof(int))];
	struct cmsghdr align;
};

int send_fds(int sock, const void *msg, size_t len, const int *fds, unsigned n)
{
	struct iovec iov = { (void *)(uintptr_t)msg, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;

	if (n) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	return sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

ssize_t recv_fd(int sock, union proto_msg *msg, int *fd, int wait)
{
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *c;
	ssize_t n;

	mh.msg_control = &control;
	mh.msg_controllen = sizeof(control);
	*fd = -1;
	n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	if (n < 0)
		return -1;
	for (c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		int k = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		for (int i = 0; i < k; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + (size_t)i * sizeof(int),
			       sizeof(got));
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
	return n;
}
