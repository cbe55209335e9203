/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * layout.h - the pages of views and what is where in them, beside the gate
 * page. For C and assembly, the kernel and programs.
 *
 *	VIEW_AT		home, links: trampoline		gate: gate page
 *	VIEW_PAGE_AT	links: the link's view page	home: VIEW_PAGE_MASK only
 *	VIEW_THREAD_AT	gate: the thread's page
 *	VIEW_LIST_AT	gate: the EPTP list of this CPU
 *
 * The trampoline and VIEW_PAGE_AT are where a process has mapped them, and it
 * may map something else there: nobody relies on what another one has there.
 */
#ifndef SKYIPC_VIEW_LAYOUT_H
#define SKYIPC_VIEW_LAYOUT_H

#include "gate.h"

/*
 * The trampoline page. CALL, by the client's thread at home, and RETURN, by the
 * handler in the link's view: with the message in registers, which are what comes
 * out at the other end; all else is cleared on the way.
 *
 *	edi	op of a request, status of a reply
 *	r9, r10, r12-r15	the words
 *	rbx, rbp	ext[0], ext[1]
 *
 *	CALL	r8d slot, r11 key, rdx the thread's page. Is called, and returns
 *		as a function does, with eax 0, or -errno and no reply (-EAGAIN: it has
 *		not begun, and the message's registers are as they were); fs and gs as
 *		in the thread's page; flags, x87 and MXCSR as initialized; PKRU as it
 *		was. The handler of a signal may call, too, whatever it has
 *		interrupted, if it leaves VIEW_THREAD_SP and _PKRU as they were
 *	ENTRY	where a call comes out: on the stack, with fs and gs, of the view
 *		page; jumps to the handler's entry there, with nothing on the stack
 *	RETURN	is jumped to, with the address in rax where it goes on if this is the
 *		worker's own thread: there everything is as it was. r11 is the
 *		handler's, too: the key (its lowest bit may be another one), which the
 *		client knows, and no other server that the handler may have called
 *	RESUME	where Linux sees a client's thread whose call is parked
 *	NEST	as CALL, by a handler in a link's view; rdx is the address that has been
 *		lent for that (struct skyipc_dev_lend), of three words; the first is 0
 *		when nobody has called so
 */
#define VIEW_RESUME 0x1c0
#define VIEW_CALL   (GATE_CALL_AT - 3 - 46)
#define VIEW_RETURN (GATE_RET_AT - 3 - 39)
#define VIEW_ENTRY  GATE_CALL_LAND
#define VIEW_BACK   GATE_RET_LAND /* eax says what has come of the call */
#define VIEW_NEST	  0x600
#define VIEW_NEST_SAVES	  0x60e /* from then on, those words have it */
#define VIEW_NEST_RETURN  0x680
#define VIEW_NEST_BACK	  0x700 /* where it comes back */
#define VIEW_NEST_FAILED  0x703 /* ... or has not begun; r8d is why */
#define VIEW_NEST_TAIL	  0x780 /* the rest of it can be done at home */
#define VIEW_NEST_END	  0x800

/*
 * In the thread's page, too: how many ns the call may take. Written by its client
 * before; what begins to count it, at the first interrupt, writes 0.
 */
#define VIEW_THREAD_TIMEOUT 0x370

/* The view page, read-only for programs */
#define VIEW_PAGE_AT	(VIEW_AT + 0x1000)
#define VIEW_PAGE_MASK	0	/* u32: XSAVE components to be cleared */
#define VIEW_PAGE_SLOT	4	/* u32: of this link, if it is called from home; or 0 */
#define VIEW_PAGE_KEY	8	/* u64: the client's to show */
#define VIEW_PAGE_SP	16	/* u64: the worker's ... */
#define VIEW_PAGE_FS	24
#define VIEW_PAGE_GS	32
#define VIEW_PAGE_ENTRY 40	/* ... and where its handler begins */
#define VIEW_PAGE_PKRU	48	/* u32: the worker's */
#define VIEW_PAGE_FLAGS 56	/* u64: a handler's at first */
#define VIEW_PAGE_NEST	64	/* u64: what has been lent for nested calls */
#define VIEW_PAGE_SELF	72	/* u32: the slot of this link */
#define VIEW_PAGE_PARENT 76	/* u32: of the one that calls by this one; or 0 */

#endif
