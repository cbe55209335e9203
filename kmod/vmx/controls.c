// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * controls.c - the controls of a thin root
 *
 * Nothing exits that need not: no interrupts, NMIs, exceptions, HLT, MWAIT,
 * PAUSE, INVLPG, RDTSC, RDPMC, CR3, CR8, debug registers, I/O; of MSRs, what
 * the bitmap names. What follows are the choices that are not plain.
 *
 * NMIs
 *
 * They do not exit: "NMI exiting" is 0, and the guest takes them through its
 * IDT, blocks them by hardware, and unblocks them by IRET, as without us. So
 * "virtual NMIs" has to be 0, and hence "NMI-window exiting" too (27.2.1.1):
 * the processor does not tell when a guest could take an NMI again. It need
 * not:
 *
 * - An exit that is not caused by an NMI leaves the blocking of NMIs as it is
 *   (28.5.5). If the guest was in its NMI handler, they stay blocked in root
 *   and wait in the processor, where they belong.
 * - An NMI that comes while root runs otherwise is taken through root's IDT.
 *   From then on NMIs are blocked until an IRET; root never executes one, not
 *   even to leave its NMI stub. So there is at most one to be passed on, and a
 *   second one waits in the processor, as it would without us.
 * - It is passed on by injection (27.6): event type 2, with "blocking by NMI"
 *   set in the interruptibility state; with virtual NMIs 0 that is allowed and
 *   means that NMIs are blocked until the guest's IRET (27.3.1.5, 27.7.1). The
 *   one that waits is taken after that, so none is lost and none is doubled.
 * - An NMI may not be injected into the shadow of MOV SS, nor, on some CPUs, of
 *   STI (27.3.1.5), nor together with another event. An instruction that root
 *   emulates has ended both shadows, and so does a fault that it is given. If
 *   another event is injected first, the preemption timer, with 0 in it, brings
 *   the guest back before the first instruction of its handler (26.5.1), and
 * the NMI is next. Therefore the timer has to exist.
 * - Between root's last look and VMRESUME an NMI can still come. The stub finds
 *   the interrupted RIP there, and sends it back to look again.
 * - When root ends with VMXOFF and has one to pass on, INT 2 takes the place of
 *   injection: NMIs are still blocked, and Linux's IRET unblocks them.
 *
 * Registers that an exit does not touch
 *
 * An exit changes DR7, IA32_DEBUGCTL, the SYSENTER MSRs, FS and GS base, CR0,
 * CR3 and CR4, EFER.LMA and LME (28.5). For the first two there are controls to
 * save and load them; both are needed. EFER is saved and loaded, since root's
 * own page tables need EFER.NXE whatever the guest does. Everything else goes
 * through root as it is, if root keeps its hands off; a control that loaded it
 * would only bring in a second copy, to be kept up to date:
 *
 * - IA32_PAT: root's memory was mapped by Linux, by Linux's PAT.
 * - IA32_PERF_GLOBAL_CTRL: perf writes it all the time and without exits. An
 *   entry that loads it needs an exit that saves it, which only new CPUs have
 *   (25.7.1, bit 30). So counters count on in root, for the little that it
 *   does. The PEBS buffer is then written through root's page tables, which
 *   therefore have to map cpu_entry_area; copying the kernel half of Linux's
 *   top level does that.
 * - CET, PKRS, UINV: they protect or redirect nothing while CR4 does not enable
 *   them, and root's CR4 does not (vmx_root_cr4()). IA32_BNDCFGS is for CPL 0,
 *   for which Linux never sets it.
 * - IA32_SPEC_CTRL: the guest is the same Linux. Root has no indirect branches
 *   but through thunks, as the kernel.
 * - IA32_LBR_CTL: records of root's branches would take the place of the
 *   guest's. With both controls, exits stop recording and entries go on; as
 *   exits save IA32_LBR_CTL wherever entries can load it (28.3.1), nothing has
 *   to be kept up to date. Older LBRs hang on IA32_DEBUGCTL, which exits clear.
 * - Intel PT: concealed wherever it can be, so that a trace has neither packets
 *   of exits nor the mark of a guest (26.5.4).
 *
 * - VPID: none. Without, each exit and entry flushes what root has translated
 *   (29.4.3.1), so that root, which Linux's flushes do not reach, never works
 *   with page tables that Linux has freed or memory types that it has changed.
 *   With exits as rare as they are that costs nothing.
 *
 * Instructions that are #UD in a guest unless a control enables them are
 * enabled if CPUID has them. ENQCMD needs none: "PASID translation" is 0, so it
 * takes IA32_PASID as it is. ENCLS, ENCLV, LOADIWKEY and WBINVD exit only if a
 * control says so. XSAVES and PCONFIG exit by bitmaps, which are 0.
 */
#include "controls.h"

/* How badly is a control wanted? */
enum want_kind {
	WANT_SET,	 /* and refuse if it cannot be set */
	WANT_TO_BE_ABLE, /* set at times; refuse if it can never be */
	WANT_MAYBE,	 /* set if it can be */
	WANT_PAIR,	 /* set if the next one can be set as well */
	WANT_SECOND,	 /* the second of a pair */
};

struct want {
	enum vmx_ctl ctl;
	u64 bit;
	enum want_kind kind;
	enum vmx_need need;	  /* for WANT_SET and WANT_TO_BE_ABLE */
	enum vmx_feature feature; /* only if the CPU has this */
};

static const struct want wants[] = {
	{ VMX_CTL_PROC, PROC_SECONDARY, WANT_SET, NEED_SECONDARY, 0 },
	{ VMX_CTL_PROC, PROC_MSR_BITMAPS, WANT_SET, NEED_MSR_BITMAPS, 0 },
	{ VMX_CTL_PIN, PIN_PREEMPTION_TIMER, WANT_TO_BE_ABLE, NEED_TIMER, 0 },
	{ VMX_CTL_PROC, PROC_TERTIARY, WANT_SET, NEED_MSRLIST,
	  FEATURE_MSRLIST },

	{ VMX_CTL_PROC2, PROC2_EPT, WANT_SET, NEED_EPT, 0 },
	{ VMX_CTL_PROC2, PROC2_UNRESTRICTED, WANT_SET, NEED_UNRESTRICTED, 0 },
	{ VMX_CTL_PROC2, PROC2_VMFUNC, WANT_SET, NEED_VMFUNC, 0 },
	{ VMX_CTL_PROC2, PROC2_RDTSCP, WANT_SET, NEED_RDTSCP, FEATURE_RDTSCP },
	{ VMX_CTL_PROC2, PROC2_INVPCID, WANT_SET, NEED_INVPCID,
	  FEATURE_INVPCID },
	{ VMX_CTL_PROC2, PROC2_XSAVES, WANT_SET, NEED_XSAVES, FEATURE_XSAVES },
	{ VMX_CTL_PROC2, PROC2_USER_WAIT, WANT_SET, NEED_WAITPKG,
	  FEATURE_WAITPKG },
	{ VMX_CTL_PROC2, PROC2_PCONFIG, WANT_SET, NEED_PCONFIG,
	  FEATURE_PCONFIG },
	{ VMX_CTL_PROC2, PROC2_PT_CONCEAL, WANT_MAYBE, 0, FEATURE_PT },

	{ VMX_CTL_PROC3, PROC3_MSRLIST, WANT_SET, NEED_MSRLIST,
	  FEATURE_MSRLIST },

	{ VMX_CTL_EXIT, EXIT_HOST_64BIT, WANT_SET, NEED_64BIT, 0 },
	{ VMX_CTL_EXIT, EXIT_SAVE_DEBUG, WANT_SET, NEED_DEBUG, 0 },
	{ VMX_CTL_EXIT, EXIT_SAVE_EFER, WANT_SET, NEED_EFER, 0 },
	{ VMX_CTL_EXIT, EXIT_LOAD_EFER, WANT_SET, NEED_EFER, 0 },
	{ VMX_CTL_EXIT, EXIT_PT_CONCEAL, WANT_MAYBE, 0, FEATURE_PT },

	{ VMX_CTL_ENTRY, ENTRY_IA32E_GUEST, WANT_SET, NEED_64BIT, 0 },
	{ VMX_CTL_ENTRY, ENTRY_LOAD_DEBUG, WANT_SET, NEED_DEBUG, 0 },
	{ VMX_CTL_ENTRY, ENTRY_LOAD_EFER, WANT_SET, NEED_EFER, 0 },
	{ VMX_CTL_ENTRY, ENTRY_PT_CONCEAL, WANT_MAYBE, 0, FEATURE_PT },

	{ VMX_CTL_EXIT, EXIT_CLEAR_LBR_CTL, WANT_PAIR, 0, FEATURE_ARCH_LBR },
	{ VMX_CTL_ENTRY, ENTRY_LOAD_LBR_CTL, WANT_SECOND, 0, FEATURE_ARCH_LBR },
};

/*
 * Bits without a name that older CPUs want to be 1. A CPU that allows one to be
 * 0 gives that a meaning that we do not know (A.2).
 */
static const u64 default1[VMX_CTLS] = {
	[VMX_CTL_PIN] = PIN_DEFAULT1,
	[VMX_CTL_PROC] = PROC_DEFAULT1,
	[VMX_CTL_EXIT] = EXIT_DEFAULT1,
	[VMX_CTL_ENTRY] = ENTRY_DEFAULT1,
};

static bool can_be_set(const struct vmx_caps *c, const struct want *w)
{
	return vmx_allowed(c, w->ctl).may & w->bit;
}

/* Walk the table: what is to be set into @ctl, and what is missing. */
static u64 choose(const struct vmx_caps *c, u64 ctl[VMX_CTLS])
{
	u64 missing = 0;
	unsigned int i;

	memcpy(ctl, default1, sizeof(default1));
	for (i = 0; i < ARRAY_SIZE(wants); i++) {
		const struct want *w = &wants[i];
		bool can = can_be_set(c, w);

		if (!vmx_has_feature(c, w->feature))
			continue;
		switch (w->kind) {
		case WANT_SET:
			if (!can)
				missing |= BIT_ULL(w->need);
			break;
		case WANT_TO_BE_ABLE:
			if (!can)
				missing |= BIT_ULL(w->need);
			continue;
		case WANT_MAYBE:
			break;
		case WANT_PAIR:
			can = can && can_be_set(c, w + 1);
			break;
		case WANT_SECOND:
			can = can && can_be_set(c, w - 1);
			break;
		}
		if (can)
			ctl[w->ctl] |= w->bit;
	}
	return missing;
}

/* Is there a bit that must be 1 and that we leave 0, or the other way round? */
static bool fits(const struct vmx_caps *c, enum vmx_ctl ctl, u64 value)
{
	struct vmx_allowed a = vmx_allowed(c, ctl);

	return !(a.must & ~value) && !(value & ~a.may);
}

u64 vmx_controls_missing(const struct vmx_caps *c)
{
	static const struct {
		enum vmx_ctl ctl;
		enum vmx_need need;
	} fields[] = {
		{ VMX_CTL_PIN, NEED_KNOWN_PIN },
		{ VMX_CTL_PROC, NEED_KNOWN_PROC },
		{ VMX_CTL_PROC2, NEED_KNOWN_PROC2 },
		{ VMX_CTL_EXIT, NEED_KNOWN_EXIT },
		{ VMX_CTL_ENTRY, NEED_KNOWN_ENTRY },
	};
	u64 ctl[VMX_CTLS], missing = choose(c, ctl);
	unsigned int i;

	/* Without secondary controls there is none of what they enable. */
	if (missing & NEED(SECONDARY))
		missing &= ~(NEED(EPT) | NEED(UNRESTRICTED) |
			     NEED(VMFUNC) | NEED(RDTSCP) | NEED(INVPCID) |
			     NEED(XSAVES) | NEED(WAITPKG) | NEED(PCONFIG));
	/*
	 * Without TRUE MSRs all of default1 must be 1, and some of it has a
	 * name by now: CR3-load and CR3-store exiting (A.2).
	 */
	if (!(c->basic & BASIC_TRUE_CTLS))
		return missing | NEED(TRUE_CTLS);
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		if (!fits(c, fields[i].ctl, ctl[fields[i].ctl]))
			missing |= BIT_ULL(fields[i].need);
	return missing;
}

int vmx_controls_compute(const struct vmx_caps *c, struct vmx_controls *out)
{
	memset(out, 0, sizeof(*out));
	if (vmx_missing(c, NULL))
		return -EOPNOTSUPP;
	choose(c, out->ctl);
	out->vmfunc = VMFUNC_EPTP_SWITCHING;
	/*
	 * The guest must not clear what VMX operation needs. In CR4 that is
	 * VMXE. It sees it as 1, as Linux has it in its own copy of CR4, so
	 * that Linux writes CR4 without an exit and other users of VMX see that
	 * it is taken. In CR0 an unrestricted guest is bound to NE alone (A.7),
	 * which no 64-bit kernel clears: the processor answers with #GP, and we
	 * need not own it.
	 */
	out->cr4_mask = c->cr4_fixed0 | VMX_CR4_VMXE;
	out->cr4_shadow = c->cr4_fixed0 | VMX_CR4_VMXE;
	return 0;
}

u64 vmx_root_cr4(u64 linux_cr4)
{
	/*
	 * CET, PKS, UINTR, LASS, LAM_SUP; FRED. PKE stays: it is about pages of
	 * programs, and without it there is no WRPKRU.
	 */
	const u64 drop = BIT_ULL(23) | BIT_ULL(24) | BIT_ULL(25) |
			 BIT_ULL(27) | BIT_ULL(28) | VMX_CR4_FRED;

	return (linux_cr4 & ~drop) | VMX_CR4_VMXE;
}
