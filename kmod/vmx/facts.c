// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * facts.c - all that decides whether a CPU can have a root
 */
#include "ept.h"
#include "facts.h"

static u64 read_msr(struct vmx_facts *f, const struct vmx_reader *r, void *ctx,
		    u32 msr)
{
	u64 value = 0;

	if (r->rdmsr(ctx, msr, &value) && !f->bad_msr)
		f->bad_msr = msr;
	return value;
}

static void read_mtrr(struct vmx_facts *f, const struct vmx_reader *r,
		      void *ctx)
{
	struct mtrr_state *m = &f->mtrr;
	u32 regs[4];

	memset(m, 0, sizeof(*m));
	m->phys_bits = f->caps.phys_bits;
	/* Without MTRRs everything is as the PAT says: write-back below it. */
	r->cpuid(ctx, 1, 0, regs);
	if (!(regs[3] & CPUID_1_EDX_MTRR)) {
		m->def_type = MTRR_DEF_ENABLED | MEM_WB;
		return;
	}
	m->cap = read_msr(f, r, ctx, MSR_MTRR_CAP);
	m->def_type = read_msr(f, r, ctx, MSR_MTRR_DEF_TYPE);
	if (m->cap & MTRR_CAP_FIXED)
		for (unsigned int i = 0; i < MTRR_FIXED_REGS; i++)
			m->fixed[i] = read_msr(f, r, ctx, mtrr_fixed_msr(i));
	for (unsigned int i = 0; i < mtrr_vars(m); i++) {
		m->var[i].base = read_msr(f, r, ctx, MSR_MTRR_PHYS_BASE(i));
		m->var[i].mask = read_msr(f, r, ctx, MSR_MTRR_PHYS_MASK(i));
	}
}

void vmx_facts_read(struct vmx_facts *f, const struct vmx_reader *r, void *ctx)
{
	f->bad_msr = 0;
	if (vmx_caps_read(&f->caps, r, ctx, &f->bad_msr))
		return;
	if (f->caps.cpuid_1_ecx & CPUID_1_ECX_VMX)
		read_mtrr(f, r, ctx);
}

/* What the builder of the EPT would say to these MTRRs */
static unsigned int tell_home(const struct vmx_facts *f, vmx_tell *tell,
			      void *ctx)
{
	struct ept_config cfg = {
		.mtrr = &f->mtrr,
		.cap = f->caps.ept_vpid,
	};
	enum ept_refusal why = ept_check(&cfg, NULL);

	if (why == EPT_FINE)
		return 0;
	tell(ctx, ept_refusal_text(why));
	return 1;
}

static unsigned int tell_differences(const struct vmx_facts *f,
				     const struct vmx_facts *first,
				     vmx_tell *tell, void *ctx)
{
	const struct vmx_cap_row *row = vmx_caps_differ(&first->caps, &f->caps);
	char text[VMX_TEXT_MAX];
	u64 a, b;
	u32 msr;

	if (row)
		snprintf(text, sizeof(text), "%s is %#llx, on others %#llx",
			 row->name, vmx_cap_value(&f->caps, row),
			 vmx_cap_value(&first->caps, row));
	else if (mtrr_differ(&first->mtrr, &f->mtrr, &msr, &a, &b))
		snprintf(text, sizeof(text),
			 "MTRR MSR %#x is %#llx, on others %#llx", msr, b, a);
	else
		return 0;
	tell(ctx, text);
	return 1;
}

unsigned int vmx_facts_tell(const struct vmx_facts *f,
			    const struct vmx_facts *first, vmx_tell *tell,
			    void *ctx)
{
	char text[VMX_TEXT_MAX];
	unsigned int n = 0;
	u64 missing;

	if (f->bad_msr) {
		snprintf(text, sizeof(text), "MSR %#x cannot be read",
			 f->bad_msr);
		tell(ctx, text);
		return 1;
	}
	missing = vmx_missing(&f->caps, f->now_known ? &f->now : NULL);
	for (unsigned int i = 0; i < VMX_NEEDS; i++) {
		if (!(missing & BIT_ULL(i)))
			continue;
		tell(ctx, vmx_need_text(i));
		n++;
	}
	if (!n)
		n = tell_home(f, tell, ctx);
	if (!n && first)
		n = tell_differences(f, first, tell, ctx);
	return n;
}
