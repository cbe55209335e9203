/* SPDX-License-Identifier: MIT */
/*
 * message.h - what a client does with a message, whatever carries it
 *
 * Under the channel's busy mark.
 */
#ifndef SKY_MESSAGE_H
#define SKY_MESSAGE_H

#include "bufs.h"
#include "flags.h"

/* What goes along with its words */
struct outgoing {
	uint32_t flags;
	uint32_t buf; /* NO_BUF: none */
	uint64_t ext;
};

/*
 * Everything up to the publication of @req as call @pos of its channel: the
 * long part is in a buffer, descriptors are sent. @want: attach a buffer even
 * if it has none, for the reply.
 */
int message_prepare(struct bufs *b, const struct skyipc_msg *req, int want,
		    uint64_t pos, uint64_t deadline, struct outgoing *out);

/* A reply as it has come: nothing of it is believed */
struct incoming {
	uint32_t flags;
	uint32_t code;
	uint64_t ext;
	uint64_t pos; /* of its call */
	uint32_t buf; /* which that had */
};

/*
 * @rep, whose words, op and tag are filled in, from @in. Return: 0, or why the
 * call has no reply.
 */
int message_collect(struct bufs *b, const struct incoming *in,
		    struct skyipc_msg *rep);

/* A call for which there will be no reply any more */
void message_lost(struct chan *chan, struct skyipc_msg *rep);

/* The descriptors of the reply at @pos, which nobody will ask for */
void message_drop_fds(struct bufs *b, uint64_t pos);

/* A reply with CALL_ERROR: the server's library speaks, not the handler. */
int message_error(struct chan *chan, uint32_t code);

/* The server sent @what: the connection cannot be trusted any more. -EPROTO. */
int message_broken(struct chan *chan, const char *what);

/* The owner is in a call already: -EBUSY. */
int message_busy(void);

/* The handler said @status, and nobody wants to hear it: -EREMOTEIO. */
int message_status_lost(uint32_t status);

#endif
