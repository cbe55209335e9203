// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control area: what controls.c has computed, and where things are.
 */
#include <linux/mm.h>
#include <asm/msr-index.h>

#include "controls.h"
#include "cpu.h"
#include "fail.h"
#include "launch.h"
#include "state.h"
#include "vmx_insn.h"

static bool write_controls(const struct vmx_controls *v)
{
	bool failed = vmcs_write(VMCS_PIN, v->ctl[VMX_CTL_PIN]);

	failed |= vmcs_write(VMCS_PROC, v->ctl[VMX_CTL_PROC]);
	failed |= vmcs_write(VMCS_PROC2, v->ctl[VMX_CTL_PROC2]);
	failed |= vmcs_write(VMCS_EXIT, v->ctl[VMX_CTL_EXIT]);
	failed |= vmcs_write(VMCS_ENTRY, v->ctl[VMX_CTL_ENTRY]);
	/* Fields that exist only where a control enables them */
	if (v->ctl[VMX_CTL_PROC] & PROC_TERTIARY)
		failed |= vmcs_write(VMCS_PROC3, v->ctl[VMX_CTL_PROC3]);
	if (v->ctl[VMX_CTL_EXIT] & EXIT_SECONDARY)
		failed |= vmcs_write(VMCS_EXIT2, v->ctl[VMX_CTL_EXIT2]);
	/* Guest state, in fact: exits save it from now on. */
	if (v->ctl[VMX_CTL_ENTRY] & ENTRY_LOAD_LBR_CTL)
		failed |= vmcs_write(VMCS_GUEST_LBR_CTL,
				     vmx_rdmsr(MSR_ARCH_LBR_CTL));
	if (v->ctl[VMX_CTL_PROC2] & PROC2_XSAVES)
		failed |= vmcs_write(VMCS_XSS_EXITING, 0);
	if (v->ctl[VMX_CTL_PROC2] & PROC2_PCONFIG)
		failed |= vmcs_write(VMCS_PCONFIG_EXITING, 0);
	return failed;
}

static bool write_zeros(void)
{
	static const u32 zeros[] = {
		VMCS_EXCEPTION_BITMAP,
		VMCS_PF_MASK,
		VMCS_PF_MATCH,
		VMCS_CR3_TARGETS,
		VMCS_EXIT_MSR_STORE_COUNT,
		VMCS_EXIT_MSR_LOAD_COUNT,
		VMCS_ENTRY_MSR_LOAD_COUNT,
		VMCS_ENTRY_EVENT,
	};
	bool failed = false;

	for (unsigned int i = 0; i < ARRAY_SIZE(zeros); i++)
		failed |= vmcs_write(zeros[i], 0);
	return failed;
}

bool vmx_controls_load(struct vmx_cpu *c, const struct vmx_common *common)
{
	bool failed = write_controls(common->controls);

	failed |= write_zeros();
	failed |= vmcs_write(VMCS_EPTP, common->eptp);
	failed |= vmcs_write(VMCS_MSR_BITMAP, common->msr_bitmap);
	/* No entry of the list is valid, so that VMFUNC exits and gets #UD. */
	failed |= vmcs_write(VMCS_VMFUNC_CONTROLS, common->controls->vmfunc);
	failed |= vmcs_write(VMCS_EPTP_LIST, __pa(c->eptp_list));
	return failed || vmx_fails(VMX_FAIL_CONTROLS);
}
