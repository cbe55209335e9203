/* SPDX-License-Identifier: MIT */
/*
 * A server that has code of its own where others have the trampoline, and looks
 * at what it finds in registers there.
 */
#ifndef SKYIPC_VIEW_SPY_H
#define SKYIPC_VIEW_SPY_H

/* Where it writes, in all processes */
#define VIEW_SPY_AT 0x200000000000

#ifndef __ASSEMBLER__

#include <stdint.h>

/* What it has found, of its last call; view_spy.S knows where that is. */
struct spy_found {
	uint64_t sp, fs, gs, ax, cx, dx, bx, bp, si, di, r8, r9, r10, r11, r12,
		r13, r14, r15;
	uint64_t calls;
	/* What it does: leaves that in PKRU */
	uint32_t sets_pkru, pkru;
};

/* Shared with servers that are made later */
struct spy_found *spy_begin(void);
/* For view_before_serving */
void spy_becomes(void);

#endif
#endif
