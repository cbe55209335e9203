// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "../compat.h"
#include "fail.h"
#include "preflight.h"
#include "vmx.h"
#include "vmx_insn.h"

static int read_msr(void *unused, u32 msr, u64 *value)
{
	return skyipc_rdmsr_safe(msr, value);
}

static void read_cpuid(void *unused, u32 leaf, u32 subleaf, u32 regs[4])
{
	cpuid_count(leaf, subleaf, &regs[0], &regs[1], &regs[2], &regs[3]);
}

static void read_mtrr(struct mtrr_state *m, unsigned int phys_bits)
{
	memset(m, 0, sizeof(*m));
	m->phys_bits = phys_bits;
	/* Without MTRRs everything is as the PAT says: write-back below it. */
	if (!boot_cpu_has(X86_FEATURE_MTRR)) {
		m->def_type = MTRR_DEF_ENABLED | MEM_WB;
		return;
	}
	m->cap = vmx_rdmsr(MSR_MTRR_CAP);
	m->def_type = vmx_rdmsr(MSR_MTRR_DEF_TYPE);
	if (m->cap & MTRR_CAP_FIXED)
		for (unsigned int i = 0; i < MTRR_FIXED_REGS; i++)
			m->fixed[i] = vmx_rdmsr(mtrr_fixed_msr(i));
	for (unsigned int i = 0; i < mtrr_vars(m); i++) {
		m->var[i].base = vmx_rdmsr(MSR_MTRR_PHYS_BASE(i));
		m->var[i].mask = vmx_rdmsr(MSR_MTRR_PHYS_MASK(i));
	}
}

void vmx_facts_read(struct vmx_facts *f)
{
	static const struct vmx_reader reader = { read_msr, read_cpuid };

	f->bad_msr = 0;
	vmx_caps_read(&f->caps, &reader, NULL, &f->bad_msr);
	f->now.cr0 = read_cr0();
	f->now.cr4 = __read_cr4();
	read_mtrr(&f->mtrr, f->caps.phys_bits);
}

/* All that is missing has a line in the log; the first is the reason. */
static int lacks(u64 missing, int cpu, char *why)
{
	int first = __ffs64(missing);

	for (int i = first; i < VMX_NEEDS; i++)
		if (missing & BIT_ULL(i))
			pr_debug("CPU %d: %s\n", cpu, vmx_need_text(i));
	snprintf(why, VMX_WHY_MAX, "CPU %d: %s", cpu, vmx_need_text(first));
	return missing & NEED(FREE) ? -EBUSY : -EOPNOTSUPP;
}

static int differs(const struct vmx_facts *f, int cpu,
		   const struct vmx_facts *first, char *why)
{
	const struct vmx_cap_row *row = vmx_caps_differ(&first->caps, &f->caps);
	u64 a, b;
	u32 msr;

	if (row) {
		snprintf(why, VMX_WHY_MAX,
			 "CPU %d: %s is %#llx, and %#llx on the others", cpu,
			 row->name, vmx_cap_value(&f->caps, row),
			 vmx_cap_value(&first->caps, row));
		return -EOPNOTSUPP;
	}
	if (mtrr_differ(&first->mtrr, &f->mtrr, &msr, &a, &b)) {
		snprintf(why, VMX_WHY_MAX,
			 "CPU %d: MTRR MSR %#x is %#llx, and %#llx on the others",
			 cpu, msr, b, a);
		return -EOPNOTSUPP;
	}
	return 0;
}

/* What is Linux's to say, and the same for all CPUs. */
static const char *unfit(void)
{
	if (boot_cpu_data.x86_vendor != X86_VENDOR_INTEL &&
	    boot_cpu_data.x86_vendor != X86_VENDOR_CENTAUR &&
	    boot_cpu_data.x86_vendor != X86_VENDOR_ZHAOXIN)
		return "views need VT-x, which only Intel's CPUs have";
	if (cpu_feature_enabled(X86_FEATURE_XENPV))
		return "Linux runs under Xen, paravirtualized";
	if (boot_cpu_has(X86_FEATURE_PTI))
		return "page-table isolation is on: needs pti=off, or a CPU without the Meltdown bug";
	return NULL;
}

int vmx_facts_check(const struct vmx_facts *f, int cpu,
		    const struct vmx_facts *first, char *why)
{
	u64 missing;

	if (f->bad_msr) {
		snprintf(why, VMX_WHY_MAX, "CPU %d: MSR %#x cannot be read",
			 cpu, f->bad_msr);
		return -EOPNOTSUPP;
	}
	if (!SKYIPC_PT_KNOWS && vmx_notes(&f->caps) & BIT_ULL(NOTE_PT_STOPS)) {
		snprintf(why, VMX_WHY_MAX, "CPU %d: %s", cpu,
			 vmx_note_text(NOTE_PT_STOPS));
		return -EOPNOTSUPP;
	}
	missing = vmx_missing(&f->caps, &f->now);
	if (missing)
		return lacks(missing, cpu, why);
	return first ? differs(f, cpu, first, why) : 0;
}

struct gather {
	struct vmx_facts *facts; /* by CPU */
};

static void gather_one(void *arg)
{
	struct gather *g = arg;

	vmx_facts_read(&g->facts[smp_processor_id()]);
}

int vmx_preflight(struct vmx_facts *f, char *why)
{
	struct gather g;
	int cpu, first = -1, error = 0;

	if (unfit()) {
		strscpy(why, unfit(), VMX_WHY_MAX);
		return -EOPNOTSUPP;
	}
	g.facts = kvcalloc(nr_cpu_ids, sizeof(*g.facts), GFP_KERNEL);
	if (!g.facts || vmx_fails(VMX_FAIL_CAPS)) {
		kvfree(g.facts);
		strscpy(why, "out of memory", VMX_WHY_MAX);
		return -ENOMEM;
	}
	cpus_read_lock();
	on_each_cpu(gather_one, &g, 1);
	for_each_online_cpu(cpu) {
		error = vmx_facts_check(&g.facts[cpu], cpu,
					first < 0 ? NULL : &g.facts[first],
					why);
		if (error)
			break;
		if (first < 0)
			first = cpu;
	}
	cpus_read_unlock();
	if (!error)
		*f = g.facts[first];
	kvfree(g.facts);
	return error;
}
