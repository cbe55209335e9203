// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * caps.c - what one CPU says that it can do
 */
#include "caps.h"

#define ROW(reg_name, number, member)                                          \
	{                                                                      \
		reg_name, number, offsetof(struct vmx_caps, member)            \
	}

/* In the order in which they are read: who depends on whom (appendix A) */
const struct vmx_cap_row vmx_cap_rows[] = {
	ROW("CPUID.1:ECX", 0, cpuid_1_ecx),
	ROW("CPUID.7:EBX", 0, cpuid_7_ebx),
	ROW("CPUID.7:ECX", 0, cpuid_7_ecx),
	ROW("CPUID.7:EDX", 0, cpuid_7_edx),
	ROW("CPUID.7.1:EAX", 0, cpuid_7_1_eax),
	ROW("CPUID.D.1:EAX", 0, cpuid_d_1_eax),
	ROW("CPUID.80000001:EDX", 0, cpuid_80000001_edx),
	ROW("CPUID.80000008:EAX", 0, phys_bits),
	ROW("IA32_FEATURE_CONTROL", VMX_MSR_FEATURE_CONTROL, feature_control),
	ROW("IA32_VMX_BASIC", VMX_MSR_BASIC, basic),
	ROW("IA32_VMX_PINBASED_CTLS", VMX_MSR_PINBASED_CTLS, pin),
	ROW("IA32_VMX_PROCBASED_CTLS", VMX_MSR_PROCBASED_CTLS, proc),
	ROW("IA32_VMX_EXIT_CTLS", VMX_MSR_EXIT_CTLS, exit),
	ROW("IA32_VMX_ENTRY_CTLS", VMX_MSR_ENTRY_CTLS, entry),
	ROW("IA32_VMX_MISC", VMX_MSR_MISC, misc),
	ROW("IA32_VMX_CR0_FIXED0", VMX_MSR_CR0_FIXED0, cr0_fixed0),
	ROW("IA32_VMX_CR0_FIXED1", VMX_MSR_CR0_FIXED1, cr0_fixed1),
	ROW("IA32_VMX_CR4_FIXED0", VMX_MSR_CR4_FIXED0, cr4_fixed0),
	ROW("IA32_VMX_CR4_FIXED1", VMX_MSR_CR4_FIXED1, cr4_fixed1),
	ROW("IA32_VMX_TRUE_PINBASED_CTLS", VMX_MSR_TRUE_PINBASED_CTLS,
	    true_pin),
	ROW("IA32_VMX_TRUE_PROCBASED_CTLS", VMX_MSR_TRUE_PROCBASED_CTLS,
	    true_proc),
	ROW("IA32_VMX_TRUE_EXIT_CTLS", VMX_MSR_TRUE_EXIT_CTLS, true_exit),
	ROW("IA32_VMX_TRUE_ENTRY_CTLS", VMX_MSR_TRUE_ENTRY_CTLS, true_entry),
	ROW("IA32_VMX_PROCBASED_CTLS2", VMX_MSR_PROCBASED_CTLS2, proc2),
	ROW("IA32_VMX_EPT_VPID_CAP", VMX_MSR_EPT_VPID_CAP, ept_vpid),
	ROW("IA32_VMX_VMFUNC", VMX_MSR_VMFUNC, vmfunc),
	ROW("IA32_VMX_PROCBASED_CTLS3", VMX_MSR_PROCBASED_CTLS3, proc3),
	ROW("IA32_VMX_EXIT_CTLS2", VMX_MSR_EXIT_CTLS2, exit2),
};

const unsigned int vmx_cap_rows_count = ARRAY_SIZE(vmx_cap_rows);

static_assert(ARRAY_SIZE(vmx_cap_rows) * sizeof(u64) == sizeof(struct vmx_caps),
	      "a row for each register");

/* Does an MSR exist, going by those before it? */
static bool msr_exists(const struct vmx_caps *c, u32 msr)
{
	switch (msr) {
	case VMX_MSR_TRUE_PINBASED_CTLS:
	case VMX_MSR_TRUE_PROCBASED_CTLS:
	case VMX_MSR_TRUE_EXIT_CTLS:
	case VMX_MSR_TRUE_ENTRY_CTLS:
		return c->basic & BASIC_TRUE_CTLS;
	case VMX_MSR_PROCBASED_CTLS2:
		return vmx_allowed(c, VMX_CTL_PROC).may & PROC_SECONDARY;
	case VMX_MSR_PROCBASED_CTLS3:
		return vmx_allowed(c, VMX_CTL_PROC).may & PROC_TERTIARY;
	case VMX_MSR_EPT_VPID_CAP:
		return vmx_allowed(c, VMX_CTL_PROC2).may &
		       (PROC2_EPT | PROC2_VPID);
	case VMX_MSR_VMFUNC:
		return vmx_allowed(c, VMX_CTL_PROC2).may & PROC2_VMFUNC;
	case VMX_MSR_EXIT_CTLS2:
		return vmx_allowed(c, VMX_CTL_EXIT).may & EXIT_SECONDARY;
	default:
		return true;
	}
}

static void read_cpuid(struct vmx_caps *c, const struct vmx_reader *r,
		       void *ctx)
{
	u32 max, max_7 = 0, max_ext, regs[4];

	r->cpuid(ctx, 0, 0, regs);
	max = regs[0];
	r->cpuid(ctx, 0x80000000, 0, regs);
	max_ext = regs[0];

	/*
	 * OSXSAVE, OSPKE and the like follow CR4 and tell nothing of the CPU;
	 * hybrid CPUs differ in much that does not matter here.
	 */
	if (max >= 1) {
		r->cpuid(ctx, 1, 0, regs);
		c->cpuid_1_ecx = regs[2] & (CPUID_1_ECX_VMX | CPUID_1_ECX_SMX);
	}
	if (max >= 7) {
		r->cpuid(ctx, 7, 0, regs);
		max_7 = regs[0];
		c->cpuid_7_ebx =
			regs[1] & (CPUID_7_EBX_INVPCID | CPUID_7_EBX_PT);
		c->cpuid_7_ecx =
			regs[2] & (CPUID_7_ECX_WAITPKG | CPUID_7_ECX_CET_SS |
				   CPUID_7_ECX_RDPID | CPUID_7_ECX_ENQCMD |
				   CPUID_7_ECX_PKS);
		c->cpuid_7_edx =
			regs[3] & (CPUID_7_EDX_UINTR | CPUID_7_EDX_PCONFIG |
				   CPUID_7_EDX_ARCH_LBR | CPUID_7_EDX_CET_IBT);
	}
	if (max_7 >= 1) {
		r->cpuid(ctx, 7, 1, regs);
		c->cpuid_7_1_eax =
			regs[0] & (CPUID_7_1_EAX_LASS | CPUID_7_1_EAX_FRED |
				   CPUID_7_1_EAX_MSRLIST);
	}
	if (max >= 0xd) {
		r->cpuid(ctx, 0xd, 1, regs);
		c->cpuid_d_1_eax = regs[0] & CPUID_D_1_EAX_XSAVES;
	}
	if (max_ext >= 0x80000001) {
		r->cpuid(ctx, 0x80000001, 0, regs);
		c->cpuid_80000001_edx = regs[3] & CPUID_80000001_EDX_RDTSCP;
	}
	if (max_ext >= 0x80000008) {
		r->cpuid(ctx, 0x80000008, 0, regs);
		c->phys_bits = regs[0] & 0xff;
	}
}

int vmx_caps_read(struct vmx_caps *c, const struct vmx_reader *r, void *ctx,
		  u32 *bad)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	read_cpuid(c, r, ctx);
	if (!(c->cpuid_1_ecx & CPUID_1_ECX_VMX))
		return 0;
	for (i = 0; i < vmx_cap_rows_count; i++) {
		const struct vmx_cap_row *row = &vmx_cap_rows[i];

		if (!row->msr || !msr_exists(c, row->msr))
			continue;
		if (r->rdmsr(ctx, row->msr, (u64 *)((char *)c + row->offset))) {
			*bad = row->msr;
			return -EIO;
		}
	}
	return 0;
}

const struct vmx_cap_row *vmx_caps_differ(const struct vmx_caps *a,
					  const struct vmx_caps *b)
{
	unsigned int i;

	for (i = 0; i < vmx_cap_rows_count; i++)
		if (vmx_cap_value(a, &vmx_cap_rows[i]) !=
		    vmx_cap_value(b, &vmx_cap_rows[i]))
			return &vmx_cap_rows[i];
	return NULL;
}

bool vmx_has_feature(const struct vmx_caps *c, enum vmx_feature f)
{
	switch (f) {
	case FEATURE_ALWAYS:
		return true;
	case FEATURE_RDTSCP:
		return (c->cpuid_80000001_edx & CPUID_80000001_EDX_RDTSCP) ||
		       (c->cpuid_7_ecx & CPUID_7_ECX_RDPID);
	case FEATURE_INVPCID:
		return c->cpuid_7_ebx & CPUID_7_EBX_INVPCID;
	case FEATURE_XSAVES:
		return c->cpuid_d_1_eax & CPUID_D_1_EAX_XSAVES;
	case FEATURE_WAITPKG:
		return c->cpuid_7_ecx & CPUID_7_ECX_WAITPKG;
	case FEATURE_PCONFIG:
		return c->cpuid_7_edx & CPUID_7_EDX_PCONFIG;
	case FEATURE_MSRLIST:
		return c->cpuid_7_1_eax & CPUID_7_1_EAX_MSRLIST;
	case FEATURE_ARCH_LBR:
		return c->cpuid_7_edx & CPUID_7_EDX_ARCH_LBR;
	case FEATURE_PT:
		return c->cpuid_7_ebx & CPUID_7_EBX_PT;
	}
	return false;
}

/* Most of these MSRs: what must be 1 in the low half, what may in the high */
static struct vmx_allowed halves(u64 msr)
{
	struct vmx_allowed a = { msr >> 32, msr & 0xffffffff };

	return a;
}

struct vmx_allowed vmx_allowed(const struct vmx_caps *c, enum vmx_ctl ctl)
{
	bool exact = c->basic & BASIC_TRUE_CTLS;
	struct vmx_allowed a = { 0, 0 };

	switch (ctl) {
	case VMX_CTL_PIN:
		return halves(exact ? c->true_pin : c->pin);
	case VMX_CTL_PROC:
		return halves(exact ? c->true_proc : c->proc);
	case VMX_CTL_PROC2:
		return halves(c->proc2);
	case VMX_CTL_EXIT:
		return halves(exact ? c->true_exit : c->exit);
	case VMX_CTL_ENTRY:
		return halves(exact ? c->true_entry : c->entry);
	case VMX_CTL_PROC3: /* 64 bits, of which none must be 1 (A.3.4) */
		a.may = c->proc3;
		break;
	case VMX_CTL_EXIT2: /* likewise (A.4.2) */
		a.may = c->exit2;
		break;
	case VMX_CTLS:
		break;
	}
	return a;
}
