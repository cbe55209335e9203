/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The save page: what the entry stubs need in a view, and where they put what
 * they have found there. Each link and each gate view has one of its own, where
 * all others have view_save_page. Offsets are for stub.S; left.c asserts them.
 */
#ifndef SKYIPC_VIEW_SAVE_H
#define SKYIPC_VIEW_SAVE_H

#define VIEW_SAVE_SELF	0
#define VIEW_SAVE_LISTP 8
#define VIEW_SAVE_SETS	16
#define VIEW_SAVE_SET	32	/* bytes of one */
#define VIEW_SAVE_REGS	176
#define VIEW_SAVE_FRAME 296
#define VIEW_SAVE_SIZE	4096

/*
 * Which set of a save page a vector uses: those that may interrupt another stub
 * have their own.
 */
#define VIEW_SET_USUAL	0
#define VIEW_SET_DB	1
#define VIEW_SET_NMI	2
#define VIEW_SET_DF	3
#define VIEW_SET_MC	4
#define VIEW_SETS	5

/* Beyond those of the IDT */
#define VIEW_VECTOR_SYSCALL	256
#define VIEW_VECTOR_SYSENTER	257
#define VIEW_VECTORS		258

/*
 * Stubs are this far apart; in each, the window in which the view is left: how
 * much of it has been done is said by how far RIP has come.
 */
#define VIEW_STUB_SIZE	80
#define VIEW_STUB_AX	11	/* ax has been saved */
#define VIEW_STUB_CX	18
#define VIEW_STUB_DX	25
#define VIEW_STUB_HOME	52	/* home's entry has been saved */
#define VIEW_STUB_OUT	62	/* at home */

#if defined(__KERNEL__) && !defined(__ASSEMBLY__)

#include <linux/types.h>

struct view_link;
struct view_thread;

/* What the processor pushes */
struct view_frame {
	u64 ip, cs, flags, sp, ss;
};

/* In this order stub.S stores and loads them. */
struct view_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};

struct view_save {
	u64 self;		/* where it is for Linux */
	u64 **listp;		/* &thread->list */
	struct {
		u64 ax, cx, dx;
		u64 home;	/* entry of the list, before the stub's own */
	} sets[VIEW_SETS];
	struct view_regs regs;	/* as found; and as they are to be */
	struct view_frame frame;	/* of system calls, which push none */
	struct view_thread *thread;
	struct view_link *link;	/* NULL: this is a gate view's */
	u64 rolled;		/* windows that have been rolled forward */
	/* From here to its end: the stack of view_left() */
};

extern struct view_save view_save_page;

/* Stubs, VIEW_STUB_SIZE apart */
extern const u8 view_stubs[], view_stubs_end[];

/*
 * Called by the stubs at home: the view that @s belongs to has been left, by
 * @vector, with the frame @f, or an error code and then the frame. What is to be
 * done is in @s->regs and in the frame: where to jump to, with the stack at
 * @*stack, or 0: IRET from there.
 */
u64 view_left(struct view_save *s, void *f, u32 vector, void **stack);

#endif
#endif
