// SPDX-License-Identifier: GPL-2.0-only
/*
 * The window of a stub (stub.S) was interrupted, by an NMI, a machine check or a
 * debug exception: it is rolled forward, to where it is at home.
 */
#include <linux/compiler.h>

#include "left_impl.h"

/* For objtool: what is in a stub is not jumped to. */
static u64 first_stub(void)
{
	u64 stubs = (u64)view_stubs;

	OPTIMIZER_HIDE_VAR(stubs);
	return stubs;
}

/* ENDBR64, before the jump to a stub */
enum { ENDBR = 4 };

u64 view_roll_forward(struct view_save *s, struct view_frame *f, u32 vector)
{
	const unsigned int mine = view_set_of(vector);
	const u64 stubs = first_stub();
	u64 n = (f->ip - stubs) / VIEW_STUB_SIZE;
	u64 done = f->ip - stubs - n * VIEW_STUB_SIZE;
	unsigned int its;

	for (unsigned int i = 0; i < 2; i++)
		if (view_entries[i] && (f->ip == view_entries[i] ||
					f->ip == view_entries[i] + ENDBR)) {
			n = VIEW_VECTOR_SYSCALL + i;
			done = 0;
		}
	/* Nothing else of the kernel runs in a view: Linux must not go on there. */
	if (n >= VIEW_VECTORS || done >= VIEW_STUB_OUT)
		asm volatile("ud2");
	its = view_set_of(n);
	f->flags &= ~X86_EFLAGS_TF;
	if (done < VIEW_STUB_AX)
		s->sets[its].ax = s->regs.ax;
	if (done < VIEW_STUB_CX)
		s->sets[its].cx = s->regs.cx;
	if (done < VIEW_STUB_DX)
		s->sets[its].dx = s->regs.dx;
	if (done < VIEW_STUB_HOME)
		s->sets[its].home = s->sets[mine].home;
	s->rolled++;
	s->regs.ax = 0;
	s->regs.cx = 0;
	s->regs.dx = s->self;
	f->ip = stubs + n * VIEW_STUB_SIZE + VIEW_STUB_OUT;
	if (vector != X86_TRAP_DB)
		return view_handlers[vector];
	/*
	 * A single step, or a data breakpoint that a shadow of MOV SS has brought
	 * here: of the program's, and of none that Linux knows.
	 */
	asm volatile("mov %0, %%dr6" : : "r" (0xffff0ff0ul));
	return 0;
}
