// SPDX-License-Identifier: GPL-2.0-only
/*
 * In root: this CPU leaves VMX although nobody has asked for that, while its guest is in
 * a view. Linux goes on at home then, and with it the client's thread: not with what a
 * server has in registers, and not in the middle of its code. What has begun is parked,
 * for its worker to take, as if it had been interrupted.
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <asm/cmpxchg.h>
#include <asm/processor-flags.h>

#include "kcall/park.h"
#include "kcall/pkru.h"
#include "left_impl.h"
#include "regs.h"
#include "thread.h"
#include "vlink.h"
#include "vmx/cpu.h"
#include "vmx/guest.h"
#include "vmx/vmcs.h"
#include "vmx/vmx_insn.h"

static struct view_link *entered(struct view_thread *t)
{
	const u64 eptp = vmcs_read(VMCS_EPTP);

	for (unsigned int i = VIEW_SLOT_FIRST; i < t->top; i++) {
		struct view_link *link = READ_ONCE(t->links[i]);

		if (link && link->eptp == eptp)
			return link;
	}
	return NULL;
}

static void save_regs(struct sky_park *p, const struct vmx_regs *r)
{
	view_regs_save(p, r);
	p->pkru = sky_read_pkru();
	view_park_vectors(p);
}

/* As the return gate would leave it, but for registers */
static void client_at(const struct view_thread *t, u64 offset)
{
	vmcs_write(VMCS_GUEST_RIP, VIEW_AT + offset);
	vmcs_write(VMCS_GUEST_RSP, view_client_sp(t));
	vmcs_write(VMCS_GUEST_RFLAGS, X86_EFLAGS_IF | X86_EFLAGS_FIXED);
	vmcs_write(VMCS_GUEST_FS_BASE, view_user_address(t, VIEW_THREAD_FS));
	vmcs_write(VMCS_GUEST_GS_BASE, view_user_address(t, VIEW_THREAD_GS));
	sky_write_pkru(view_client_pkru(t));
	view_clear_vectors();
}

void vmx_exit_stops(struct vmx_resume *resume, struct vmx_regs *r,
		    bool was_resumed)
{
	struct view_thread *t = container_of(resume, struct view_thread, resume);
	struct view_link *link = was_resumed ? t->resumed : entered(t);

	if (was_resumed && link) {
		/* It has not gone there: all is in the park, still. */
		WRITE_ONCE(link->counts.resumed, link->counts.resumed - 1);
		view_parks(link, VIEW_BY_INTERRUPT);
	} else if (vmcs_read(VMCS_EPTP) == (t->home_entry | VIEW_ENABLE) ||
		   !vmx_guest_cpl()) {
		/* (A stub, where nothing exits: nobody can go on there.) */
		return;
	} else if (link) {
		save_regs(link->park, r);
		link->sp = view_client_sp(t);
		link->pkru = view_client_pkru(t);
		WRITE_ONCE(link->counts.parked[VIEW_BY_INTERRUPT],
			   link->counts.parked[VIEW_BY_INTERRUPT] + 1);
		view_parks(link, VIEW_BY_INTERRUPT);
	}
	view_reset_list(t);
	if (link) {
		/* There VMCALL is undefined by then: off.c */
		*r = (struct vmx_regs){ .rdi = link->slot };
		client_at(t, VIEW_RESUME);
	} else {
		/* In a gate: has it begun? */
		*r = (struct vmx_regs){ .rax = (u64)-EPROTO };
		client_at(t, VIEW_BACK);
	}
}
