// SPDX-License-Identifier: GPL-2.0-only
/*
 * A view has been left. We are at home, with IRQs off, on the stack in the save
 * page; GS is the program's, so nothing of Linux works: no per-CPU variables, no
 * tracing, no faults.
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/stddef.h>
#include <asm/msr.h>
#include <asm/page.h>
#include <asm/fpu/types.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/trapnr.h>
#include <asm/tsc.h>

#include "kcall/park.h"
#include "left_impl.h"

#define IS_SAVE(field, at) static_assert(offsetof(struct view_save, field) == (at))

IS_SAVE(self, VIEW_SAVE_SELF);
IS_SAVE(listp, VIEW_SAVE_LISTP);
IS_SAVE(sets, VIEW_SAVE_SETS);
IS_SAVE(regs, VIEW_SAVE_REGS);
IS_SAVE(frame, VIEW_SAVE_FRAME);
static_assert(sizeof_field(struct view_save, sets[0]) == VIEW_SAVE_SET);
/* view_left() and what it calls have the rest of the page as their stack. */
static_assert(sizeof(struct view_save) < 1024);

u64 view_handlers[256], view_entries[2];
u64 view_park_features, view_all_features;
u32 view_tsc_mult;

const struct view_initial view_initial_state = {
	.fx.mxcsr = MXCSR_DEFAULT,
};

static u64 rdfsbase_here(void)
{
	u64 base;

	asm volatile("rdfsbase %0" : "=r" (base));
	return base;
}

static u64 rdgsbase_here(void)
{
	u64 base;

	asm volatile("rdgsbase %0" : "=r" (base));
	return base;
}

static u64 cr3_here(void)
{
	u64 cr3;

	asm volatile("mov %%cr3, %0" : "=r" (cr3));
	return cr3 & GENMASK_ULL(51, 12);
}

static bool has_error_code(u32 vector)
{
	const u32 vectors = BIT(X86_TRAP_DF) | BIT(X86_TRAP_TS) |
		BIT(X86_TRAP_NP) | BIT(X86_TRAP_SS) | BIT(X86_TRAP_GP) |
		BIT(X86_TRAP_PF) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_CP) |
		BIT(29) /* VC */ | BIT(30) /* SX */;

	return vector < 32 && vectors & BIT(vector);
}

static enum view_cause cause_of(u32 vector)
{
	if (view_is_interrupt(vector))
		return VIEW_BY_INTERRUPT;
	if (vector >= 256 || vector == 0x80)
		return VIEW_BY_SYSCALL;
	return vector == X86_TRAP_PF ? VIEW_BY_FAULT : VIEW_BY_EXCEPTION;
}

/* ---- where the thread goes on ------------------------------------------------ */

static void clear_regs(struct view_regs *r)
{
	*r = (struct view_regs){};
}

static void at_home(struct view_frame *f, struct view_thread *t, u64 offset)
{
	f->ip = VIEW_AT + offset;
	f->cs = __USER_CS;
	f->ss = __USER_DS;
	f->sp = view_client_sp(t);
	f->flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
}

u64 view_gives_back(struct view_save *s, struct view_frame *f)
{
	s->regs.ax = (u64)-EAGAIN;
	/* The key proves a reply (layout.h): this is none. */
	s->regs.r11 = 0;
	at_home(f, s->thread, VIEW_BACK);
	return 0;
}

u64 view_goes_back(struct view_save *s, struct view_frame *f, int error)
{
	clear_regs(&s->regs);
	s->regs.ax = (u64)(s64)error;
	at_home(f, s->thread, VIEW_BACK);
	return 0;
}

void view_reset_list(struct view_thread *t)
{
	u64 *list = t->list;

	WRITE_ONCE(list[VIEW_SLOT_HOME], (list[VIEW_SLOT_HOME] & ~0xffull) |
					 VIEW_ENABLE);
	WRITE_ONCE(list[VIEW_SLOT_GATE], t->gate_entry | VIEW_ENABLE);
	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++)
		WRITE_ONCE(list[i], list[i] & ~0xffull);
}

static void ungrant(struct view_thread *t, struct view_link *link)
{
	WRITE_ONCE(t->list[link->slot], VIEW_UNGRANTED);
}

/* ---- in a link's view -------------------------------------------------------- */

/*
 * Who is resumed for a moment only, and again, has been parked all the while: since
 * then it has to have run as long as it has not.
 */
static void count_since(struct view_link *link)
{
	const u64 now = rdtsc();

	if (link->resumed_at <= link->parked_at ||
	    now - link->resumed_at >= link->resumed_at - link->parked_at)
		link->since = now;
	link->parked_at = now;
}

/* A program that never ends is interrupted at the next tick. */
static void count_time(struct view_link *link)
{
	u64 *at = link->thread->page + VIEW_THREAD_TIMEOUT;
	const u64 ns = READ_ONCE(*at);

	/* It has been counted since an earlier interrupt. */
	if (!ns)
		return;
	WRITE_ONCE(*at, 0);
	view_link_top(link)->expires = ns >> VIEW_TIMEOUT_BITS ? U64_MAX :
		rdtsc() + mul_u64_u32_shr(ns, view_tsc_mult, VIEW_TSC_SHIFT);
}

/*
 * Nobody calls those whose handlers wait for it. One that is not FREE has no handler
 * here: then its client has gone round it, and none of them waits.
 */
static bool nest_parents(struct view_link *link)
{
	struct view_link *const first = READ_ONCE(link->parent);
	struct view_link *p, *wrong;

	for (p = first; p; p = READ_ONCE(p->parent)) {
		ungrant(p->thread, p);
		/* Pairs with who resumes what is parked, or hands it over. */
		if (cmpxchg(&p->state, VIEW_FREE, VIEW_NESTED) != VIEW_FREE)
			break;
	}
	wrong = p;
	for (p = first; wrong && p != wrong; p = READ_ONCE(p->parent))
		cmpxchg(&p->state, VIEW_NESTED, VIEW_FREE);
	return first && !wrong;
}

void view_parks(struct view_link *link, enum view_cause cause)
{
	ungrant(link->thread, link);
	link->nests = nest_parents(link);
	count_since(link);
	count_time(link);
	link->thread->parked = true;
	link->thread->untold = true;
	link->cause = cause;
	link->parked_ip = link->park->ip;
	/* Pairs with who resumes it, hands it over, or ends it. */
	smp_store_release(&link->state, VIEW_PARKED);
}

void view_park(struct view_link *link, const struct view_regs *r,
	       const struct view_frame *f, enum view_cause cause)
{
	struct sky_park *p = link->park;

	static_assert(sizeof(*r) == offsetof(struct sky_park, ip));
	*(struct view_regs *)p = *r;
	p->ip = f->ip;
	p->flags = f->flags;
	p->sp = f->sp;
	p->fs_base = rdfsbase_here();
	p->gs_base = rdgsbase_here();
	p->pkru = sky_read_pkru();
	view_park_vectors(p);
	view_clear_vectors();
	view_load_client(link->thread);
	link->sp = view_client_sp(link->thread);
	link->pkru = view_client_pkru(link->thread);
	WRITE_ONCE(link->counts.parked[cause], link->counts.parked[cause] + 1);
	view_parks(link, cause);
}

/* Which call it goes on with then is in rdi, and signals leave that alone. */
void view_resumes(struct view_save *s, struct view_frame *f,
		  const struct view_link *link)
{
	clear_regs(&s->regs);
	s->regs.di = link->slot;
	at_home(f, s->thread, VIEW_RESUME);
}

/* So that the worker executes it once more */
static void before_it(struct view_save *s, struct view_frame *f, u32 vector)
{
	switch (vector) {
	case VIEW_VECTOR_SYSCALL:
		f->ip = s->regs.cx - 2;
		f->flags = s->regs.r11;
		break;
	case VIEW_VECTOR_SYSENTER:
		/* Nobody knows where it was; no program of 64 bits does that. */
		f->ip = 0;
		f->sp = 0;
		f->flags = X86_EFLAGS_IF | X86_EFLAGS_FIXED;
		break;
	case 0x80:
		f->ip -= 2;
		break;
	case X86_TRAP_BP:
		f->ip -= 1;
		break;
	}
}

/* Of a server that is called from its view; such replies may differ in a bit. */
static bool is_childs_key(const struct view_link *parent, u64 key)
{
	const struct view_thread *t = parent->thread;

	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++) {
		const struct view_link *link = READ_ONCE(t->links[i]);

		if (link && link->parent == parent &&
		    (view_link_key(link) ^ key) <= 1)
			return true;
	}
	return false;
}

/*
 * In ENTRY, without a key: it is neither the client itself who comes, nor a server
 * whom this one has called. No handler has begun, so there is nothing to park. Or
 * one comes back from a nested call that nobody has made.
 */
static bool is_stranger(const struct view_link *link, const struct view_regs *r,
			const struct view_frame *f, u32 vector)
{
	const u64 at = f->ip - VIEW_AT;

	if (at >= VIEW_NEST_BACK && at < VIEW_NEST_END)
		return vector == X86_TRAP_UD;
	return at >= VIEW_ENTRY && at < VIEW_RETURN &&
	       r->r11 != view_link_key(link) &&
	       (vector == X86_TRAP_UD || !is_childs_key(link, r->r11));
}

static u64 left_link(struct view_save *s, struct view_frame *f, u32 vector)
{
	struct view_link *link = s->link;

	if (!view_is_interrupt(vector) && is_stranger(link, &s->regs, f, vector)) {
		view_clear_vectors();
		view_load_client(s->thread);
		view_refused(s->thread);
		return view_goes_back(s, f, -EPROTO);
	}
	before_it(s, f, vector);
	view_park(link, &s->regs, f, cause_of(vector));
	if (!view_is_interrupt(vector))
		return view_goes_back(s, f, -EINPROGRESS);
	view_resumes(s, f, link);
	return view_handlers[vector];
}

/* ---- all of them --------------------------------------------------------------- */

u64 view_left(struct view_save *s, void *pushed, u32 vector, void **stack)
{
	struct view_frame *f = pushed + (has_error_code(vector) ? 8 : 0);
	const unsigned int set = view_set_of(vector);

	*stack = pushed;
	s->regs.ax = s->sets[set].ax;
	s->regs.cx = s->sets[set].cx;
	s->regs.dx = s->sets[set].dx;
	if (vector < 256 && !(f->cs & 3)) {
		u64 to = view_roll_forward(s, f, vector);

		if (!to)
			*stack = f;
		return to;
	}
	/*
	 * Another address space, after exec: then this was no view of anything, but
	 * the program's own memory.
	 */
	if (cr3_here() != s->thread->pgd) {
		view_reset_list(s->thread);
		if (vector < 256)
			return view_handlers[vector];
		*stack = f;
		return view_goes_back(s, f, -EPROTO);
	}
	if (s->link) {
		u64 to = left_link(s, f, vector);

		view_reset_list(s->thread);
		if (!to)
			*stack = f;
		return to;
	}
	if (view_is_interrupt(vector))
		return view_left_gate(s, f, vector);
	*stack = f;
	return view_gate_faults(s, f, vector);
}
