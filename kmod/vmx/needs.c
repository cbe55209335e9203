// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * needs.c - what a CPU must have and be like for the root
 */
#include "controls.h"
#include "ept.h"

static const char *const texts[] = {
	[NEED_VMX] = "no VMX: this CPU has none, or it is hidden",
	[NEED_LOCKED] = "IA32_FEATURE_CONTROL is not locked",
	[NEED_ENABLED] = "VMX is locked off: turn on VT-x in the firmware",
	[NEED_FREE] = "CR4.VMXE is set: KVM? rmmod kvm_intel, or kvm.enable_virt_at_load=0",
	[NEED_CR0] = "CR0 is not as VMX wants it",
	[NEED_CR4] = "CR4 is not as VMX wants it",
	[NEED_NO_FRED] = "the kernel is entered by FRED: needs fred=off",
	[NEED_VMCS_TYPE] = "VMX: a VMCS cannot be in write-back memory",
	[NEED_VMCS_ADDRESS] = "VMX: a VMCS has to be below 4 GB",
	[NEED_TRUE_CTLS] = "VMX: no TRUE controls, CR3 loads would exit",
	[NEED_SECONDARY] = "VMX: no secondary controls",
	[NEED_EPT] = "VMX: no EPT",
	[NEED_INVEPT] = "EPT: no INVEPT",
	[NEED_INVEPT_SINGLE] = "EPT: no INVEPT of a single context",
	[NEED_INVEPT_ALL] = "EPT: no INVEPT of all contexts",
	[NEED_VMFUNC] = "VMX: no VM functions",
	[NEED_EPTP_SWITCHING] = "VMX: no EPTP switching",
	[NEED_UNRESTRICTED] = "VMX: no unrestricted guest",
	[NEED_EXIT_LMA] = "VMX: exits do not save EFER.LMA",
	[NEED_MSR_BITMAPS] = "VMX: no MSR bitmaps",
	[NEED_TIMER] = "VMX: no preemption timer",
	[NEED_64BIT] = "VMX: no 64-bit guest or host",
	[NEED_DEBUG] = "VMX: debug controls are not saved and loaded",
	[NEED_EFER] = "VMX: EFER is not saved and loaded",
	[NEED_RDTSCP] = "VMX: RDTSCP and RDPID would not work any more",
	[NEED_INVPCID] = "VMX: INVPCID would not work any more",
	[NEED_XSAVES] = "VMX: XSAVES would not work any more",
	[NEED_WAITPKG] = "VMX: TPAUSE and UMWAIT would not work any more",
	[NEED_PCONFIG] = "VMX: PCONFIG would not work any more",
	[NEED_MSRLIST] = "VMX: RDMSRLIST would not work any more",
	[NEED_KNOWN_PIN] = "VMX: an unknown pin-based control must be 1",
	[NEED_KNOWN_PROC] = "VMX: an unknown primary control must be 1",
	[NEED_KNOWN_PROC2] = "VMX: an unknown secondary control must be 1",
	[NEED_KNOWN_EXIT] = "VMX: an unknown VM-exit control must be 1",
	[NEED_KNOWN_ENTRY] = "VMX: an unknown VM-entry control must be 1",
};

static_assert(ARRAY_SIZE(texts) == VMX_NEEDS, "one for each");

const char *vmx_need_text(enum vmx_need need)
{
	switch (need) { /* the builder refuses in the same words */
	case NEED_EPT_WALK4:
		return ept_refusal_text(EPT_NO_WALK4);
	case NEED_EPT_WB:
		return ept_refusal_text(EPT_NO_WB);
	case NEED_EPT_2M:
		return ept_refusal_text(EPT_NO_2M);
	default:
		return need < VMX_NEEDS ? texts[need] : NULL;
	}
}

static u64 missing_ept(const struct vmx_caps *c)
{
	u64 cap = c->ept_vpid, missing = 0;

	if (!(cap & EPT_CAP_WALK4))
		missing |= NEED(EPT_WALK4);
	if (!(cap & EPT_CAP_WB))
		missing |= NEED(EPT_WB);
	if (!(cap & EPT_CAP_2M))
		missing |= NEED(EPT_2M);
	if (!(cap & EPT_CAP_INVEPT))
		return missing | NEED(INVEPT);
	if (!(cap & EPT_CAP_INVEPT_SINGLE))
		missing |= NEED(INVEPT_SINGLE);
	if (!(cap & EPT_CAP_INVEPT_ALL))
		missing |= NEED(INVEPT_ALL);
	return missing;
}

/* What hangs on secondary controls and is told in other MSRs */
static u64 missing_secondary(const struct vmx_caps *c)
{
	u64 may = vmx_allowed(c, VMX_CTL_PROC2).may, missing = 0;

	if (may & PROC2_EPT)
		missing |= missing_ept(c);
	if ((may & PROC2_VMFUNC) && !(c->vmfunc & VMFUNC_EPTP_SWITCHING))
		missing |= NEED(EPTP_SWITCHING);
	/*
	 * A guest that can leave 64-bit mode must not be put back into it by
	 * the next entry (A.6, bit 5).
	 */
	if ((may & PROC2_UNRESTRICTED) && !(c->misc & MISC_EXIT_SAVES_LMA))
		missing |= NEED(EXIT_LMA);
	return missing;
}

/* Will VMXON work, and the first entry? (A.7, A.8, 24.8) */
static u64 missing_now(const struct vmx_caps *c, const struct vmx_now *now)
{
	u64 missing = 0, cr4 = now->cr4 | VMX_CR4_VMXE;

	if (now->cr4 & VMX_CR4_VMXE)
		missing |= NEED(FREE);
	if ((now->cr0 & c->cr0_fixed0) != c->cr0_fixed0 ||
	    (now->cr0 & ~c->cr0_fixed1))
		missing |= NEED(CR0);
	/*
	 * Events that are injected, and the stubs of views, go through an IDT.
	 * Where CR4_FIXED1 knows FRED, this is the better word.
	 */
	if (now->cr4 & VMX_CR4_FRED) {
		missing |= NEED(NO_FRED);
		cr4 &= ~VMX_CR4_FRED;
	}
	if ((cr4 & c->cr4_fixed0) != c->cr4_fixed0 || (cr4 & ~c->cr4_fixed1))
		missing |= NEED(CR4);
	return missing;
}

u64 vmx_missing(const struct vmx_caps *c, const struct vmx_now *now)
{
	u64 missing = 0;

	if (!(c->cpuid_1_ecx & CPUID_1_ECX_VMX))
		return NEED(VMX);
	/*
	 * Linux locks it itself, with VMX on, if the firmware did not (since
	 * 5.6); a CPU on which that has not happened is not as the others.
	 */
	if (!(c->feature_control & FEATURE_CONTROL_LOCKED))
		missing |= NEED(LOCKED);
	else if (!(c->feature_control & FEATURE_CONTROL_VMX))
		missing |= NEED(ENABLED);
	if (now)
		missing |= missing_now(c, now);
	if ((c->basic >> BASIC_MEM_TYPE_SHIFT & BASIC_MEM_TYPE_MASK) != MEM_WB)
		missing |= NEED(VMCS_TYPE);
	if (c->basic & BASIC_32BIT_ADDRESSES)
		missing |= NEED(VMCS_ADDRESS);
	return missing | vmx_controls_missing(c) | missing_secondary(c);
}

static const char *const unfit_texts[] = {
	[UNFIT_VENDOR] = "views need VT-x, which only Intel's CPUs have",
	[UNFIT_XEN_PV] = "Linux runs under Xen, paravirtualized",
	[UNFIT_PTI] =
		"page-table isolation is on: needs pti=off, or a CPU without Meltdown",
	[UNFIT_CALL_DEPTH] =
		"call depth tracking is on: needs retbleed=auto, without stuffing",
	[UNFIT_XCR0] = "programs have registers that are not known here (XCR0)",
	[UNFIT_FSGSBASE] = "Linux does not use FSGSBASE: old, or nofsgsbase",
	[UNFIT_INVPCID] = "Linux does not use INVPCID: old, or noinvpcid",
	[UNFIT_RETURNS] =
		"Linux is without CONFIG_USER_RETURN_NOTIFIER, which KVM selects",
	[UNFIT_BEYOND] =
		"there is memory or a device beyond 48 bits of address",
};

static_assert(ARRAY_SIZE(unfit_texts) == VMX_UNFITS, "one for each");

const char *vmx_unfit_text(enum vmx_unfit unfit)
{
	return unfit < VMX_UNFITS ? unfit_texts[unfit] : NULL;
}

/* Those two licensed VT-x with the rest; AMD's SVM is something else. */
static bool vendor_has_vmx(const struct vmx_reader *r, void *ctx)
{
	static const char names[][13] = {
		"GenuineIntel", "CentaurHauls", "  Shanghai  ",
	};
	u32 regs[4], name[3];

	r->cpuid(ctx, 0, 0, regs);
	name[0] = regs[1];
	name[1] = regs[3];
	name[2] = regs[2];
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (!memcmp(name, names[i], sizeof(name)))
			return true;
	return false;
}

u64 vmx_unfit(const struct vmx_machine *m, const struct vmx_reader *r,
	      void *ctx)
{
	u64 unfit = 0;

	if (!vendor_has_vmx(r, ctx))
		return BIT_ULL(UNFIT_VENDOR);
	if (m->xen_pv)
		unfit |= BIT_ULL(UNFIT_XEN_PV);
	if (m->pti)
		unfit |= BIT_ULL(UNFIT_PTI);
	if (m->call_depth)
		unfit |= BIT_ULL(UNFIT_CALL_DEPTH);
	if (m->xcr0 & ~VMX_XCR0_KNOWN)
		unfit |= BIT_ULL(UNFIT_XCR0);
	if (m->no_fsgsbase)
		unfit |= BIT_ULL(UNFIT_FSGSBASE);
	if (m->no_invpcid)
		unfit |= BIT_ULL(UNFIT_INVPCID);
	if (m->no_returns)
		unfit |= BIT_ULL(UNFIT_RETURNS);
	if (m->beyond)
		unfit |= BIT_ULL(UNFIT_BEYOND);
	return unfit;
}

static const char *const note_texts[] = {
	[NOTE_PT_STOPS] =
		"Intel PT cannot trace while the root runs, on this CPU",
	[NOTE_LBR_SHOWS_ROOT] =
		"last branch records will show branches of the root",
};

static_assert(ARRAY_SIZE(note_texts) == VMX_NOTES, "one for each");

const char *vmx_note_text(enum vmx_note note)
{
	return note < VMX_NOTES ? note_texts[note] : NULL;
}

u64 vmx_notes(const struct vmx_caps *c)
{
	u64 notes = 0;

	/* VMXON stops it, and setting TraceEn then is a #GP (A.6, bit 14). */
	if (vmx_has_feature(c, FEATURE_PT) && !(c->misc & MISC_PT))
		notes |= BIT_ULL(NOTE_PT_STOPS);
	if (vmx_has_feature(c, FEATURE_ARCH_LBR) &&
	    (!(vmx_allowed(c, VMX_CTL_EXIT).may & EXIT_CLEAR_LBR_CTL) ||
	     !(vmx_allowed(c, VMX_CTL_ENTRY).may & ENTRY_LOAD_LBR_CTL)))
		notes |= BIT_ULL(NOTE_LBR_SHOWS_ROOT);
	return notes;
}
