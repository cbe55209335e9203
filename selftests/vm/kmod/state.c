// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that a CPU has and that must be the same before the root, with it (but
 * for VMX) and after it. Read by one thread that stays on one CPU.
 */
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "test.h"

static const struct {
	const char *name;
	u32 number;
} msrs[] = {
	{ "EFER", MSR_EFER },
	{ "STAR", MSR_STAR },
	{ "LSTAR", MSR_LSTAR },
	{ "CSTAR", MSR_CSTAR },
	{ "SYSCALL_MASK", MSR_SYSCALL_MASK },
	{ "FS_BASE", MSR_FS_BASE },
	{ "GS_BASE", MSR_GS_BASE },
	{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE },
	{ "TSC_AUX", MSR_TSC_AUX },
	{ "SYSENTER_CS", MSR_IA32_SYSENTER_CS },
	{ "SYSENTER_ESP", MSR_IA32_SYSENTER_ESP },
	{ "SYSENTER_EIP", MSR_IA32_SYSENTER_EIP },
	{ "PAT", MSR_IA32_CR_PAT },
	{ "DEBUGCTL", MSR_IA32_DEBUGCTLMSR },
	{ "APICBASE", MSR_IA32_APICBASE },
	{ "MISC_ENABLE", MSR_IA32_MISC_ENABLE },
	{ "SPEC_CTRL", MSR_IA32_SPEC_CTRL },
	{ "PERF_GLOBAL_CTRL", MSR_CORE_PERF_GLOBAL_CTRL },
	{ "XSS", MSR_IA32_XSS },
	{ "FEATURE_CONTROL", MSR_IA32_FEAT_CTL },
	{ "VMX_BASIC", MSR_IA32_VMX_BASIC },
	{ "VMX_EPT_VPID_CAP", MSR_IA32_VMX_EPT_VPID_CAP },
	{ "MTRRcap", 0xfe },
	{ "MTRRdefType", 0x2ff },
	{ "MCG_CAP", MSR_IA32_MCG_CAP },
	{ "NO_SUCH_MSR", 0x1fff },
	{ "OUT_OF_RANGE", 0x40000000 },
};

static void show_msrs(struct seq_file *m)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		u64 value;

		if (rdmsrl_safe(msrs[i].number, &value))
			seq_printf(m, "%s fault\n", msrs[i].name);
		else
			seq_printf(m, "%s %llx\n", msrs[i].name, value);
	}
}

static void show_control(struct seq_file *m)
{
	unsigned long dr; /* and CR8 */

	/* TS and the like don't change under us; CR3 is ours. */
	seq_printf(m, "CR0 %lx\n", read_cr0());
	seq_printf(m, "CR3 %lx\n", __read_cr3() & PAGE_MASK);
	seq_printf(m, "CR4 %lx\n", __read_cr4());
	asm volatile("mov %%cr8, %0" : "=r" (dr));
	seq_printf(m, "CR8 %lx\n", dr);
	get_debugreg(dr, 0);
	seq_printf(m, "DR0 %lx\n", dr);
	get_debugreg(dr, 1);
	seq_printf(m, "DR1 %lx\n", dr);
	get_debugreg(dr, 2);
	seq_printf(m, "DR2 %lx\n", dr);
	get_debugreg(dr, 3);
	seq_printf(m, "DR3 %lx\n", dr);
	get_debugreg(dr, 7);
	seq_printf(m, "DR7 %lx\n", dr);
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		seq_printf(m, "XCR0 %llx\n", xgetbv(0));
}

#define SHOW_SELECTOR(m, reg)						\
do {									\
	u16 selector;							\
									\
	asm volatile("mov %%" #reg ", %0" : "=r" (selector));		\
	show_selector(m, #reg, selector);				\
} while (0)

static void show_selector(struct seq_file *m, const char *name, u16 selector)
{
	u32 rights = 0, limit = 0;

	asm("lar %1, %0" : "+r" (rights) : "rm" ((u32)selector) : "cc");
	asm("lsl %1, %0" : "+r" (limit) : "rm" ((u32)selector) : "cc");
	seq_printf(m, "%s %x %x %x\n", name, selector, rights, limit);
}

/* All there are: home must not change them. */
static void show_mtrrs(struct seq_file *m)
{
	static const u16 fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
				     0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
	u64 cap, value;

	if (rdmsrl_safe(0xfe, &cap))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(fixed); i++)
		if (!rdmsrl_safe(fixed[i], &value))
			seq_printf(m, "MTRR.%x %llx\n", fixed[i], value);
	for (u32 msr = 0x200; msr < 0x200 + 2 * (cap & 0xff); msr++)
		if (!rdmsrl_safe(msr, &value))
			seq_printf(m, "MTRR.%x %llx\n", msr, value);
}

/* What the GDT in memory says; the hidden part can only be tried. */
static void show_base(struct seq_file *m, const char *name, u16 selector)
{
	const struct desc_struct *gdt = get_cpu_gdt_ro(smp_processor_id());
	const struct ldttss_desc *d = (const void *)&gdt[selector >> 3];

	if (selector >> 3)
		seq_printf(m, "%s.base %llx\n", name, d->base0 |
			   d->base1 << 16 | (u64)d->base2 << 24 |
			   (u64)d->base3 << 32);
}

static void show_tables(struct seq_file *m)
{
	struct desc_ptr gdt, idt;
	u16 tr, ldt;

	SHOW_SELECTOR(m, cs);
	SHOW_SELECTOR(m, ss);
	SHOW_SELECTOR(m, ds);
	SHOW_SELECTOR(m, es);
	SHOW_SELECTOR(m, fs);
	SHOW_SELECTOR(m, gs);
	native_store_gdt(&gdt);
	store_idt(&idt);
	seq_printf(m, "GDTR %lx %x\n", gdt.address, gdt.size);
	seq_printf(m, "IDTR %lx %x\n", idt.address, idt.size);
	store_tr(tr);
	store_ldt(ldt);
	show_selector(m, "TR", tr);
	show_selector(m, "LDTR", ldt);
	show_base(m, "TR", tr);
	show_base(m, "LDTR", ldt);
}

static void show_cpuid(struct seq_file *m)
{
	static const u32 leaves[] = { 0, 1, 4, 6, 7, 0xa, 0xb, 0xd, 0x14,
				      0x80000000, 0x80000001, 0x80000008 };

	for (unsigned int i = 0; i < ARRAY_SIZE(leaves); i++)
		for (u32 sub = 0; sub < 4; sub++) {
			u32 a, b, c, d;

			cpuid_count(leaves[i], sub, &a, &b, &c, &d);
			seq_printf(m, "CPUID.%x.%u %x %x %x %x\n", leaves[i],
				   sub, a, b, c, d);
		}
}

void test_state_show(struct seq_file *m)
{
	preempt_disable();
	seq_printf(m, "CPU %d\n", smp_processor_id());
	show_control(m);
	show_tables(m);
	show_msrs(m);
	show_mtrrs(m);
	show_cpuid(m);
	preempt_enable();
}
