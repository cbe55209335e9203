/* SPDX-License-Identifier: MIT */
/*
 * A real client, and a server whose answers are made by the fuzzer. The server
 * is a thread: for each message it hears, and in between, it takes a step of
 * the input.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LIE 1u	    /* fields come from the input */
#define CUT 2u	    /* another length */
#define FDS 4u	    /* another number of descriptors */
#define UNSEALED 8u /* or of another size */
#define AGAIN 16u   /* and one more of a type from the input */
#define MUTE 32u

static int listener;
static const char *path;

struct side {
	struct food food;
	int sock;
	char *mem;
	int quit;
};

static const uint8_t honest[64]; /* no lie at all, and every reply is 0 */
static const uint8_t replies[] = {
	0, 0, 0, 1, 1, 0, 4, 0, 0, 0, 0, 0, 1, 2, 16, 0, 0, 255, 0, 1, 3, 8,
};
static const uint8_t answers[] = {
	AGAIN, PROTO_CHAN, FDS, 2, UNSEALED, 1, AGAIN, PROTO_FDS, 0, 9, 9,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	(void)argc;
	(void)argv;
	seed("honest", honest, sizeof(honest));
	seed("replies", replies, sizeof(replies));
	seed("answers", answers, sizeof(answers));
	seeds_end();
	path = fuzz_path("fuzz-client");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (bind(listener, (void *)&addr, sizeof(addr)) || listen(listener, 5))
		abort();
	return 0;
}

static int memory(size_t size, int sealed)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	if (sealed)
		fcntl(fd, F_ADD_SEALS,
		      F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return fd;
}

/* The descriptor that belongs to an answer of @type. */
static int thing(struct side *s, unsigned type, uint8_t how)
{
	size_t size = shm_chan_size(FUZZ_DEPTH);
	int fd;

	switch (type) {
	case PROTO_WELCOME:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case PROTO_BUFS:
		size = bufs_bytes(FUZZ_BUFS, FUZZ_BUF_SIZE);
		break;
	}
	if (how & UNSEALED && eat(&s->food) & 1)
		return memory(size + 4096, 1);
	fd = memory(size, !(how & UNSEALED));
	if (type == PROTO_CHAN && !s->mem) {
		s->mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
		if (s->mem == MAP_FAILED)
			abort();
	}
	return fd;
}

static void answer(struct side *s, unsigned type, uint8_t how)
{
	int fds[SKYIPC_MAX_FDS], fd = thing(s, type, how);
	union proto_msg msg;
	size_t len = proto_init(&msg, type);
	unsigned n = 1;

	for (unsigned i = 0; i < SKYIPC_MAX_FDS; i++)
		fds[i] = fd;
	if (type == PROTO_WELCOME) {
		strcpy(msg.welcome.transport, "shm");
		msg.welcome.depth = FUZZ_DEPTH;
		msg.welcome.bufs = FUZZ_BUFS;
		msg.welcome.buf_size = FUZZ_BUF_SIZE;
	}
	if (how & LIE)
		eat_bytes(&s->food, (char *)&msg + sizeof(msg.head),
			  len ? len - sizeof(msg.head) : 0);
	if (how & CUT)
		len = eat(&s->food) % sizeof(msg);
	if (how & FDS)
		n = eat(&s->food) % (SKYIPC_MAX_FDS + 1);
	send_fds(s->sock, &msg, len, fds, n);
	close(fd);
}

/* Something is written to the memory. */
static void scribble(struct side *s)
{
	size_t size = shm_chan_size(FUZZ_DEPTH), at;
	struct shm_slot *slot;
	uint8_t what, flags;
	uint64_t pos, ext;
	static const int fds[2];
	static const uint64_t w[SKYIPC_WORDS];
	union proto_msg msg;

	if (!s->mem)
		return;
	what = eat(&s->food);
	if (what & 1) {
		at = (size_t)eat(&s->food) << 4 | (eat(&s->food) & 15);
		eat_bytes(&s->food, s->mem + at % (size - 64),
			  eat(&s->food) % 64);
		return;
	}
	flags = eat(&s->food);
	pos = eat(&s->food) % 8;
	eat_bytes(&s->food, &ext, sizeof(ext));
	if (what & 2) {
		size_t len = proto_init(&msg, PROTO_FDS);

		msg.fds.pos = pos;
		msg.fds.count = 2;
		send_fds(s->sock, &msg, len, fds, 2);
	}
	slot = (struct shm_slot *)(s->mem + shm_rep_offset(FUZZ_DEPTH)) +
	       pos % FUZZ_DEPTH;
	shm_put(slot, w, ext);
	atomic_store(&slot->head,
		     shm_head(pos, flags, what & 4 ? (uint32_t)-5 : 0));
}

static void hear(struct side *s)
{
	union proto_msg msg;
	uint8_t how;
	int fd;

	if (recv_fd(s->sock, &msg, &fd, 1) <= 0) {
		s->quit = 1;
		return;
	}
	if (fd >= 0)
		close(fd);
	how = eat(&s->food);
	if (how & MUTE)
		return;
	switch (msg.head.type) {
	case PROTO_HELLO:
		answer(s, PROTO_WELCOME, how);
		break;
	case PROTO_CHAN_OPEN:
		answer(s, PROTO_CHAN, how);
		break;
	case PROTO_BUFS_OPEN:
		answer(s, PROTO_BUFS, how);
		break;
	}
	if (how & AGAIN)
		answer(s, eat(&s->food) % (PROTO_FDS + 2), eat(&s->food));
}

static void *serve(void *arg)
{
	struct side *s = arg;

	s->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (s->sock >= 0 && !s->quit) {
		struct pollfd pfd = { s->sock, POLLIN, 0 };

		if (poll(&pfd, 1, s->food.left ? 0 : -1) > 0)
			hear(s);
		else
			scribble(s);
		if (!s->mem && s->food.left && !pfd.revents)
			poll(&pfd, 1, -1);
	}
	close(s->sock);
	if (s->mem)
		munmap(s->mem, shm_chan_size(FUZZ_DEPTH));
	return NULL;
}

#define SOON SKYIPC_US(300)

static void client(void)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_msg req = { .op = 1 }, rep, msgs[3];
	int fds[4], room[3][4], n;
	struct skyipc_conn *conn;

	attr.timeout_ns = 10 * SOON;
	attr.call_ns = SOON;
	attr.depth = FUZZ_DEPTH;
	attr.bufs = FUZZ_BUFS;
	attr.buf_size = FUZZ_BUF_SIZE;
	attr.spin_ns = 20000;
	if (skyipc_connect(path, &attr, &conn))
		return;
	memset(&rep, 0, sizeof(rep));
	memset(msgs, 0, sizeof(msgs));
	rep.fds = fds;
	rep.nfds = 4;
	if (!skyipc_call_msg(conn, &req, &rep, SOON)) {
		/* The whole reply can be read. */
		for (size_t i = 0; i < rep.len; i++)
			(void)((volatile uint8_t *)rep.data)[i];
		for (uint32_t i = 0; i < rep.nfds; i++)
			close(fds[i]);
	} else if (rep.nfds > 4) {
		abort();
	}
	skyipc_call(conn, 1, NULL, NULL, NULL, SOON);
	for (unsigned i = 0; i < 3; i++) {
		msgs[i].fds = room[i];
		msgs[i].nfds = 4;
		req.flags = i & 1;
		skyipc_submit(conn, &req);
	}
	n = skyipc_wait(conn, msgs, 3, 3, SOON);
	for (int i = 0; i < n; i++)
		for (uint32_t k = 0; k < msgs[i].nfds; k++)
			close(room[i][k]);
	skyipc_call(conn, 2, NULL, NULL, NULL, SOON);
	skyipc_close(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct side s = { .food = { data, size }, .sock = -1 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve, &s))
		abort();
	client();
	pthread_join(thread, NULL);
	no_fd_left();
	return 0;
}
