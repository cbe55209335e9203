// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/ioport.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "../compat.h"
#include "ept.h"
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

static const struct vmx_reader here = { read_msr, read_cpuid };

void vmx_this_facts(struct vmx_facts *f)
{
	vmx_facts_read(f, &here, NULL);
	f->now.cr0 = read_cr0();
	f->now.cr4 = __read_cr4();
	f->now_known = true;
}

/* The first is the reason; all are there for dynamic debug. */
struct reasons {
	int cpu;
	char *why;
};

static void reason(void *ctx, const char *text)
{
	const struct reasons *r = ctx;

	pr_debug("CPU %d: %s\n", r->cpu, text);
	if (!r->why[0])
		snprintf(r->why, VMX_WHY_MAX, "CPU %d: %s", r->cpu, text);
}

int vmx_facts_check(const struct vmx_facts *f, int cpu,
		    const struct vmx_facts *first, char *why)
{
	struct reasons r = { cpu, why };
	u64 missing;

	why[0] = '\0';
	if (!SKYIPC_PT_KNOWS && vmx_notes(&f->caps) & BIT_ULL(NOTE_PT_STOPS))
		reason(&r, vmx_note_text(NOTE_PT_STOPS));
	vmx_facts_tell(f, first, reason, &r);
	if (!why[0])
		return 0;
	missing = f->bad_msr ? 0 : vmx_missing(&f->caps, &f->now);
	return missing && __ffs64(missing) == NEED_FREE ? -EBUSY : -EOPNOTSUPP;
}

/*
 * What a host bridge could have there is nothing yet. Nor is what has addresses only to
 * have struct pages, and is in a device.
 */
static int find_one(struct resource *r, void *found)
{
	if (!(r->flags & IORESOURCE_WINDOW) &&
	    r->desc != IORES_DESC_DEVICE_PRIVATE_MEMORY)
		*(bool *)found = true;
	return 0;
}

static bool is_device_beyond(u64 end)
{
	struct pci_dev *dev = NULL;

	for_each_pci_dev(dev) {
		for (int i = 0; i < PCI_BRIDGE_RESOURCES; i++) {
			const struct resource *r = &dev->resource[i];

			if (r->flags & IORESOURCE_MEM && r->parent &&
			    r->end >= end) {
				pci_dev_put(dev);
				return true;
			}
		}
	}
	return false;
}

/* Is there anything that home would not have? */
static bool beyond(void)
{
	const bool of_memory = vmx_fails(VMX_FAIL_BEYOND);
	const u64 end = BIT_ULL(EPT_ADDR_BITS);
	bool found = false;

	/* (This goes on behind a window, not in it.) */
	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_MEM,
			    of_memory ? SZ_2G : end, ~0ull, &found, find_one);
	return found || is_device_beyond(end);
}

/* As other CPUs are, to the one that asks */
static u64 unfit_here(void)
{
	struct vmx_machine m = {
		.xen_pv = cpu_feature_enabled(X86_FEATURE_XENPV),
		.pti = boot_cpu_has(X86_FEATURE_PTI),
		.xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK),
		.no_fsgsbase = !boot_cpu_has(X86_FEATURE_FSGSBASE),
		.no_invpcid = !boot_cpu_has(X86_FEATURE_INVPCID),
		.no_returns = !IS_ENABLED(CONFIG_USER_RETURN_NOTIFIER),
		.beyond = beyond(),
	};

#ifdef X86_FEATURE_CALL_DEPTH
	m.call_depth = cpu_feature_enabled(X86_FEATURE_CALL_DEPTH);
#endif
	return vmx_unfit(&m, &here, NULL);
}

static int fits(u64 unfit, char *why)
{
	if (!unfit)
		return 0;
	strscpy(why, vmx_unfit_text(__ffs64(unfit)), VMX_WHY_MAX);
	return -EOPNOTSUPP;
}

struct gather {
	struct vmx_facts *facts; /* by CPU */
};

static void gather_one(void *arg)
{
	struct gather *g = arg;

	vmx_this_facts(&g->facts[smp_processor_id()]);
}

int vmx_preflight(struct vmx_facts *f, char *why)
{
	struct gather g;
	const u64 unfit = unfit_here();
	int cpu, first = -1, error = fits(unfit & VMX_UNFIT_ANYWAY, why);

	if (error)
		return error;
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
		error = fits(unfit, why);
	if (!error)
		*f = g.facts[first];
	kvfree(g.facts);
	return error;
}
