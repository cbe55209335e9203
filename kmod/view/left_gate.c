// SPDX-License-Identifier: GPL-2.0-only
/*
 * A gate view has been left.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/nospec.h>

#include "left_impl.h"

/* Offsets of the gates' instructions: gate.S */
enum {
	CALL_ENABLE = GATE_CALL_LAND - 11,
	CALL_GO = GATE_CALL_LAND - 3,
	RET_ENABLE = GATE_RET_LAND - 11,
	RET_GO = GATE_RET_LAND - 3,
};

enum { NOWHERE = -1 };

/*
 * Which slot is enabled, if it is one? Before a gate's store that disables, it is
 * the one where the thread has come from: nobody is in a view that is not
 * enabled. After the one that enables, the one where it goes. If there are
 * several, somebody has not disabled his own.
 */
static int enabled(const struct view_thread *t, u64 home)
{
	int found = (u8)home == VIEW_ENABLE ? VIEW_SLOT_HOME : NOWHERE;

	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++) {
		if ((u8)t->list[i] != VIEW_ENABLE ||
		    (t->list[i] & ~0xffull) == VIEW_UNGRANTED)
			continue;
		if (found != NOWHERE)
			return -E2BIG;
		found = i;
	}
	return found;
}

static struct view_link *link_at(struct view_thread *t, u64 slot)
{
	if (slot < VIEW_SLOT_FIRST || slot >= t->top)
		return NULL;
	return t->links[array_index_nospec(slot, VIEW_SLOTS)];
}

/*
 * As if it had been interrupted there, in the view of @link, where nobody needs a
 * stack yet, or any more; of the client's, nothing is left.
 */
static u64 park_at(struct view_save *s, struct view_frame *f, u32 vector,
		   struct view_link *link, u64 offset)
{
	f->ip = VIEW_AT + offset;
	f->sp = 0;
	f->flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
	view_write_bases(0, 0);
	view_park(link, &s->regs, f, VIEW_BY_INTERRUPT);
	view_resumes(s, f, link);
	return view_handlers[vector];
}

/*
 * In the call gate, from a link's view: a handler that calls another server, or that
 * replies to one. @slot: which one is enabled
 */
static struct view_link *calls(struct view_thread *t, u64 at, int slot,
			       const struct view_regs *r)
{
	if (at >= GATE_CALL_AT && at < CALL_ENABLE)
		return link_at(t, slot);
	/* It was, until just now; where it goes is not granted. */
	if ((at == CALL_ENABLE || at == CALL_GO) && slot == NOWHERE)
		return link_at(t, r->dx);
	return NULL;
}

u64 view_left_gate(struct view_save *s, struct view_frame *f, u32 vector)
{
	struct view_thread *t = s->thread;
	const int slot = enabled(t, s->sets[view_set_of(vector)].home);
	const u64 at = f->ip - VIEW_AT;
	struct view_link *link = NULL;

	view_reset_list(t);
	if (slot == -E2BIG)
		goto wrong;
	if (at >= GATE_CALL_AT && at < CALL_ENABLE && slot == VIEW_SLOT_HOME)
		goto call_again;
	/*
	 * Nothing is enabled but what is in rdx: it was, until just now. And where the
	 * thread goes was not granted, if it has come to that.
	 */
	if ((at == CALL_ENABLE || at == CALL_GO) && slot == NOWHERE &&
	    !s->regs.dx)
		goto call_again;
	if (at == CALL_GO && slot == (u32)s->regs.cx)
		link = link_at(t, slot);
	if (link)
		return park_at(s, f, vector, link, GATE_CALL_LAND);
	link = calls(t, at, slot, &s->regs);
	if (link) {
		s->regs.cx = VIEW_SLOT_GATE;
		return park_at(s, f, vector, link, GATE_CALL_AT - 3);
	}
	if (at >= GATE_RET_AT && at < RET_ENABLE)
		link = link_at(t, slot);
	else if (at == RET_ENABLE && slot == NOWHERE)
		link = link_at(t, s->regs.r8);
	if (link) {
		s->regs.cx = VIEW_SLOT_GATE;
		/* The gate has had the client's bases there. */
		s->regs.si = 0;
		s->regs.dx = 0;
		return park_at(s, f, vector, link, GATE_RET_AT - 3);
	}
	if (at == RET_GO && slot == VIEW_SLOT_HOME) {
		f->ip = VIEW_AT + GATE_RET_LAND;
		return view_handlers[vector];
	}
wrong:
	view_refused(t);
	view_load_client(t);
	view_clear_vectors();
	view_goes_back(s, f, -EPROTO);
	return view_handlers[vector];
call_again:
	s->regs.cx = VIEW_SLOT_GATE;
	f->ip = VIEW_AT + GATE_CALL_AT - 3;
	f->sp = view_client_sp(t);
	view_load_client(t);
	return view_handlers[vector];
}

/* A handler's nested call that may not begin: it hears of that when it is resumed. */
static u64 nest_fails(struct view_save *s, struct view_frame *f, u32 vector,
		      struct view_link *link)
{
	const bool replies = view_link_replies(link, s->regs.r8);

	s->regs.cx = VIEW_SLOT_GATE;
	if (!replies)
		s->regs.r8 = (u64)-EAGAIN;
	park_at(s, f, vector, link,
		replies ? GATE_CALL_AT - 3 : VIEW_NEST_FAILED);
	return 0;
}

u64 view_gate_faults(struct view_save *s, struct view_frame *f, u32 vector)
{
	struct view_thread *t = s->thread;
	const int slot = enabled(t, s->sets[view_set_of(vector)].home);
	const u64 at = f->ip - VIEW_AT;
	const bool began = slot != VIEW_SLOT_HOME &&
			   (slot != NOWHERE || s->regs.dx || at != CALL_GO);
	struct view_link *link = NULL;

	view_refused(t);
	view_reset_list(t);
	if (at == CALL_GO && slot == NOWHERE)
		link = link_at(t, s->regs.dx);
	if (link)
		return nest_fails(s, f, vector, link);
	view_load_client(t);
	view_clear_vectors();
	return began ? view_goes_back(s, f, -EPROTO) : view_gives_back(s, f);
}
