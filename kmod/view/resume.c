// SPDX-License-Identifier: GPL-2.0-only
/*
 * In root: a client's thread is at the resume point, and goes on with its parked
 * call, unless that is somebody else's by now.
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <asm/cmpxchg.h>
#include <asm/tsc.h>

#include "kcall/park.h"
#include "kcall/pkru.h"
#include "kcall/server.h"
#include "late.h"
#include "left.h"
#include "regs.h"
#include "thread.h"
#include "vlink.h"
#include "vmx/cpu.h"
#include "vmx/guest.h"
#include "vmx/vmcs.h"
#include "vmx/vmx_insn.h"

static void load_regs(struct vmx_regs *r, const struct sky_park *p)
{
	view_regs_load(r, p);
	/* There is none for the guest and another one for root, who does not go by it. */
	sky_write_pkru(p->pkru);
	asm volatile("xrstor64 %0"
		     : : "m" (*(const u8 (*)[])p->xsave),
			 "a" ((u32)view_park_features),
			 "d" ((u32)(view_park_features >> 32)));
}

static void enter(struct view_thread *t, const struct view_link *link)
{
	const struct view_link *p = link->nests ? READ_ONCE(link->parent) : NULL;

	for (; p; p = READ_ONCE(p->parent))
		WRITE_ONCE(t->list[p->slot], view_link_entry(p));
	/* Another call may have been made, and come back, since. */
	WRITE_ONCE(*(u64 *)(t->page + VIEW_THREAD_SP), link->sp);
	WRITE_ONCE(*(u32 *)(t->page + VIEW_THREAD_PKRU), link->pkru);
	WRITE_ONCE(t->list[VIEW_SLOT_HOME], t->list[VIEW_SLOT_HOME] & ~0xffull);
	WRITE_ONCE(t->list[VIEW_SLOT_GATE], t->gate_entry | VIEW_ENABLE);
	WRITE_ONCE(t->list[link->slot], view_link_entry(link) | VIEW_ENABLE);
	vmcs_write(VMCS_EPTP, link->eptp);
}

/* All that it goes back to, too */
static bool goes_on(const struct view_link *link)
{
	for (const struct view_link *p = link; p; p = READ_ONCE(p->parent))
		if (READ_ONCE(p->ending) || READ_ONCE(p->dying) ||
		    READ_ONCE(p->recalled) || sky_server_is_dead(p->server))
			return false;
	return true;
}

/*
 * Whose handlers wait for @link: the top one decides, for who hands it over, begins
 * there, too.
 */
static bool take_parents(struct view_link *link)
{
	struct view_link *top = view_link_top(link);

	if (top == link)
		return true;
	/* Pairs with who hands it over, and with view_park(). */
	if (cmpxchg(&top->state, VIEW_NESTED, VIEW_FREE) != VIEW_NESTED)
		return false;
	while ((link = READ_ONCE(link->parent)) && link != top)
		cmpxchg(&link->state, VIEW_NESTED, VIEW_FREE);
	return true;
}

/* Whoever ends a link waits until this is over: view_thread_remove() */
static struct view_link *take_parked(struct view_thread *t, u64 slot)
{
	struct view_link *link = NULL;

	if (slot < t->top)
		link = READ_ONCE(t->links[array_index_nospec(slot, VIEW_SLOTS)]);
	if (!link || READ_ONCE(link->state) != VIEW_PARKED ||
	    READ_ONCE(t->barred) || !goes_on(link) ||
	    rdtsc() >= view_link_top(link)->expires || view_is_late(link) ||
	    !take_parents(link))
		return NULL;
	/* Pairs with who hands it over, and with view_park(). */
	return cmpxchg(&link->state, VIEW_PARKED, VIEW_FREE) == VIEW_PARKED ?
		link : NULL;
}

enum vmx_verdict vmx_exit_resume(struct vmx_resume *resume, struct vmx_regs *r,
				 struct vmx_cpu *c)
{
	struct view_thread *t = container_of(resume, struct view_thread, resume);
	struct view_link *link;

	t->resumed = NULL;
	/* At home, and in the address space that the views are of */
	if (vmcs_read(VMCS_EPTP) != (t->home_entry | VIEW_ENABLE) ||
	    (vmcs_read(VMCS_GUEST_CR3) & GENMASK_ULL(51, 12)) != t->pgd) {
		vmx_guest_ud();
		return VMX_DONE;
	}
	/* What was pending is of the client's, and over. */
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		   vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) &
		   ~(u64)(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
	vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
	link = take_parked(t, r->rdi);
	if (link) {
		t->resumed = link;
		WRITE_ONCE(link->counts.resumed, link->counts.resumed + 1);
		link->resumed_at = rdtsc();
		t->untold = true;
		load_regs(r, link->park);
		enter(t, link);
		return VMX_DONE;
	}
	*r = (struct vmx_regs){ .rax = (u64)-EINPROGRESS };
	vmcs_write(VMCS_GUEST_RIP, VIEW_AT + VIEW_BACK);
	return VMX_DONE;
}

bool vmx_exit_in_view(const struct vmx_resume *resume)
{
	const struct view_thread *t = container_of(resume, struct view_thread,
						   resume);

	return vmcs_read(VMCS_EPTP) != (t->home_entry | VIEW_ENABLE);
}
