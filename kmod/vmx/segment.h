/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A segment register of the guest: four fields of the VMCS, which lie at the
 * same distance from each other for every one of them. Named by its selector's
 * field, VMCS_GUEST_ES to VMCS_GUEST_TR.
 */
#ifndef SKYIPC_VMX_SEGMENT_H
#define SKYIPC_VMX_SEGMENT_H

#include "vmcs.h"
#include "vmx_insn.h"

/* Returns whether it failed. */
static inline bool vmcs_write_segment(u32 field, u16 selector, u64 base,
				      u32 limit, u32 rights)
{
	u32 distance = field - VMCS_GUEST_ES;
	bool failed = vmcs_write(field, selector);

	failed |= vmcs_write(VMCS_GUEST_ES_BASE + distance, base);
	failed |= vmcs_write(VMCS_GUEST_ES_LIMIT + distance, limit);
	return failed | vmcs_write(VMCS_GUEST_ES_RIGHTS + distance, rights);
}

#endif
