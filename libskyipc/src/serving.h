/* SPDX-License-Identifier: MIT */
/*
 * serving.h - what the library knows about a call that its handler sees, and
 * what is done with it, however it has come
 *
 * On the thread that runs the handler.
 */
#ifndef SKY_SERVING_H
#define SKY_SERVING_H

#include <errno.h>

#include "flags.h"
#include "hist.h"
#include "point.h"
#include "server.h"

struct serving {
	struct skyipc_call call;
	struct schan *ch;
	uint64_t pos;
	/* from here on zeroed at the start */
	int *fds;	/* the request's, as received */
	int *reply_fds; /* given by skyipc_call_fds() */
	char *reply_half;
	char *request_half;
};

/*
 * Zero from @from up to @to, 16 bytes at a time. memset() of so much becomes a
 * "rep stos", which takes longer to start than these few stores.
 */
static inline __attribute__((always_inline)) void serving_zero(void *from,
							       void *to)
{
	typedef uint64_t pair
		__attribute__((vector_size(16), aligned(8), may_alias));
	pair *p = from;

#pragma GCC unroll 8
	while ((void *)p < to)
		*p++ = (pair){ 0, 0 };
}

/* What the handler is to see of a short request, but its words. */
static inline void serving_begin(struct serving *s, struct schan *ch,
				 uint32_t op, uint64_t pos)
{
	struct skyipc_call *c = &s->call;

	static_assert((offsetof(struct skyipc_call, peer) -
		       offsetof(struct skyipc_call, out)) %
				      16 ==
			      0,
		      "zeroed in pairs of words");
	c->op = op;
	c->nfds = 0;
	serving_zero(c->out, &c->peer);
	c->peer = &ch->conn->peer;
	s->ch = ch;
	s->pos = pos;
	serving_zero(&s->fds, s + 1);
}

static inline skyipc_handler serving_handler(const struct skyipc_server *server,
					     uint32_t op, void **arg)
{
	if (op < server->attr.nops && server->ops[op].fn) {
		*arg = server->ops[op].arg;
		return server->ops[op].fn;
	}
	*arg = server->attr.arg;
	return server->attr.handler;
}

/*
 * The long part and the descriptors of a request, as its flags and ext say;
 * they are the client's and not to be believed. 0; -errno to refuse with.
 */
int serving_take(struct serving *s, uint32_t flags, uint64_t ext);

/*
 * Run the handler, if more is to be done about it: one in so many is timed; and
 * where handlers run in views, too, who sits on a seat waits for a permit.
 */
int32_t serving_run_slow(struct serving *s, skyipc_handler handler, void *arg);

/* After the handler: is there more to do than to give the words? */
static inline int serving_has_extras(const struct serving *s)
{
	return ((uintptr_t)s->fds | (uintptr_t)s->reply_fds |
		s->call.reply_len | s->call.reply_nfds) != 0;
}

/* If there is: what the reply has besides them. 0; -errno to refuse with. */
int serving_finish(struct serving *s, uint32_t *flags, uint64_t *ext);

/* No handler has run: what came along is closed. */
void serving_refused(struct serving *s);

/*
 * From the words of a request, which @s has already, to what its handler has
 * said; @flags and @ext as for serving_take(), @ch is @s->ch, known without a
 * look there. 0; -errno to refuse with.
 */
static inline __attribute__((always_inline)) int
serving_run(struct serving *s, struct schan *ch, uint32_t flags, uint64_t ext,
	    int32_t *status)
{
	skyipc_handler handler;
	int err = 0;
	void *arg;

	if (unlikely(flags))
		err = serving_take(s, flags, ext);
	if (unlikely(err))
		goto refuse;
	point("server-request-taken");
	handler = serving_handler(ch->conn->server, s->call.op, &arg);
	if (unlikely(!handler)) {
		err = -ENOSYS;
		goto refuse;
	}
	point("server-handler");
	if (unlikely(!(s->pos & TIMED_MASK) || ch->conn->server->has_views))
		*status = serving_run_slow(s, handler, arg);
	else
		*status = handler(&s->call, arg);
	point("server-handled");
	stat_add(ch->stats.calls, 1);
	return 0;
refuse:
	serving_refused(s);
	return err;
}

#endif
