/* SPDX-License-Identifier: MIT */
/*
 * A real server hears messages made by the fuzzer. Each is: type, how it is
 * made, number of descriptors; then its fields.
 */
#include "server_side.h"

#include <string.h>
#include <unistd.h>

#define RAW 1u	    /* the head, too, comes from the input */
#define CUT 2u	    /* shorter or longer than it should be */
#define SENSIBLE 4u /* fields as an honest client has them */
#define HOLD 8u	    /* the server does not look yet */

static const uint8_t honest[] = {
	PROTO_HELLO,	 SENSIBLE, 0, PROTO_CHAN_OPEN, SENSIBLE, 0,
	PROTO_BUFS_OPEN, SENSIBLE, 0, PROTO_FDS,       SENSIBLE, 2,
};
static const uint8_t query[] = { PROTO_QUERY, SENSIBLE, 0 };
static const uint8_t flood[] = {
	PROTO_HELLO,
	SENSIBLE,
	0,
	PROTO_CHAN_OPEN,
	SENSIBLE | HOLD,
	0,
	PROTO_CHAN_OPEN,
	SENSIBLE | HOLD,
	0,
	PROTO_FDS,
	SENSIBLE | HOLD,
	9,
	PROTO_FDS,
	0,
	3,
	PROTO_QUERY,
	0,
	0,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	seed("honest", honest, sizeof(honest));
	seed("query", query, sizeof(query));
	seed("flood", flood, sizeof(flood));
	seeds_end();
	server_up("fuzz-proto");
	return 0;
}

static void sensible(union proto_msg *msg, unsigned nfds)
{
	switch (msg->head.type) {
	case PROTO_HELLO:
		msg->hello.depth = FUZZ_DEPTH;
		msg->hello.bufs = FUZZ_BUFS;
		msg->hello.buf_size = FUZZ_BUF_SIZE;
		break;
	case PROTO_FDS:
		msg->fds.count = nfds;
		break;
	}
}

static void one_message(struct food *f, int sock)
{
	static const int fds[SKYIPC_MAX_FDS];
	uint8_t type = eat(f), how = eat(f), nfds = eat(f);
	union proto_msg msg;
	uint8_t big[sizeof(msg) + 256] = { 0 };
	size_t len = proto_init(&msg, type);

	if (nfds > SKYIPC_MAX_FDS)
		nfds = SKYIPC_MAX_FDS;
	if (!len)
		len = sizeof(msg.head);
	if (how & SENSIBLE)
		sensible(&msg, nfds);
	else if (how & RAW)
		eat_bytes(f, &msg, len);
	else
		eat_bytes(f, (uint8_t *)&msg + sizeof(msg.head),
			  len - sizeof(msg.head));
	memcpy(big, &msg, sizeof(msg));
	if (how & CUT)
		len = (size_t)eat(f) * 2 % sizeof(big);
	send_fds(sock, big, len, fds, nfds);
	if (!(how & HOLD))
		server_goes_on();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct food f = { data, size };
	union proto_msg msg;
	int sock, fd;

	sock = server_connect();
	for (int i = 0; f.left && i < 64; i++)
		one_message(&f, sock);
	server_goes_on();
	while (recv_fd(sock, &msg, &fd, 0) > 0)
		if (fd >= 0)
			close(fd);
	close(sock);
	server_is_idle();
	return 0;
}
