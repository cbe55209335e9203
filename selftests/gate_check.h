/* SPDX-License-Identifier: MIT */
/*
 * gate_check.h - what the gate page can do, from whatever byte one begins
 *
 * Decoded by Zydis from every offset, and followed to the end of every path.
 *What has to hold (kmod/view/gate.S):
 *
 *	- a store is one byte, VIEW_ENABLE or VIEW_DISABLE, to VIEW_LIST_AT + 8
 ** a register
 *	- VIEW_ENABLE goes to VIEW_LIST_AT + 8 * rcx, and the next instruction
 *is VMFUNC
 *	- nothing is read but where to go on (RET), so nothing is found out
 *	- nothing else is done than arithmetic in registers
 *	- a path ends by VMFUNC, by RET (to another byte of this page: all else
 *	  faults) or by a fault
 */
#ifndef GATE_CHECK_H
#define GATE_CHECK_H

#include <stddef.h>
#include <stdint.h>

enum { GATE_PAGE = 4096 };

struct gate_report {
	/* Of all paths, one for each offset, how many end how */
	unsigned vmfuncs, rets, faults;
	unsigned steps;	  /* instructions, all paths together */
	unsigned enables; /* of those, stores that enable */
	/* What is wrong, where, and on the path from where; NULL: nothing is */
	const char *what;
	size_t at, from;
};

/* 0, or -EINVAL with @r->what */
int gate_check(const uint8_t page[GATE_PAGE], struct gate_report *r);

#endif
