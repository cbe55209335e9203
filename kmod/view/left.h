/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What view_left() goes by; made by tables.c before there is a view.
 */
#ifndef SKYIPC_VIEW_LEFT_H
#define SKYIPC_VIEW_LEFT_H

#include <linux/types.h>

/* Where Linux's own IDT leads to */
extern u64 view_handlers[256];
/* ... and SYSCALL and SYSENTER, whose first instructions are not the stubs' */
extern u64 view_entries[2];
/* XSAVE components: what is parked, and all that a view may have in use */
extern u64 view_park_features, view_all_features;
/*
 * Nanoseconds to TSC: 32 bits are enough for 1 THz. What takes more than two years
 * takes for ever, so that nothing overflows.
 */
extern u32 view_tsc_mult;
#define VIEW_TSC_SHIFT 22
#define VIEW_TIMEOUT_BITS 56

#endif
