// SPDX-License-Identifier: GPL-2.0-only
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "fail.h"
#include "home.h"
#include "preflight.h"
#include "vmx.h"

/*
 * Charged to who makes it: a view to its client, home to who starts the root, or
 * to nobody if that is one of the kernel's threads.
 */
static u64 *table_alloc(void *ctx, u64 *phys)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (table)
		*phys = __pa(table);
	return table;
}

static void table_free(void *ctx, u64 *table, u64 phys)
{
	free_page((unsigned long)table);
}

static u64 *table_at(void *ctx, u64 phys)
{
	return __va(phys);
}

static void *small_alloc(void *ctx, size_t size)
{
	return kzalloc(size, GFP_KERNEL_ACCOUNT);
}

static void small_free(void *ctx, void *p)
{
	kfree(p);
}

static const struct ept_ops ops = {
	.table_alloc = table_alloc,
	.table_free = table_free,
	.table_at = table_at,
	.alloc = small_alloc,
	.free = small_free,
};

struct vmx_mtrrs *vmx_home_mtrrs(const struct mtrr_state *m)
{
	u32 n = 0, vars = mtrr_vars(m);
	struct vmx_mtrrs *t;

	t = kzalloc(struct_size(t, regs, 1 + MTRR_FIXED_REGS + 2 * vars),
		    GFP_KERNEL);
	if (!t)
		return NULL;
	if (!m->cap) /* not even the default type is a register then */
		return t;
	t->regs[n++] = (struct vmx_mtrr){ MSR_MTRR_DEF_TYPE, m->def_type };
	if (m->cap & MTRR_CAP_FIXED)
		for (u32 i = 0; i < MTRR_FIXED_REGS; i++)
			t->regs[n++] = (struct vmx_mtrr){ mtrr_fixed_msr(i),
							  m->fixed[i] };
	for (u32 i = 0; i < vars; i++) {
		t->regs[n++] = (struct vmx_mtrr){ MSR_MTRR_PHYS_BASE(i),
						  m->var[i].base };
		t->regs[n++] = (struct vmx_mtrr){ MSR_MTRR_PHYS_MASK(i),
						  m->var[i].mask };
	}
	t->count = n;
	return t;
}

int vmx_home_make(const struct vmx_facts *f, struct ept **home, char *why)
{
	struct ept_config cfg = {
		.mtrr = &f->mtrr,
		.cap = f->caps.ept_vpid,
	};
	int error = vmx_fails(VMX_FAIL_EPT) ? -ENOMEM :
		    ept_home_create(&cfg, &ops, NULL, home);

	if (error == -EOPNOTSUPP)
		snprintf(why, VMX_WHY_MAX, "EPT: %s",
			 ept_refusal_text(ept_check(&cfg, NULL)));
	else if (error)
		strscpy(why, "out of memory for the EPT", VMX_WHY_MAX);
	return error;
}
