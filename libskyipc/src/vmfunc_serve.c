/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_serve.c - a call by VMFUNC that is not the usual one, in the server
 *
 * Whatever this does that needs the kernel moves the call to its lender, where
 * it goes on; it does not notice.
 */
#ifdef __x86_64__
#include <errno.h>
#include <string.h>

#include "block.h"
#include "hist.h"
#include "kcall_dev.h"
#include "kcall_server.h"
#include "permit.h"
#include "point.h"
#include "view/layout.h"
#include "vmfunc_frame.h"
#include "vmfunc_lender.h"
#include "vmfunc_server.h"

static struct permits *permits_of(struct vmfunc_frame *f)
{
	return &f->lender->conn->server->permits;
}

static void count(struct vmfunc_frame *f)
{
	f->untold += vmfunc_count_end(&f->count, f->left);
}

/* The next ones like this one do not come here. */
static void arm(struct vmfunc_frame *f, struct schan *ch, uint32_t op)
{
	f->fn = serving_handler(ch->conn->server, op, &f->arg);
	if (!f->fn || atomic_load_explicit(&ch->conn->server->draining,
					   memory_order_relaxed)) {
		f->ext = f->nothing;
		return;
	}
	serving_begin(&f->serving, ch, op, 0);
	f->ext = f->key ? kcall_flags(0, ch->number) ^ f->key : f->nothing;
	f->op = op;
	vmfunc_count_set(&f->left, TIMED_MASK);
	vmfunc_count_begin(&f->count, TIMED_MASK);
}

/*
 * Its handler sleeps in a nested call: another one may run meanwhile, and this
 * one has no permit any more. Assembly gives back one for which others seem to
 * wait, so that it comes to give_back().
 */
static int let_others(void)
{
	struct vmfunc_frame *f = my_lender->frame;

	if (f->permits == &f->lender->no_permit)
		return 0;
	f->permits = &f->lender->no_permit;
	atomic_store_explicit(f->permits, INT32_MIN, memory_order_relaxed);
	pthread_mutex_lock(&my_server->lock);
	my_server->in_calls++;
	pthread_mutex_unlock(&my_server->lock);
	permit_put(permits_of(f));
	return 0;
}

static void go_on(void)
{
}

const struct block_hooks vmfunc_block_hooks = { let_others, go_on };

/* @waits: somebody does for what is there again already */
static void give_back(struct vmfunc_frame *f, int waits)
{
	if (f->permits != &f->lender->no_permit) {
		if (waits)
			permit_pass(permits_of(f));
		else
			permit_put(permits_of(f));
		return;
	}
	f->permits = &permits_of(f)->free;
	pthread_mutex_lock(&my_server->lock);
	my_server->in_calls--;
	pthread_cond_broadcast(&my_server->changed);
	pthread_mutex_unlock(&my_server->lock);
}

/*
 * Descriptors of a reply are known by the place of their call, which is not in
 * its message here: we choose it, one that no other call has, and tell it in
 * the reply.
 */
static void choose_place(struct vmfunc_frame *f)
{
	struct serving *s = &f->serving;

	s->pos = KCALL_POS_SERVERS | s->ch->places;
	s->ch->places += TIMED_MASK + 1;
	/* And by that, too, serving_run() knows which one is to be timed. */
	if (f->untold++ < TIMED_MASK)
		s->pos |= 1;
	else
		f->untold = 0;
}

static void answer(struct vmfunc_frame *f, int32_t status)
{
	struct serving *s = &f->serving;
	struct skyipc_dev_msg *m = &f->msg;
	uint32_t flags = 0;
	uint64_t ext = 0;
	int err = 0;

	if (serving_has_extras(s))
		err = serving_finish(s, &flags, &ext);
	if (err) {
		kcall_refuse(m, s->ch, err);
		return;
	}
	memcpy(m->words, s->call.out, sizeof(m->words));
	m->ext[KCALL_LONG] = ext;
	m->ext[KCALL_FLAGS] =
		kcall_flags(flags, flags & CALL_FDS ? (uint32_t)s->pos : 0);
	m->status = status;
}

/* With a permit */
static void serve_in_c(struct vmfunc_frame *f)
{
	struct skyipc_dev_msg *m = &f->msg;
	struct serving *s = &f->serving;
	const uint32_t op = m->op;
	int32_t status;
	struct schan *ch;
	int err;

	ch = sconn_chan(f->lender->conn, (uint32_t)m->ext[KCALL_FLAGS]);
	if (!ch) {
		give_back(f, 0);
		kcall_refuse(m, NULL, -EINVAL);
		return;
	}
	serving_begin(s, ch, op, 0);
	choose_place(f);
	stat_add(f->in_c, 1);
	memcpy(s->call.in, m->words, sizeof(s->call.in));
	err = serving_run(s, ch, (uint32_t)(m->ext[KCALL_FLAGS] >> 32),
			  m->ext[KCALL_LONG], &status);
	if (err)
		kcall_refuse(m, ch, err);
	else
		answer(f, status);
	give_back(f, 0);
	arm(f, ch, op);
}

/* It is as if it had not been made, and its registers go back as they came. */
static void refuse_busy(struct vmfunc_frame *f)
{
	f->msg.status = (int32_t)f->msg.op;
	f->msg.ext[KCALL_FLAGS] = kcall_flags(CALL_BUSY, 0);
}

void vmfunc_serve(struct vmfunc_frame *f)
{
	point("server-vmfunc");
	if (!permit_try(permits_of(f))) {
		refuse_busy(f);
		return;
	}
	vmfunc_due(f);
}

void vmfunc_nobody(struct vmfunc_frame *f)
{
	memset(&f->msg, 0, sizeof(f->msg));
	kcall_refuse(&f->msg, NULL, -EPROTO);
}

/*
 * What proves a reply, for vmfunc_call: it is in the link's view only. At home
 * that is still the last one, or another link has this lender, whose calls are
 * not usual.
 */
static void learn_key(struct vmfunc_frame *f)
{
	const uint64_t key =
		*(volatile uint64_t *)(VIEW_PAGE_AT + VIEW_PAGE_KEY);

	if (key)
		f->key = key;
}

void vmfunc_due(struct vmfunc_frame *f)
{
	learn_key(f);
	count(f);
	f->ext = f->nothing;
	serve_in_c(f);
}

void vmfunc_busy(struct vmfunc_frame *f)
{
	if (permit_cancel(permits_of(f)))
		refuse_busy(f);
	else /* It has been passed on to us meanwhile. */
		vmfunc_due(f);
}

void vmfunc_served(struct vmfunc_frame *f, int32_t status, int waits)
{
	struct serving *s = &f->serving;
	struct schan *ch = s->ch;

	count(f);
	choose_place(f);
	f->untold--; /* that was this one, counted already */
	answer(f, status);
	give_back(f, waits);
	arm(f, ch, f->op);
}
#endif
