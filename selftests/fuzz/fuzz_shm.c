/* SPDX-License-Identifier: MIT */
/*
 * A channel's page is written by the fuzzer, and the server serves it. The
 * input is steps: a request in turn, or bytes anywhere in the memory.
 */
#include "server_side.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint8_t requests[] = {
	/* step, flags, op; 2: with a long part, 3: with descriptors */
	0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 2, 16, 0, 0, 2, 16, 1, 1, 3, 2, 4,
};
static const uint8_t scribble[] = {
	1, 8, 0, 2, 0xff, 0xff, 0, 0, 3, 1, 4, 0, 1, 4, 1, 5, 0, 0, 7,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	seed("requests", requests, sizeof(requests));
	seed("scribble", scribble, sizeof(scribble));
	seeds_end();
	server_up("fuzz-shm");
	return 0;
}

struct end {
	int sock, bell;
	char *mem;
	uint64_t pos;
};

static int ask(int sock, unsigned type)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, type);
	int fd;

	if (type == PROTO_HELLO) {
		msg.hello.depth = FUZZ_DEPTH;
		msg.hello.bufs = FUZZ_BUFS;
		msg.hello.buf_size = FUZZ_BUF_SIZE;
	}
	send_fds(sock, &msg, len, NULL, 0);
	server_goes_on();
	if (recv_fd(sock, &msg, &fd, 0) <= 0 || fd < 0)
		abort();
	return fd;
}

static void ring(struct end *e)
{
	struct shm_chan_head *head = (void *)e->mem;
	uint64_t one = 1;

	atomic_store(&head->server.park, SHM_AWAKE);
	if (write(e->bell, &one, sizeof(one)) < 0)
		abort();
	server_goes_on();
}

static void step(struct food *f, struct end *e)
{
	struct shm_slot *slot = (void *)(e->mem + shm_req_offset());
	uint8_t what = eat(f), flags, op;
	uint64_t w[SKYIPC_WORDS] = { 0 }, ext = 0, pos = e->pos;
	static const int fds[2];
	union proto_msg msg;
	size_t len, at;

	if (what & 1 && what != 3) { /* anything anywhere */
		at = (size_t)eat(f) << 4 | (eat(f) & 15);
		len = eat(f) % 64;
		at %= shm_chan_size(FUZZ_DEPTH) - 64;
		eat_bytes(f, e->mem + at, len);
		if (what & 4)
			ring(e);
		return;
	}
	flags = eat(f);
	op = eat(f);
	if (what & 4)
		eat_bytes(f, w, sizeof(w));
	if (what & 8)
		eat_bytes(f, &ext, sizeof(ext));
	else if (what == 2) {
		flags |= CALL_LONG;
		ext = (uint64_t)eat(f) << 4 | (uint64_t)(op & 1) << 32;
	}
	if (what == 3) {
		len = proto_init(&msg, PROTO_FDS);
		msg.fds.count = 2;
		msg.fds.pos = pos;
		send_fds(e->sock, &msg, len, fds, 2);
		flags |= CALL_FDS;
	}
	slot += pos % FUZZ_DEPTH;
	shm_put(slot, w, ext);
	atomic_store(&slot->head, shm_head(pos, flags, op));
	e->pos++;
	if (!(what & 16))
		ring(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct food f = { data, size };
	struct end e = { .pos = 0 };
	union proto_msg msg;
	int fd;

	e.sock = server_connect();
	e.bell = ask(e.sock, PROTO_HELLO);
	fd = ask(e.sock, PROTO_CHAN_OPEN);
	e.mem = mmap(NULL, shm_chan_size(FUZZ_DEPTH), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (e.mem == MAP_FAILED)
		abort();
	close(fd);
	close(ask(e.sock, PROTO_BUFS_OPEN));
	for (int i = 0; f.left && i < 200; i++) {
		step(&f, &e);
		while (recv_fd(e.sock, &msg, &fd, 0) > 0)
			if (fd >= 0)
				close(fd);
	}
	ring(&e);
	while (recv_fd(e.sock, &msg, &fd, 0) > 0)
		if (fd >= 0)
			close(fd);
	munmap(e.mem, shm_chan_size(FUZZ_DEPTH));
	close(e.bell);
	close(e.sock);
	server_is_idle();
	return 0;
}
