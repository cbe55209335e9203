/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * controls.h - the controls of a thin root, computed from what a CPU can do
 *
 * The aim: a guest that does nothing but what Linux does all day never leaves,
 * and finds every instruction and every register as it was without us.
 * docs/root.md says what is left that exits.
 */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include "caps.h"
#include "needs.h"
#include "types.h"

/*
 * What is written to the VMCS. Fields that are not here are 0: exception
 * bitmap, page-fault mask and match, CR3 targets, XSS-, ENCLS-, ENCLV- and
 * PCONFIG-exiting bitmaps, TSC offset.
 */
struct vmx_controls {
	u64 ctl[VMX_CTLS];
	u64 vmfunc;
	/*
	 * Bits of CR0 and CR4 that the guest cannot change: reads give what it
	 * thinks they are, writes that would change them exit (25.6.6).
	 */
	u64 cr0_mask;
	u64 cr4_mask;
	u64 cr4_shadow; /* of the bits in cr4_mask */
};

/*
 * Compute them. -EOPNOTSUPP if the CPU lacks something, which vmx_missing()
 * tells in words.
 */
int vmx_controls_compute(const struct vmx_caps *c, struct vmx_controls *out);

/*
 * What the controls alone need and @c has not; one bit for each enum vmx_need.
 * vmx_missing() is the whole truth.
 */
u64 vmx_controls_missing(const struct vmx_caps *c);

/*
 * CR4 for the root itself: as Linux has it, without what gives CPL 0
 * protections and entries that root is not prepared for, and with VMXE.
 */
u64 vmx_root_cr4(u64 linux_cr4);

#endif
