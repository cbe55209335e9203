// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other end of leave.c: on Linux's tables and GS base, still in VMX root
 * operation, IRQs off, on the exit stack. What an exit does not load, or loads
 * with other limits than Linux has, is put right here (SDM 28.5).
 */
#include <linux/irq_work.h>
#include <linux/panic.h>
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "cpu.h"
#include "exit.h"
#include "leave.h"
#include "root_asm.h"
#include "vmx_insn.h"

/* Exits set both limits to 0xffff, and that of TR to 0x67. */
static void restore_tables(struct vmx_cpu *c)
{
	struct desc_ptr gdt = {
		.address = vmcs_read(VMCS_GUEST_GDTR_BASE),
		.size = vmcs_read(VMCS_GUEST_GDTR_LIMIT),
	};
	struct desc_ptr idt = {
		.address = vmcs_read(VMCS_GUEST_IDTR_BASE),
		.size = vmcs_read(VMCS_GUEST_IDTR_LIMIT),
	};
	struct desc_ptr writable = {
		.address = c->linux_gdt,
		.size = gdt.size,
	};
	struct desc_struct *d = (void *)c->linux_gdt;
	u16 tr = vmcs_read(VMCS_GUEST_TR);
	u16 ldt = vmcs_read(VMCS_GUEST_LDTR);

	native_load_idt(&idt);
	/* LTR writes to the descriptor; Linux's own GDTR is read-only. */
	d[tr >> 3].type = DESC_TSS;
	native_load_gdt(&writable);
	asm volatile("ltr %w0" : : "rm" (tr) : "memory");
	native_load_gdt(&gdt);
	asm volatile("lldt %w0" : : "rm" (ldt) : "memory");
}

/*
 * A null selector is what exits have left. The descriptor of another may have
 * changed since it was loaded; then it becomes null.
 *
 * Loading GS changes the active base. An NMI must find a base that it can tell
 * from Linux's, with Linux's in the other: the order of
 * asm_load_gs_index().
 */
static void load_gs(u16 gs)
{
	asm volatile("1: mov %0, %%gs\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 1b, EX_TYPE_ZERO_REG, %k0)
		     : : "r" ((u32)gs) : "memory");
}

static void restore_selectors(struct vmx_native *n)
{
	u16 ds = vmcs_read(VMCS_GUEST_DS);
	u16 es = vmcs_read(VMCS_GUEST_ES);
	u16 fs = vmcs_read(VMCS_GUEST_FS);
	u16 gs = vmcs_read(VMCS_GUEST_GS);

	loadsegment(ds, ds);
	loadsegment(es, es);
	if (fs) {
		loadsegment(fs, fs);
		vmx_wrmsr(MSR_FS_BASE, n->fs_base);
	}
	if (gs && n->cs & 3) {
		u64 linux_base = vmx_rdmsr(MSR_GS_BASE);

		load_gs(gs);
		vmx_wrmsr(MSR_GS_BASE, linux_base);
	} else if (gs) {
		u64 other = vmx_rdmsr(MSR_KERNEL_GS_BASE);

		native_swapgs();
		load_gs(gs);
		vmx_wrmsr(MSR_GS_BASE, other);
		native_swapgs();
	}
}

/*
 * What root has translated since the exit is in use from now on, and Linux on
 * other CPUs may have changed its page tables meanwhile: flush everything,
 * global ones and all PCIDs (SDM 4.10.4.1).
 */
static void restore_cr4_and_flush(u64 cr4)
{
	asm volatile("mov %0, %%cr4" : : "r" (cr4 ^ X86_CR4_PGE) : "memory");
	asm volatile("mov %0, %%cr4" : : "r" (cr4) : "memory");
}

struct vmx_native *vmx_native_land(struct vmx_cpu *c)
{
	struct vmx_native *n = &c->native;
	u64 shadow = vmcs_read(VMCS_CR4_SHADOW);
	u64 cr4 = vmcs_read(VMCS_GUEST_CR4);
	u64 dr7 = vmcs_read(VMCS_GUEST_DR7);
	u64 debugctl = vmcs_read(VMCS_GUEST_DEBUGCTL);
	u64 lbr = vmcs_read(VMCS_ENTRY) & ENTRY_LOAD_LBR_CTL ?
		  vmcs_read(VMCS_GUEST_LBR_CTL) : 0;
	u64 *frame = (u64 *)(c->regs + 1) + 1;

	restore_tables(c);
	restore_selectors(n);
	vmcs_clear(__pa(c->vmcs));
	vmx_off();
	restore_cr4_and_flush((cr4 & ~X86_CR4_VMXE) | (shadow & X86_CR4_VMXE));
	native_set_debugreg(7, dr7);
	if (debugctl) /* exits have cleared it */
		vmx_wrmsr(MSR_IA32_DEBUGCTLMSR, debugctl);
	if (lbr)
		vmx_wrmsr(MSR_ARCH_LBR_CTL, lbr);
	c->state = c->left_for == VMX_LEAVE ? VMX_CPU_OFF : VMX_CPU_LEFT;

	if (c->left_for == VMX_DEAD)
		panic("skyipc: CPU %d: %s", c->cpu, vmx_report_what(&c->report));
	if (c->state == VMX_CPU_LEFT)
		irq_work_queue(&c->left_work);

	/*
	 * What root took and could not give any more. NMIs are still blocked
	 * then, and the handler's IRET unblocks.
	 */
	if (c->mc_pending)
		asm volatile("int $18");
	if (c->nmi_pending)
		asm volatile("int $2");
	c->mc_pending = 0;
	c->nmi_pending = 0;

	if (n->nmi_blocked && !(n->cs & 3)) {
		/* For POPF and RET; kernel code has no red zone. */
		((u64 *)n->rsp)[-1] = n->rip;
		((u64 *)n->rsp)[-2] = n->rflags;
		n->rsp -= 16;
	}
	frame[0] = n->rip;
	frame[1] = n->cs;
	frame[2] = n->rflags;
	frame[3] = n->rsp;
	frame[4] = n->ss;
	return n;
}
