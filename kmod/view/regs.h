/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In root: a view's registers, from what is parked to the guest, and back. Vectors and
 * PKRU are for whoever does so.
 */
#ifndef SKYIPC_VIEW_REGS_H
#define SKYIPC_VIEW_REGS_H

#include <asm/processor-flags.h>

#include "kcall/park.h"
#include "vmx/cpu.h"
#include "vmx/vmcs.h"
#include "vmx/vmx_insn.h"

static inline void view_regs_load(struct vmx_regs *r, const struct sky_park *p)
{
	r->r15 = p->r15;
	r->r14 = p->r14;
	r->r13 = p->r13;
	r->r12 = p->r12;
	r->r11 = p->r11;
	r->r10 = p->r10;
	r->r9 = p->r9;
	r->r8 = p->r8;
	r->rax = p->ax;
	r->rbx = p->bx;
	r->rcx = p->cx;
	r->rdx = p->dx;
	r->rsi = p->si;
	r->rdi = p->di;
	r->rbp = p->bp;
	vmcs_write(VMCS_GUEST_RIP, p->ip);
	vmcs_write(VMCS_GUEST_RSP, p->sp);
	vmcs_write(VMCS_GUEST_RFLAGS, p->flags & ~X86_EFLAGS_TF);
	vmcs_write(VMCS_GUEST_FS_BASE, p->fs_base);
	vmcs_write(VMCS_GUEST_GS_BASE, p->gs_base);
}

static inline void view_regs_save(struct sky_park *p, const struct vmx_regs *r)
{
	p->r15 = r->r15;
	p->r14 = r->r14;
	p->r13 = r->r13;
	p->r12 = r->r12;
	p->r11 = r->r11;
	p->r10 = r->r10;
	p->r9 = r->r9;
	p->r8 = r->r8;
	p->ax = r->rax;
	p->bx = r->rbx;
	p->cx = r->rcx;
	p->dx = r->rdx;
	p->si = r->rsi;
	p->di = r->rdi;
	p->bp = r->rbp;
	p->ip = vmcs_read(VMCS_GUEST_RIP);
	p->sp = vmcs_read(VMCS_GUEST_RSP);
	p->flags = vmcs_read(VMCS_GUEST_RFLAGS);
	p->fs_base = vmcs_read(VMCS_GUEST_FS_BASE);
	p->gs_base = vmcs_read(VMCS_GUEST_GS_BASE);
}

#endif
