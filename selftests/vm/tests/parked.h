/* SPDX-License-Identifier: MIT */
/*
 * A server for hand-over: its worker continues at code that writes down what it
 * finds in every register, for the client to see.
 */
#ifndef SKYIPC_PARKED_H
#define SKYIPC_PARKED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum reg {
	R15,
	R14,
	R13,
	R12,
	BP,
	BX,
	R11,
	R10,
	R9,
	R8,
	AX,
	CX,
	DX,
	SI,
	DI,
	IP,
	FLAGS,
	SP,
	FS,
	GS,
	REGS
};

#define XSAVE_MAX 8192

/* What the code has found; both processes see it. */
struct find {
	uint64_t regs[REGS];
	uint8_t xsave[XSAVE_MAX] __attribute__((aligned(64)));
	/* of the worker: where its C code goes on */
	uint64_t stack, own_fs, own_gs;
	uint64_t mask; /* of the features in xsave */
	uint32_t keys; /* there are protection keys */
	uint32_t want_pkru, pkru;
	uint64_t wanted_fault; /* the address of a fault to come, or 0 */
	uint64_t fault_regs[REGS];
	int faults;
	int pipe[2];
};

/*
 * At a fixed address, as the code has no register to find it with: the mapping
 * is made there before fork().
 */
#define FOUND_AT 0x600000000
#define found ((struct find *)FOUND_AT)

/* Where it may go on: */
void park_entry(void);	 /* at once */
void park_fault(void);	 /* at an instruction that reads where rbx points */
void park_trap(void);	 /* at ud2, and then there */
void park_syscall(void); /* at SYSCALL */
void park_both(void);	 /* at that read, and then there */

/* A page that faults; what the code reads there into r8 is 0. */
extern char *parked_page;

/* Before the server is there: what both have */
void parked_init(void);

/*
 * Our own image has the code at the same addresses. Its worker is its only
 * thread but the first; it ends with 97 at a call that is none of those.
 */
pid_t parked_server(int *conn);

#endif
