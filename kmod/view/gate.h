/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * gate.h - where the gates are, and what is where in them. For C and assembly.
 *
 * The gate page is the one page in which code of user mode may run in the gate
 * view: there, nothing else is executable, and nothing but this page, the page of
 * the client's thread (read only) and the EPTP list of the CPU is mapped for user
 * mode at all. From whatever byte of it somebody begins, he can do no more than
 * it is for: disable an entry of the list, enable an entry and go there in the
 * same breath, or fault; and go home only with the client's own stack pointer,
 * flags, segment bases and PKRU.
 */
#ifndef SKYIPC_VIEW_GATE_H
#define SKYIPC_VIEW_GATE_H

/* Slots of the EPTP list. No path but the return gate has 0 in rcx. */
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
 * The gate page, in the gate view; the trampoline page in all others. Above 4 GB,
 * where no compatibility mode is, and where neither programs nor libraries nor
 * sanitizers put anything.
 */
#define VIEW_AT 0x6ec300000000

/*
 * Where the thread's page is in the gate view, and only there: so far away that
 * the distances, which are in instructions, begin with c0 c3 1e likewise. The
 * first byte of each, with c0, is arithmetic in eax, too, or no instruction.
 */
#define VIEW_THREAD_FROM_GATE 0x1ec3c000
#define VIEW_THREAD_AT	      (VIEW_AT + VIEW_THREAD_FROM_GATE)

/*
 * Offsets in the gate page. Each gate is reached by a VMFUNC just before it, in
 * the trampoline page; its own VMFUNC lands at its LAND there.
 */
#define GATE_CALL_AT   0x203
#define GATE_CALL_LAND (GATE_CALL_AT + 37)
#define GATE_RET_AT    0x2c3
#define GATE_RET_LAND  (GATE_RET_AT + 73)

/*
 * The thread's page, which its client may write to: what the return gate takes
 * from it, all in one cache line. Where they are follows from the distances.
 */
#define VIEW_THREAD_FLAGS (GATE_RET_AT + 9 + 0x84)
#define VIEW_THREAD_SP	  (GATE_RET_AT + 17 + 0x84)
#define VIEW_THREAD_FS	  (GATE_RET_AT + 24 + 0x85)
#define VIEW_THREAD_PKRU  (GATE_RET_AT + 35 + 0x82) /* u32 */
#define VIEW_THREAD_GS	  (GATE_RET_AT + 47 + 0x86)

#endif
