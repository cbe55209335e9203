/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of view_left() share: left.c, left_gate.c, left_roll.c. Nothing of
 * Linux works here (left.c), so what is small is inline, and no more than it needs.
 */
#ifndef SKYIPC_VIEW_LEFT_IMPL_H
#define SKYIPC_VIEW_LEFT_IMPL_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <asm/page.h>
#include <asm/fpu/types.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "kcall/park.h"
#include "kcall/pkru.h"
#include "left.h"
#include "save.h"
#include "thread.h"
#include "vlink.h"

/* As XRSTOR wants it: nothing is in use. */
struct view_initial {
	struct fxregs_state fx;
	u64 header[8];
} __aligned(64);

extern const struct view_initial view_initial_state;

/* ---- the program's own -------------------------------------------------------- */

/* The program's own, from where it can write: any address of it, or 0 */
static inline u64 view_user_address(const struct view_thread *t, unsigned int at)
{
	u64 address = READ_ONCE(*(const u64 *)(t->page + at));

	return address >> 47 ? 0 : address;
}

static inline u64 view_client_sp(const struct view_thread *t)
{
	return READ_ONCE(*(const u64 *)(t->page + VIEW_THREAD_SP));
}

static inline void view_write_bases(u64 fs, u64 gs)
{
	asm volatile("wrfsbase %0\n\twrgsbase %1" : : "r" (fs), "r" (gs));
}

static inline u32 view_client_pkru(const struct view_thread *t)
{
	return READ_ONCE(*(const u32 *)(t->page + VIEW_THREAD_PKRU));
}

/* What the return gate would have loaded, but for rsp and flags */
static inline void view_load_client(const struct view_thread *t)
{
	view_write_bases(view_user_address(t, VIEW_THREAD_FS),
			 view_user_address(t, VIEW_THREAD_GS));
	sky_write_pkru(view_client_pkru(t));
}

static inline void view_clear_vectors(void)
{
	asm volatile("xrstor64 %0"
		     : : "m" (view_initial_state), "a" ((u32)view_all_features),
		       "d" ((u32)(view_all_features >> 32)));
}

static inline void view_park_vectors(struct sky_park *park)
{
	asm volatile("xsave64 %0"
		     : "+m" (*(u8 (*)[])park->xsave)
		     : "a" ((u32)view_park_features),
		       "d" ((u32)(view_park_features >> 32)));
}

/* ---- vectors ------------------------------------------------------------------ */

static inline unsigned int view_set_of(u32 vector)
{
	switch (vector) {
	case X86_TRAP_DB:
		return VIEW_SET_DB;
	case X86_TRAP_NMI:
		return VIEW_SET_NMI;
	case X86_TRAP_DF:
		return VIEW_SET_DF;
	case X86_TRAP_MC:
		return VIEW_SET_MC;
	default:
		return VIEW_SET_USUAL;
	}
}

/* Linux's, and none of the program's doing */
static inline bool view_is_interrupt(u32 vector)
{
	return vector == X86_TRAP_NMI || vector == X86_TRAP_MC ||
	       vector == X86_TRAP_DF ||
	       (vector >= 32 && vector < 256 && vector != 0x80);
}

/* ---- left.c ------------------------------------------------------------------- */

/*
 * Only home is enabled. Who had left others enabled has been at something: that
 * is his own, and over.
 */
void view_reset_list(struct view_thread *t);
/*
 * The call has not begun: all that is in its message's registers is still the
 * client's, who may want to make it in another way.
 */
u64 view_gives_back(struct view_save *s, struct view_frame *f);
/* ... or may not begin. */
static inline void view_refused(struct view_thread *t)
{
	t->refused++;
	t->untold = true;
}

/* The call ends for its thread, and this is what comes of it. */
u64 view_goes_back(struct view_save *s, struct view_frame *f, int error);
/*
 * The call of @link stops in its view, where @r and @f say, and the thread has
 * nothing of it in registers: it goes on at the resume point.
 */
void view_park(struct view_link *link, const struct view_regs *r,
	       const struct view_frame *f, enum view_cause cause);
/* All but that: what @link's park has is to go on from there. */
void view_parks(struct view_link *link, enum view_cause cause);
void view_resumes(struct view_save *s, struct view_frame *f,
		  const struct view_link *link);

/* ---- left_gate.c -------------------------------------------------------------- */

/* An interrupt in a gate: the switch is undone, or done. */
u64 view_left_gate(struct view_save *s, struct view_frame *f, u32 vector);
/*
 * Nothing in a gate faults, but for a slot that is not granted, to which a client
 * may go that has not heard of it yet: then its call has not begun.
 */
u64 view_gate_faults(struct view_save *s, struct view_frame *f, u32 vector);

/* ---- left_roll.c -------------------------------------------------------------- */

/*
 * @f is in the window of another stub. What that has not done yet, we do; its
 * registers are those that we have saved. What view_left() returns
 */
u64 view_roll_forward(struct view_save *s, struct view_frame *f, u32 vector);

#endif
