// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compiler.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "cpu.h"
#include "guest.h"
#include "vmx_insn.h"

#define HW_EXCEPTION (EVENT_HW_EXCEPTION << EVENT_TYPE_SHIFT)
#define NMI (EVENT_NMI << EVENT_TYPE_SHIFT)

/* Pending debug exceptions (SDM 25.4.2): a single step is over */
#define PENDING_DEBUG_BS BIT_ULL(14)

unsigned int vmx_guest_cpl(void)
{
	return vmcs_read(VMCS_GUEST_SS_RIGHTS) >> 5 & 3;
}

static void end_shadow(void)
{
	u64 shadow = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);

	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		   shadow & ~(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS));
}

/*
 * As the processor does it: outside 64-bit mode EIP wraps at 4 GB, and an entry
 * with more bits set would fail (SDM 27.3.1.4).
 */
static u64 next_rip(void)
{
	u64 rip = vmcs_read(VMCS_GUEST_RIP);
	u64 next = rip + vmcs_read(VMCS_EXIT_LENGTH);

	return (rip ^ next) >> 32 && !vmx_guest_is_64bit() ? (u32)next : next;
}

bool vmx_guest_is_64bit(void)
{
	return vmcs_read(VMCS_GUEST_CS_RIGHTS) & SEGMENT_L;
}

void vmx_guest_skip(void)
{
	u64 rflags = vmcs_read(VMCS_GUEST_RFLAGS);

	vmcs_write(VMCS_GUEST_RIP, next_rip());
	vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~X86_EFLAGS_RF);
	end_shadow();
	if (rflags & X86_EFLAGS_TF &&
	    !(vmcs_read(VMCS_GUEST_DEBUGCTL) & DEBUGCTLMSR_BTF))
		vmcs_write(VMCS_GUEST_PENDING_DEBUG,
			   vmcs_read(VMCS_GUEST_PENDING_DEBUG) |
			   PENDING_DEBUG_BS);
}

static void inject(u32 info)
{
	vmcs_write(VMCS_ENTRY_EVENT, info | EVENT_VALID);
}

/*
 * As the processor pushes RFLAGS for a fault, with RF set (SDM 18.3.1.1):
 * injection pushes what the VMCS holds.
 */
static void fault(u32 info)
{
	end_shadow();
	vmcs_write(VMCS_GUEST_RFLAGS,
		   vmcs_read(VMCS_GUEST_RFLAGS) | X86_EFLAGS_RF);
	inject(info | HW_EXCEPTION);
}

void vmx_guest_ud(void)
{
	fault(X86_TRAP_UD);
}

void vmx_guest_pf(u32 error)
{
	vmcs_write(VMCS_ENTRY_ERROR_CODE, error);
	fault(X86_TRAP_PF | EVENT_ERROR_CODE);
}

void vmx_guest_gp(void)
{
	vmcs_write(VMCS_ENTRY_ERROR_CODE, 0);
	fault(X86_TRAP_GP | EVENT_ERROR_CODE);
}

/* As delivery does; the IRET of the guest's handler ends it. */
static void block_nmis(void)
{
	vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		   vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKED_BY_NMI);
}

/*
 * With 0 in the timer the guest comes back before its next instruction, or,
 * where an event is injected, before the first of the handler (SDM 26.5.1,
 * 27.7.4).
 */
static void come_back(struct vmx_cpu *c, bool at_once)
{
	u64 pin;

	if (c->timer_on == at_once)
		return;
	c->timer_on = at_once;
	pin = vmcs_read(VMCS_PIN);
	vmcs_write(VMCS_GUEST_TIMER, 0);
	vmcs_write(VMCS_PIN, at_once ? pin | PIN_PREEMPTION_TIMER :
				       pin & ~PIN_PREEMPTION_TIMER);
}

/*
 * One event fits into an entry; the preemption timer brings the guest back for
 * a second one. Nothing else delays them: an exit that ends an instruction
 * ends the shadow of STI and MOV SS, and so does a fault. (Other exits don't
 * come in one, and ending it early would be no harm.)
 *
 * NMI-window exiting would be the usual way, but it needs virtual NMIs, and
 * those NMI exiting: an exit with each NMI. So NMIs are the guest's, blocking
 * too: an NMI reaches root only where the guest could have taken it, and stays
 * blocked (root's handler does not end in IRET) until the guest's handler,
 * entered by injection, is through (SDM 27.6.1, 26.3).
 */
void vmx_guest_events(struct vmx_cpu *c)
{
	bool busy = vmcs_read(VMCS_ENTRY_EVENT) & EVENT_VALID;
	bool wait = false;

	WRITE_ONCE(c->attention, 0);
	barrier(); /* a trap from here on asks again */
	if (READ_ONCE(c->mc_pending) || READ_ONCE(c->nmi_pending))
		end_shadow();
	if (READ_ONCE(c->mc_pending)) {
		if (busy) {
			wait = true;
		} else {
			WRITE_ONCE(c->mc_pending, 0);
			inject(X86_TRAP_MC | HW_EXCEPTION);
			busy = true;
		}
	}
	if (READ_ONCE(c->nmi_pending)) {
		if (busy) {
			/* The next one must not come first, and become one. */
			wait = true;
			c->nmi_held = 1;
			block_nmis();
		} else {
			WRITE_ONCE(c->nmi_pending, 0);
			c->nmi_held = 0;
			inject(X86_TRAP_NMI | NMI);
			block_nmis();
			c->count.nmis_given++;
		}
	}
	if (wait)
		c->count.deferred++;
	come_back(c, wait);
}
