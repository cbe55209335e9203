/* SPDX-License-Identifier: MIT */
/*
 * proto.h - what goes over the rendezvous socket
 *
 * A SOCK_SEQPACKET socket carries connection set-up, requests for channels and
 * buffers, and file descriptors that belong to a call; never the calls
 * themselves. Every message is one of the structures below, whole. Both sides
 * are on one machine: native byte order, fixed-size fields, no padding.
 *
 * Everything that is received is hostile until proto_check() has said that it
 * is a known type of the right size with its strings terminated; values are
 * checked where they are used.
 */
#ifndef SKY_PROTO_H
#define SKY_PROTO_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_MAGIC 0x31796b73u /* "sky1" */
#define PROTO_VERSION 1u

enum proto_type {
	/* client to server */
	PROTO_HELLO = 1, /* connect */
	PROTO_QUERY,	 /* tell about yourself */
	PROTO_CHAN_OPEN, /* a channel, please */
	PROTO_BUFS_OPEN, /* buffers for a channel, please */
	PROTO_RING,	 /* look at my channels; if HELLO has asked for it */
	/* server to client */
	PROTO_WELCOME, /* answers HELLO; with the doorbell, an eventfd, or none
			*/
	PROTO_INFO,    /* answers QUERY; with a memory object */
	PROTO_CHAN,    /* answers CHAN_OPEN; with a memory object */
	PROTO_BUFS,    /* answers BUFS_OPEN; with a memory object */
	/* both ways */
	PROTO_FDS, /* descriptors that belong to a call */
};

struct proto_head {
	uint32_t magic;
	uint16_t type;
	uint16_t version;
};

/*
 * The client will ring with PROTO_RING, and WELCOME comes without the eventfd.
 * Whoever shares an eventfd can clear its O_NONBLOCK and fill it: a write would
 * sleep then, deadline or not. So a client takes it only from a server that
 * could stop it anyway: see peer_trusted().
 */
#define PROTO_HELLO_RING 0x1u

struct proto_hello {
	struct proto_head head;
	char transport[16]; /* "": any */
	uint32_t depth;
	uint32_t bufs;
	uint64_t buf_size;
	uint32_t flags; /* PROTO_HELLO_... */
	uint32_t reserved;
};

struct proto_query {
	struct proto_head head;
};

struct proto_chan_open {
	struct proto_head head;
};

struct proto_ring {
	struct proto_head head;
};

struct proto_bufs_open {
	struct proto_head head;
	uint32_t chan;
	uint32_t reserved;
};

/* All answers start like this; @text says why @result is negative. */
struct proto_answer {
	struct proto_head head;
	int32_t result;
	uint32_t chan; /* CHAN, BUFS: channel's number */
	char text[160];
};

struct proto_welcome {
	struct proto_answer answer;
	char transport[16];
	uint32_t depth;
	uint32_t bufs;
	uint64_t buf_size;
};

struct proto_info {
	struct proto_answer answer;
	uint64_t size;
};

struct proto_fds {
	struct proto_head head;
	uint32_t chan;
	uint32_t count;
	uint64_t pos; /* the call's position in the channel's ring */
};

union proto_msg {
	struct proto_head head;
	struct proto_hello hello;
	struct proto_query query;
	struct proto_chan_open chan_open;
	struct proto_bufs_open bufs_open;
	struct proto_ring ring;
	struct proto_answer answer;
	struct proto_welcome welcome;
	struct proto_info info;
	struct proto_fds fds;
};

static_assert(sizeof(struct proto_head) == 8, "no padding");
static_assert(sizeof(struct proto_hello) == 48, "no padding");
static_assert(sizeof(struct proto_answer) == 176, "no padding");
static_assert(sizeof(struct proto_welcome) == 208, "no padding");
static_assert(sizeof(struct proto_fds) == 24, "no padding");

/* Size of a message of @type; 0 if there is no such type. */
size_t proto_size(unsigned type);

/* Zero @msg and write the head of a @type; returns its size. */
size_t proto_init(union proto_msg *msg, enum proto_type type);

/*
 * Is @msg, of which @len bytes were received, a message of this version?
 * Terminates its strings. Return: its type; -EPROTO; -EPROTONOSUPPORT: another
 * version.
 */
int proto_check(union proto_msg *msg, size_t len);

#endif
