// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>

#include "call.h"
#include "cpu.h"
#include "exit.h"
#include "guest.h"
#include "resume.h"
#include "root_asm.h"
#include "vmx_insn.h"

/* VMXOFF clears them all (SDM 31.2). */
#define ARITHMETIC (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF |	\
		    X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

u64 vmx_call_key;

static void stay(u64 loops)
{
	while (loops--)
		asm volatile("pause");
}

/* For tests of what root does with its traps; the number is an immediate. */
static bool take_trap(u64 vector)
{
	switch (vector) {
	case X86_TRAP_NMI:
		asm volatile("int $2");
		return true;
	case X86_TRAP_MC:
		asm volatile("int $18");
		return true;
	case X86_TRAP_UD:
		vmx_root_bug();
		return true;
	case X86_TRAP_DF:
		vmx_root_overflow();
		return true;
	}
	return false;
}

enum vmx_verdict vmx_exit_vmcall(struct vmx_regs *r, struct vmx_cpu *c)
{
	if (vmx_guest_cpl()) {
		const struct vmx_resume *resume = c->resume;

		if (!resume || vmcs_read(VMCS_GUEST_RIP) != resume->rip ||
		    !vmx_guest_is_64bit())
			goto ud;
		c->resuming = true;
		return vmx_exit_resume(c->resume, r, c);
	}
	if (r->rax != vmx_call_key) {
		if (!c->below)
			goto ud;
		/*
		 * Linux calls the hypervisor below us. Its memory is where it
		 * says, as home changes no address.
		 */
		vmx_root_vmcall(r);
		vmx_guest_skip();
		return VMX_DONE;
	}
	switch (r->rcx) {
	case VMX_CALL_HELLO:
		r->rax = c->cpu;
		break;
	case VMX_CALL_STOP:
		r->rax = 0;
		vmx_guest_skip();
		return VMX_LEAVE;
	case VMX_CALL_STAY:
		stay(r->rdx);
		r->rax = 0;
		break;
	case VMX_CALL_TRAP:
		/* Done before: where it makes us leave, Linux goes on behind. */
		c->count.root_calls++;
		r->rax = 0;
		vmx_guest_skip();
		if (!take_trap(r->rdx))
			r->rax = -EINVAL;
		return VMX_DONE;
	case VMX_CALL_FAIL:
		c->fail_reason = r->rdx;
		c->fails = true;
		r->rax = 0;
		break;
	case VMX_CALL_INVEPT:
		r->rax = vmx_invept(INVEPT_ALL, 0) ? -EIO : 0;
		break;
	default:
		goto ud;
	}
	c->count.root_calls++;
	vmx_guest_skip();
	return VMX_DONE;
ud:
	vmx_guest_ud();
	return VMX_DONE;
}

/*
 * Linux sees CR4.VMXE, and on its way down (a crash, an emergency restart)
 * executes VMXOFF where it finds it set: so does our own callback, and so does
 * KVM's, which may have come first.
 */
enum vmx_verdict vmx_exit_vmxoff(struct vmx_regs *r, struct vmx_cpu *c)
{
	u64 rflags = vmcs_read(VMCS_GUEST_RFLAGS);

	if (vmx_guest_cpl() || !(vmcs_read(VMCS_CR4_SHADOW) & X86_CR4_VMXE)) {
		vmx_guest_ud();
		return VMX_DONE;
	}
	vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~ARITHMETIC);
	vmx_guest_skip();
	return VMX_LEAVE;
}
