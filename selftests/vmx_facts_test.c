/* SPDX-License-Identifier: MIT */
/* vmx_facts_test.c - reading a CPU, and telling what is in the way on it */
#include "testlib.h"

#include "ept.h"
#include "facts.h"
#include "vmx_cpus.h"

/* A CPU with MTRRs; @deaf cannot be read. */
struct cpu {
	const struct vmx_cpu *cpu;
	const char *vendor;
	bool mtrrs;
	u32 deaf;
	u64 cap;
	u64 var0;
};

static int cpu_rdmsr(void *ctx, u32 msr, u64 *value)
{
	const struct cpu *c = ctx;

	if (msr == c->deaf)
		return -EIO;
	if (c->mtrrs && (msr == MSR_MTRR_CAP || msr == MSR_MTRR_DEF_TYPE ||
			 (msr >= 0x200 && msr < 0x400))) {
		*value = msr == MSR_MTRR_CAP		? c->cap
			 : msr == MSR_MTRR_DEF_TYPE	? 0xc06
			 : msr == MSR_MTRR_PHYS_BASE(0) ? c->var0
							: msr;
		return 0;
	}
	return vmx_cpu_reader.rdmsr((void *)(uintptr_t)c->cpu, msr, value);
}

static void cpu_cpuid(void *ctx, u32 leaf, u32 subleaf, u32 regs[4])
{
	const struct cpu *c = ctx;

	vmx_cpu_reader.cpuid((void *)(uintptr_t)c->cpu, leaf, subleaf, regs);
	if (leaf == 1)
		regs[3] = c->mtrrs ? BIT(12) : 0;
	if (leaf == 0) {
		memcpy(&regs[1], c->vendor, 4);
		memcpy(&regs[3], c->vendor + 4, 4);
		memcpy(&regs[2], c->vendor + 8, 4);
	}
}

static const struct vmx_reader reader = { cpu_rdmsr, cpu_cpuid };

static struct cpu good(void)
{
	return (struct cpu){
		vmx_cpu_good(), "GenuineIntel", true, 0, 0x502, 0
	};
}

static struct vmx_facts *facts_of(struct cpu cpu)
{
	struct vmx_facts *f = malloc(sizeof(*f));

	assert_non_null(f);
	memset(f, 0x5a, sizeof(*f)); /* nothing may be left as it was */
	f->now = vmx_linux_now;
	f->now_known = true;
	vmx_facts_read(f, &reader, &cpu);
	return f;
}

struct told {
	unsigned int n;
	char text[8][VMX_TEXT_MAX];
};

static void hear(void *ctx, const char *text)
{
	struct told *t = ctx;

	assert_true(t->n < ARRAY_LEN(t->text));
	assert_in_range(strlen(text), 5, VMX_TEXT_MAX - 2);
	strcpy(t->text[t->n++], text);
}

static struct told tell(const struct vmx_facts *f,
			const struct vmx_facts *first)
{
	struct told t = { 0 };
	unsigned int n = vmx_facts_tell(f, first, hear, &t);

	assert_int_equal(n, t.n);
	return t;
}

static void nothing_in_the_way(void **state)
{
	struct vmx_facts *a = facts_of(good()), *b = facts_of(good());

	(void)state;
	assert_int_equal(tell(a, NULL).n, 0);
	assert_int_equal(tell(a, b).n, 0);
	free(a);
	free(b);
}

static void mtrrs(void **state)
{
	struct cpu cpu = good();
	struct vmx_facts *f = facts_of(cpu);

	(void)state;
	assert_int_equal(f->mtrr.phys_bits, f->caps.phys_bits);
	assert_int_equal(f->mtrr.cap, 0x502);
	assert_int_equal(f->mtrr.def_type, 0xc06);
	for (unsigned int i = 0; i < MTRR_FIXED_REGS; i++)
		assert_int_equal(f->mtrr.fixed[i], mtrr_fixed_msr(i));
	assert_int_equal(f->mtrr.var[1].base, 0x202);
	assert_int_equal(f->mtrr.var[1].mask, 0x203);
	assert_int_equal(f->mtrr.var[2].mask, 0); /* there are two */
	free(f);
	/* No fixed ranges: those MSRs would fault. */
	cpu.cap = 2;
	cpu.deaf = 0x250;
	f = facts_of(cpu);
	assert_int_equal(f->bad_msr, 0);
	assert_int_equal(f->mtrr.fixed[0], 0);
	free(f);
	/* As many as the register can say */
	cpu.cap = 255;
	f = facts_of(cpu);
	assert_int_equal(f->mtrr.var[254].mask, 0x3fd);
	free(f);
	/* None at all: all is write-back. */
	cpu.mtrrs = false;
	f = facts_of(cpu);
	assert_int_equal(f->bad_msr, 0);
	assert_int_equal(f->mtrr.cap, 0);
	assert_int_equal(f->mtrr.def_type, MTRR_DEF_ENABLED | MEM_WB);
	free(f);
}

static void unreadable(void **state)
{
	static const u32 msrs[] = { 0x3a,  0x480, 0x491, 0xfe,
				    0x2ff, 0x250, 0x26f, 0x203 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(msrs); i++) {
		struct cpu cpu = good();
		struct vmx_facts *f;
		struct told t;
		char want[64];

		cpu.deaf = msrs[i];
		f = facts_of(cpu);
		t = tell(f, NULL);
		snprintf(want, sizeof(want), "MSR %#x cannot be read", msrs[i]);
		assert_int_equal(t.n, 1);
		assert_string_equal(t.text[0], want);
		free(f);
	}
}

static void lacks(void **state)
{
	struct vmx_facts *f = facts_of(good()), *first = facts_of(good());
	struct vmx_cpu none = *vmx_cpu_good();
	struct cpu cpu = good();
	struct told t;

	(void)state;
	f->caps.feature_control = 1;
	f->caps.vmfunc = 0;
	f->now.cr4 |= VMX_CR4_VMXE;
	t = tell(f, first); /* and not that they differ as well */
	assert_int_equal(t.n, 3);
	assert_string_equal(t.text[0], vmx_need_text(NEED_ENABLED));
	assert_string_equal(t.text[1], vmx_need_text(NEED_FREE));
	assert_string_equal(t.text[2], vmx_need_text(NEED_EPTP_SWITCHING));
	f->now_known = false; /* as in user space */
	assert_int_equal(tell(f, NULL).n, 2);
	free(f);

	none.leaf_1_ecx &= ~0x20u;
	cpu.cpu = &none;
	cpu.deaf = MSR_MTRR_CAP; /* not even asked for */
	f = facts_of(cpu);
	t = tell(f, NULL);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.text[0], vmx_need_text(NEED_VMX));
	free(f);
	free(first);
}

static void differences(void **state)
{
	struct cpu cpu = good();
	struct vmx_facts *first = facts_of(cpu), *f;
	struct told t;

	(void)state;
	cpu.var0 = 0x80000006;
	f = facts_of(cpu);
	assert_int_equal(tell(f, NULL).n, 0);
	t = tell(f, first);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.text[0],
			    "MTRR MSR 0x200 is 0x80000006, on others 0");
	first->caps.basic ^= 1;
	t = tell(f, first); /* it is enough to know one */
	assert_int_equal(t.n, 1);
	assert_non_null(strstr(t.text[0], "IA32_VMX_BASIC is 0x"));
	free(f);
	free(first);
}

/* MTRRs that no processor has: home cannot be made. */
static void impossible(void **state)
{
	struct vmx_facts *f = facts_of(good());
	struct told t;

	(void)state;
	f->mtrr.phys_bits = 60;
	t = tell(f, NULL);
	assert_int_equal(t.n, 1);
	assert_string_equal(t.text[0], ept_refusal_text(EPT_BAD_MTRR));
	free(f);
}

static void machines(void **state)
{
	static const struct {
		const char *vendor;
		struct vmx_machine machine;
		u64 want;
	} rows[] = {
		{ "GenuineIntel", { 0 }, 0 },
		{ "CentaurHauls", { 0 }, 0 },
		{ "  Shanghai  ", { 0 }, 0 },
		{ "AuthenticAMD", { 0 }, BIT_ULL(UNFIT_VENDOR) },
		{ "HygonGenuine",
		  { .xen_pv = true, .pti = true },
		  BIT_ULL(UNFIT_VENDOR) },
		{ "GenuineIntel", { .xen_pv = true }, BIT_ULL(UNFIT_XEN_PV) },
		{ "GenuineIntel", { .pti = true }, BIT_ULL(UNFIT_PTI) },
		{ "GenuineIntel",
		  { .call_depth = true },
		  BIT_ULL(UNFIT_CALL_DEPTH) },
		{ "GenuineIntel", { .xcr0 = 0xe02e7 | 0xff }, 0 },
		{ "GenuineIntel", { .xcr0 = 1 << 8 | 7 }, BIT_ULL(UNFIT_XCR0) },
		{ "GenuineIntel", { .xcr0 = 1ull << 20 }, BIT_ULL(UNFIT_XCR0) },
		{ "GenuineIntel",
		  { .no_fsgsbase = true },
		  BIT_ULL(UNFIT_FSGSBASE) },
		{ "GenuineIntel",
		  { .no_invpcid = true },
		  BIT_ULL(UNFIT_INVPCID) },
		{ "GenuineIntel",
		  { .no_returns = true },
		  BIT_ULL(UNFIT_RETURNS) },
		{ "GenuineIntel", { .beyond = true }, BIT_ULL(UNFIT_BEYOND) },
		{ "GenuineIntel",
		  { .xen_pv = true, .pti = true },
		  BIT_ULL(UNFIT_XEN_PV) | BIT_ULL(UNFIT_PTI) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cpu cpu = good();

		cpu.vendor = rows[i].vendor;
		assert_int_equal(vmx_unfit(&rows[i].machine, &reader, &cpu),
				 rows[i].want);
	}
	for (unsigned int i = 0; i < VMX_UNFITS; i++)
		assert_in_range(strlen(vmx_unfit_text(i)), 5, 79);
	assert_null(vmx_unfit_text(VMX_UNFITS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_in_the_way),
		cmocka_unit_test(mtrrs),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(lacks),
		cmocka_unit_test(differences),
		cmocka_unit_test(impossible),
		cmocka_unit_test(machines),
	};

	return cmocka_run_group_tests_name("vmx facts", tests, NULL, NULL);
}
