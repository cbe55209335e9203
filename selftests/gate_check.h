/* SPDX-License-Identifier: MIT */
/*
 * gate_check.h - what the gate page can do, from whatever byte one begins
 *
 * Decoded by Zydis from every offset, and followed to the end of every path,
 * with what is known of registers on it. What has to hold (kmod/view/gate.S):
 *
 *	- a store is one byte, VIEW_ENABLE or VIEW_DISABLE, to VIEW_LIST_AT + 8
 *	  times a register
 *	- VIEW_ENABLE goes to the entry of ecx, and the next instruction is
 *	  VMFUNC
 *	- who goes out with 0 in ecx, that is home, has taken flags, rsp and the
 *	  bases of fs and gs from the thread's page, on this path and in full;
 *	  and PKRU, if this is the page for machines that have it
 *	- who has read anything else has 1 in ecx still, and does not get out
 *	- nothing else is done than arithmetic in registers
 *	- the call gate takes rsp and the bases of fs and gs from rsi and rdx,
 *	  which are 0 in a client
 *	- a path ends by VMFUNC with something else than 1 in ecx, by RET (to
 *	  another byte of this page: all else faults; what is known by then is
 *	  forgotten, so such a path must not have loaded anything) or by a fault
 */
#ifndef GATE_CHECK_H
#define GATE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GATE_PAGE = 4096 };

struct gate_report {
	/* Of all paths, how many end how */
	unsigned homes, links, rets, faults;
	unsigned steps;	  /* instructions, all paths together */
	unsigned enables; /* of those, stores that enable */
	/* What is wrong, where, and on the path from where; NULL: nothing is */
	const char *what;
	size_t at, from;
};

/* 0, or -EINVAL with @r->what */
int gate_check(const uint8_t page[GATE_PAGE], bool has_pkru,
	       struct gate_report *r);

#endif
