// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/tlbflush.h>

#include "../compat.h"
#include "call.h"
#include "cpu.h"
#include "exit.h"
#include "fail.h"
#include "launch.h"
#include "root_asm.h"
#include "state.h"
#include "trial.h"
#include "vmx_insn.h"

/*
 * CR4.VMXE is set in Linux's copy of CR4, too, where Linux lets us: KVM looks
 * there, and so do the emergency paths of Linux that execute VMXOFF.
 */
static int enable_vmx(struct vmx_cpu *c)
{
	if (__read_cr4() & X86_CR4_VMXE || vmx_fails(VMX_FAIL_CR4))
		return -EBUSY;
	skyipc_pt_handle_vmx(1);
	skyipc_cr4_vmxe(true);
	return 0;
}

static void disable_vmx(void)
{
	skyipc_cr4_vmxe(false);
	skyipc_pt_handle_vmx(0);
}

static const char *load_vmcs(struct vmx_cpu *c, const struct vmx_common *common)
{
	*(u32 *)c->vmxon = common->revision;
	*(u32 *)c->vmcs = common->revision;
	if (vmx_fails(VMX_FAIL_VMXON) || vmx_on(__pa(c->vmxon)))
		return "VMXON";
	if (vmx_fails(VMX_FAIL_VMCLEAR) || vmcs_clear(__pa(c->vmcs))) {
		vmx_off();
		return "VMCLEAR";
	}
	if (vmx_fails(VMX_FAIL_VMPTRLD) || vmcs_load(__pa(c->vmcs))) {
		vmx_off();
		return "VMPTRLD";
	}
	return NULL;
}

static const char *fill_vmcs(struct vmx_cpu *c, const struct vmx_common *common)
{
	if (vmx_controls_load(c, common))
		return "writing the controls";
	if (vmx_host_state_write(c))
		return "writing the host state";
	if (vmx_guest_state_write(c))
		return "writing the guest state";
	/* What a previous user of EPT may have left behind */
	if (vmx_invept(INVEPT_ALL, 0))
		return "INVEPT";
	return NULL;
}

static const char *enter(struct vmx_cpu *c)
{
	int failed;

	if (vmx_fails(VMX_FAIL_VMLAUNCH))
		vmcs_write(VMCS_HOST_CR3, ~0ULL);
	if (vmx_fails(VMX_FAIL_ENTRY))
		vmcs_write(VMCS_LINK, 1);
	failed = vmx_launch_here();
	if (!failed)
		return NULL;
	if (failed == VMX_LAUNCH_REFUSED)
		return "VM entry";
	c->report.code = vmcs_read(VMCS_INSTRUCTION_ERROR);
	vmcs_clear(__pa(c->vmcs));
	vmx_off();
	return "VMLAUNCH";
}

int vmx_cpu_launch(struct vmx_cpu *c, const struct vmx_common *common,
		   const char **step)
{
	int error = enable_vmx(c);

	lockdep_assert_irqs_disabled();
	*step = "CR4.VMXE is set: another hypervisor is there";
	if (error)
		return error;
	/* It may have been in before a suspend. */
	c->attention = 0;
	c->nmi_pending = 0;
	c->mc_pending = 0;
	c->timer_on = 0;
	c->leaving = 0;
	c->trapped = 0;
	c->left_for = VMX_DONE;
	c->nmi_held = 0;
	memset(&c->report, 0, sizeof(c->report));
	c->linux_gs_base = vmx_rdmsr(MSR_GS_BASE);
	c->linux_gdt = (u64)get_cpu_gdt_rw(c->cpu);
	c->cr4_allowed = common->cr4_allowed;
	c->can_wait_for_sipi = common->can_wait_for_sipi;
	c->below = boot_cpu_has(X86_FEATURE_HYPERVISOR);
	c->mtrrs = common->mtrrs;
	error = -EIO;
	*step = load_vmcs(c, common);
	if (*step)
		goto disable;
	*step = fill_vmcs(c, common);
	if (*step) {
		vmcs_clear(__pa(c->vmcs));
		vmx_off();
		goto disable;
	}
	*step = enter(c);
	if (*step)
		goto disable;

	c->state = VMX_CPU_ON;
	if (vmx_fails(VMX_FAIL_HELLO) ||
	    vmx_call(VMX_CALL_HELLO, 0) != c->cpu) {
		*step = "no answer from root";
		goto stop;
	}
	c->report.code = vmx_trial(c, common->eptp, common->trial);
	if (c->report.code != VMX_TRIAL_GOOD) {
		*step = "the trial of the EPTP list";
		goto stop;
	}
	c->report.code = 0;
	return 0;
stop:
	vmx_cpu_stop(c);
	return error;
disable:
	disable_vmx();
	return error;
}

void vmx_cpu_stop(struct vmx_cpu *c)
{
	lockdep_assert_irqs_disabled();
	if (c->state == VMX_CPU_ON)
		vmx_call(VMX_CALL_STOP, 0);
	c->state = VMX_CPU_OFF;
	disable_vmx();
}
