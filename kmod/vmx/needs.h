/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * needs.h - what a CPU must have and be like for the root, each with the words
 * in which its lack is told: by insmod for each CPU, and by `skyctl doctor`
 */
#ifndef VMX_NEEDS_H
#define VMX_NEEDS_H

#include "caps.h"
#include "types.h"

enum vmx_need {
	/* VMX can be turned on */
	NEED_VMX,
	NEED_LOCKED,
	NEED_ENABLED,
	NEED_FREE,
	NEED_CR0,
	NEED_CR4,
	NEED_NO_FRED,
	NEED_VMCS_TYPE,
	NEED_VMCS_ADDRESS,
	NEED_TRUE_CTLS,
	/* EPT */
	NEED_SECONDARY,
	NEED_EPT,
	NEED_EPT_WALK4,
	NEED_EPT_WB,
	NEED_EPT_2M,
	NEED_INVEPT,
	NEED_INVEPT_SINGLE,
	NEED_INVEPT_ALL,
	/* views */
	NEED_VMFUNC,
	NEED_EPTP_SWITCHING,
	/* a guest that does not notice */
	NEED_UNRESTRICTED,
	NEED_EXIT_LMA,
	NEED_MSR_BITMAPS,
	NEED_TIMER,
	NEED_64BIT,
	NEED_DEBUG,
	NEED_EFER,
	NEED_RDTSCP,
	NEED_INVPCID,
	NEED_XSAVES,
	NEED_WAITPKG,
	NEED_PCONFIG,
	NEED_MSRLIST,
	/* bits that must be 1 and that we do not know, in each field */
	NEED_KNOWN_PIN,
	NEED_KNOWN_PROC,
	NEED_KNOWN_PROC2,
	NEED_KNOWN_EXIT,
	NEED_KNOWN_ENTRY,
	VMX_NEEDS
};

#define NEED(need) BIT_ULL(NEED_##need)

static_assert(VMX_NEEDS <= 64, "a bit for each in a u64");

/* How a CPU is just now, besides what it can do */
struct vmx_now {
	u64 cr0;
	u64 cr4;
};

/*
 * What is missing, one bit for each enum vmx_need; 0 if the root can run. @now
 * is NULL where nobody can know, as in user space. Where a lack implies others,
 * it alone is told.
 */
u64 vmx_missing(const struct vmx_caps *c, const struct vmx_now *now);

/* One line for people. NULL beyond VMX_NEEDS. */
const char *vmx_need_text(enum vmx_need need);

/* What is the machine's and the kernel's to say, and the same for all CPUs */
enum vmx_unfit {
	UNFIT_VENDOR,
	UNFIT_XEN_PV,
	UNFIT_PTI,
	UNFIT_CALL_DEPTH,
	UNFIT_XCR0,
	UNFIT_FSGSBASE,
	UNFIT_INVPCID,
	UNFIT_RETURNS,
	UNFIT_BEYOND,
	VMX_UNFITS
};

/*
 * Reasons whatever the CPUs have. Of the others, where a CPU lacks something, that is
 * the better word.
 */
#define VMX_UNFIT_ANYWAY (BIT_ULL(UNFIT_FSGSBASE) - 1)

/*
 * Components that programs may have: x87, SSE, AVX, MPX, AVX-512, PKRU, tiles, APX. One
 * more would cross from client to server, or be lost, unless somebody has thought of it.
 */
#define VMX_XCR0_KNOWN (GENMASK_ULL(7, 0) | BIT_ULL(9) | GENMASK_ULL(19, 17))

struct vmx_machine {
	bool xen_pv;	/* Linux runs in a paravirtualized domain of Xen */
	bool pti;	/* page-table isolation is on */
	bool call_depth; /* calls are counted in Linux's per-CPU area */
	u64 xcr0;	/* what Linux lets programs have of XSAVE's components */
	/* What Linux itself does not use, views cannot. */
	bool no_fsgsbase;
	bool no_invpcid;
	bool no_returns; /* nobody can be told of returns to user space */
	bool beyond;	 /* something has more than EPT_ADDR_BITS of address */
};

/* One bit for each enum vmx_unfit; 0 if the root can run. */
u64 vmx_unfit(const struct vmx_machine *m, const struct vmx_reader *r,
	      void *ctx);
const char *vmx_unfit_text(enum vmx_unfit unfit);

/* What works with the root, but not as without it; no reason to refuse. */
enum vmx_note { NOTE_PT_STOPS, NOTE_LBR_SHOWS_ROOT, VMX_NOTES };

u64 vmx_notes(const struct vmx_caps *c);
const char *vmx_note_text(enum vmx_note note);

#endif
