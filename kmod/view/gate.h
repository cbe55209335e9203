/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * gate.h - where the gate is, and what is where in it. For C and assembly.
 *
 * The gate is the one page in which code of user mode may run in the gate view:
 * there, nothing else is executable, and nothing but this page and the EPTP list
 * of the CPU is mapped for user mode at all. From whatever byte of it somebody
 * begins, it can do no more than it is for: disable an entry of the list, enable
 * an entry and go there in the same breath, or fault.
 */
#ifndef SKYIPC_VIEW_GATE_H
#define SKYIPC_VIEW_GATE_H

/*
 * Slots of the EPTP list. Home is 0, so that who goes there need not load a
 * constant: none could be encoded as safely as clearing a register.
 */
#define VIEW_SLOT_HOME	0
#define VIEW_SLOT_GATE	1
#define VIEW_SLOT_FIRST 2	/* of a link */
#define VIEW_SLOTS	512

/*
 * Where the EPTP list of this CPU is mapped in the gate view, and only there: in
 * the lowest 2 GB, as an instruction has room for no more beside an index; and
 * such that the address itself, taken for instructions from any of its bytes,
 * is harmless: 00 c0 add %al,%al; c0 c3 .. rol $..,%bl; c3 ret; 1e is none.
 */
#define VIEW_LIST_AT 0x1ec3c000

/* What makes an entry valid, or not: the low byte of an EPTP (ept.h) */
#define VIEW_ENABLE  0x1e
#define VIEW_DISABLE 0

/*
 * Offsets in the page. GATE is reached by a VMFUNC just before it, in the
 * trampoline page, which is at the same address in home and in all other views;
 * the gate's own VMFUNC lands at LAND there.
 */
#define GATE_AT	  0x203
#define GATE_LAND (GATE_AT + 22)

#endif
