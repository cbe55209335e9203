/* SPDX-License-Identifier: MIT */
/* vmx_needs_test.c - each refusal, and reading and comparing CPUs */
#include "testlib.h"

#include "controls.h"
#include "vmx_cpus.h"

static void refused(const struct vmx_caps *c, const struct vmx_now *now,
		    u64 want)
{
	u64 missing = vmx_missing(c, now);
	struct vmx_controls k;

	if (missing != want) {
		vmx_show_needs("missing:", missing);
		vmx_show_needs("expected:", want);
	}
	assert_int_equal(missing, want);
	if (!now)
		assert_int_equal(vmx_controls_compute(c, &k),
				 want ? -EOPNOTSUPP : 0);
}

/* Take bits from one register of a good CPU, or give it some. */
static void one_less(void **state)
{
	static const struct {
		u64 offset, take, give, want;
	} rows[] = {
#define LESS(member, bits, want)                                               \
	{ offsetof(struct vmx_caps, member), bits, 0, want }
#define MORE(member, bits, want)                                               \
	{                                                                      \
		offsetof(struct vmx_caps, member), 0, bits, want               \
	}
#define HIGH(bit) BIT_ULL(32 + (bit))
		LESS(cpuid_1_ecx, BIT(5), NEED(VMX)),
		LESS(feature_control, 1, NEED(LOCKED)),
		LESS(feature_control, 4, NEED(ENABLED)),
		/* VMX inside SMX alone will not do. */
		{ offsetof(struct vmx_caps, feature_control), 4, 2,
		  NEED(ENABLED) },
		LESS(feature_control, 5, NEED(LOCKED)),
		LESS(basic, 6ull << 50, NEED(VMCS_TYPE)),
		LESS(basic, 2ull << 50, NEED(VMCS_TYPE)),
		MORE(basic, BIT_ULL(48), NEED(VMCS_ADDRESS)),
		LESS(basic, BIT_ULL(55), NEED(TRUE_CTLS)),
		LESS(true_proc, HIGH(31), NEED(SECONDARY)),
		LESS(true_proc, HIGH(28), NEED(MSR_BITMAPS)),
		LESS(true_pin, HIGH(6), NEED(TIMER)),
		LESS(proc2, HIGH(1), NEED(EPT)),
		LESS(proc2, HIGH(5), 0), /* VPID */
		LESS(proc2, HIGH(7), NEED(UNRESTRICTED)),
		LESS(proc2, HIGH(13), NEED(VMFUNC)),
		LESS(proc2, HIGH(3), NEED(RDTSCP)),
		LESS(proc2, HIGH(12), NEED(INVPCID)),
		LESS(proc2, HIGH(20), NEED(XSAVES)),
		LESS(proc2, HIGH(26), NEED(WAITPKG)),
		LESS(proc2, HIGH(27), NEED(PCONFIG)),
		/* A feature that nobody can enable: the CPU says so too late.
		 */
		MORE(cpuid_7_1_eax, BIT(27), NEED(MSRLIST)),
		LESS(proc2, HIGH(19), 0), /* PT shows us */
		LESS(vmfunc, 1, NEED(EPTP_SWITCHING)),
		LESS(ept_vpid, BIT(6), NEED(EPT_WALK4)),
		LESS(ept_vpid, BIT(7), 0), /* a fifth level is not used */
		LESS(ept_vpid, BIT(14), NEED(EPT_WB)),
		LESS(ept_vpid, BIT(16), NEED(EPT_2M)),
		LESS(ept_vpid, BIT(17), 0), /* 1 GB pages are not needed */
		LESS(ept_vpid, BIT(8), 0),  /* nor uncached tables */
		LESS(ept_vpid, BIT(0), 0),  /* nor execute-only pages */
		LESS(ept_vpid, BIT(21), 0), /* nor accessed and dirty flags */
		LESS(ept_vpid, BIT(20), NEED(INVEPT)),
		LESS(ept_vpid, BIT(20) | BIT(25) | BIT(26), NEED(INVEPT)),
		LESS(ept_vpid, BIT(25), NEED(INVEPT_SINGLE)),
		LESS(ept_vpid, BIT(26), NEED(INVEPT_ALL)),
		LESS(ept_vpid, ~0ull << 32, 0), /* INVVPID */
		LESS(misc, BIT(5), NEED(EXIT_LMA)),
		LESS(misc, BIT(14), 0), /* a note */
		LESS(true_exit, HIGH(9), NEED(64BIT)),
		LESS(true_exit, HIGH(2), NEED(DEBUG)),
		LESS(true_exit, HIGH(20), NEED(EFER)),
		LESS(true_exit, HIGH(21), NEED(EFER)),
		LESS(true_exit, HIGH(24), 0),
		LESS(true_exit, HIGH(26), 0), /* a note */
		LESS(true_entry, HIGH(9), NEED(64BIT)),
		LESS(true_entry, HIGH(2), NEED(DEBUG)),
		LESS(true_entry, HIGH(15), NEED(EFER)),
		LESS(true_entry, HIGH(17), 0),
		LESS(true_entry, HIGH(21), 0), /* a note */
		/* Bits that must be 1: exits that we don't want, and unknowns
		 */
		MORE(true_pin, BIT(3), NEED(KNOWN_PIN)),
		MORE(true_pin, BIT(9), NEED(KNOWN_PIN)),
		MORE(true_proc, BIT(15), NEED(KNOWN_PROC)),
		MORE(true_proc, BIT(16), NEED(KNOWN_PROC)),
		MORE(true_proc, BIT(0), NEED(KNOWN_PROC)),
		MORE(true_proc, BIT(28), 0), /* what we set anyway */
		MORE(proc2, BIT(29), NEED(KNOWN_PROC2)),
		MORE(proc2, BIT(1), 0),
		MORE(true_exit, BIT(19), NEED(KNOWN_EXIT)),
		MORE(true_entry, BIT(30), NEED(KNOWN_ENTRY)),
		/* Bits without a name that cannot be 1 any more */
		LESS(true_pin, HIGH(1), NEED(KNOWN_PIN)),
		LESS(true_exit, HIGH(0), NEED(KNOWN_EXIT)),
		/* but that may be 0 now: they stay 1 */
		LESS(true_pin, BIT(1), 0),
		LESS(true_proc, BIT(26), 0),
		/* The older MSRs count for nothing where there are TRUE ones.
		 */
		LESS(pin, ~0ull, 0),
		LESS(proc, ~0ull, 0),
		LESS(exit, ~0ull, 0),
		LESS(entry, ~0ull, 0),
		/* Nor does it matter how many bits addresses have. */
		{ offsetof(struct vmx_caps, phys_bits), 0xff, 46, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());
		u64 *reg = (u64 *)((char *)&c + rows[i].offset);
		u64 was = *reg;

		refused(&c, NULL, 0);
		*reg = (*reg & ~rows[i].take) | rows[i].give;
		assert_true(*reg != was); /* or the row tests nothing */
		refused(&c, NULL, rows[i].want);
	}
}

/* Lacks that come together are all told; what follows from one is not. */
static void more_less(void **state)
{
	struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());

	(void)state;
	c.vmfunc = 0;
	c.ept_vpid &= ~EPT_CAP_2M;
	c.feature_control = 1;
	refused(&c, NULL, NEED(ENABLED) | NEED(EPTP_SWITCHING) | NEED(EPT_2M));
	/* Without EPT nobody asks what it could do. */
	c = vmx_cpu_caps(vmx_cpu_good());
	c.proc2 &= ~((u64)PROC2_EPT << 32);
	c.ept_vpid = 0;
	refused(&c, NULL, NEED(EPT));
	c.proc2 &= ~((u64)PROC2_VPID << 32);
	refused(&c, NULL, NEED(EPT));
	/* A CPU that has nothing of all this */
	memset(&c, 0, sizeof(c));
	refused(&c, NULL, NEED(VMX));
	c.cpuid_1_ecx = CPUID_1_ECX_VMX;
	refused(&c, NULL,
		NEED(LOCKED) | NEED(VMCS_TYPE) | NEED(TRUE_CTLS) |
			NEED(SECONDARY) | NEED(MSR_BITMAPS) | NEED(TIMER) |
			NEED(64BIT) | NEED(DEBUG) | NEED(EFER));
}

static void control_registers(void **state)
{
	struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());
	struct vmx_now now = vmx_linux_now;

	(void)state;
	refused(&c, &now, 0);
	now.cr4 |= VMX_CR4_VMXE;
	refused(&c, &now, NEED(FREE));
	now = vmx_linux_now;
	now.cr0 &= ~VMX_CR0_NE;
	refused(&c, &now, NEED(CR0));
	now = vmx_linux_now;
	now.cr0 |= BIT_ULL(40);
	refused(&c, &now, NEED(CR0));
	now = vmx_linux_now;
	now.cr4 |= BIT_ULL(31); /* beyond CR4_FIXED1 */
	refused(&c, &now, NEED(CR4));
	c.cr4_fixed0 |= BIT_ULL(30); /* must be 1, and is not */
	now = vmx_linux_now;
	refused(&c, &now, NEED(CR4));
	c = vmx_cpu_caps(vmx_cpu_good());
	now.cr4 |= VMX_CR4_FRED; /* whether CR4_FIXED1 knows it or not */
	refused(&c, &now, NEED(NO_FRED));
	c.cr4_fixed1 |= VMX_CR4_FRED;
	refused(&c, &now, NEED(NO_FRED));
	now.cr4 |= VMX_CR4_VMXE | BIT_ULL(31);
	refused(&c, &now, NEED(NO_FRED) | NEED(FREE) | NEED(CR4));

	/* Root's own CR4 */
	assert_int_equal(vmx_root_cr4(0x370ef0), 0x370ef0 | 0x2000);
	assert_int_equal(vmx_root_cr4(~0ull) & 0x11bc00000, 0x400000);
	assert_int_equal(vmx_root_cr4(BIT(12)), BIT(12) | BIT(13)); /* LA57 */
}

struct deaf {
	const struct vmx_cpu *cpu;
	u32 msr; /* cannot be read */
	unsigned int asked;
};

static int deaf_rdmsr(void *ctx, u32 msr, u64 *value)
{
	struct deaf *d = ctx;

	d->asked++;
	if (msr == d->msr)
		return -EIO;
	return vmx_cpu_reader.rdmsr((void *)(uintptr_t)d->cpu, msr, value);
}

static void deaf_cpuid(void *ctx, u32 leaf, u32 subleaf, u32 regs[4])
{
	struct deaf *d = ctx;

	vmx_cpu_reader.cpuid((void *)(uintptr_t)d->cpu, leaf, subleaf, regs);
}

static void reading(void **state)
{
	static const struct vmx_reader reader = { deaf_rdmsr, deaf_cpuid };
	struct vmx_cpu none = *vmx_cpu_good();
	struct vmx_caps c;
	u32 bad;

	(void)state;
	/* Whatever cannot be read, it is named. */
	for (unsigned int i = 0; i < vmx_cap_rows_count; i++) {
		struct deaf d = { vmx_cpu_good(), vmx_cap_rows[i].msr, 0 };

		if (!d.msr)
			continue;
		bad = 0;
		assert_int_equal(vmx_caps_read(&c, &reader, &d, &bad), -EIO);
		assert_int_equal(bad, d.msr);
	}
	/* Without VMX there is nothing to read. */
	none.leaf_1_ecx &= ~0x20u;
	for (u32 max = 0; max < 0x20; max++) {
		struct deaf d = { &none, 0, 0 };

		none.max_leaf = max;
		bad = 0;
		assert_int_equal(vmx_caps_read(&c, &reader, &d, &bad), 0);
		assert_int_equal(d.asked, 0);
		assert_int_equal(vmx_missing(&c, NULL), NEED(VMX));
	}
	/* An old CPU is not asked for leaves and MSRs that it does not have. */
	c = vmx_cpu_caps(vmx_cpu_named("Core 2 Extreme X9650 (Yorkfield)"));
	assert_int_equal(c.cpuid_d_1_eax, 0);
	assert_int_equal(c.ept_vpid, 0);
	assert_int_equal(c.true_pin, 0);
	assert_true(c.proc2 != 0);
	/* VPID without EPT has its capabilities in the same MSR. */
	none = *vmx_cpu_good();
	none.proc2 &= ~((u64)PROC2_EPT << 32);
	c = vmx_cpu_caps(&none);
	assert_int_equal(c.ept_vpid, none.ept_vpid);
	assert_int_equal(vmx_missing(&c, NULL), NEED(EPT));
	/* Every register has a place of its own. */
	memset(&c, 0, sizeof(c));
	for (unsigned int i = 0; i < vmx_cap_rows_count; i++) {
		assert_int_equal(vmx_cap_value(&c, &vmx_cap_rows[i]), 0);
		*(u64 *)((char *)&c + vmx_cap_rows[i].offset) = i + 1;
	}
	for (unsigned int i = 0; i < vmx_cap_rows_count; i++)
		assert_int_equal(vmx_cap_value(&c, &vmx_cap_rows[i]), i + 1);
}

static void comparing(void **state)
{
	struct vmx_caps a = vmx_cpu_caps(vmx_cpu_good()), b;

	(void)state;
	for (unsigned int i = 0; i < vmx_cap_rows_count; i++) {
		const struct vmx_cap_row *row = &vmx_cap_rows[i], *got;

		b = a;
		assert_null(vmx_caps_differ(&a, &b));
		*(u64 *)((char *)&b + row->offset) ^= BIT_ULL(i);
		got = vmx_caps_differ(&a, &b);
		assert_ptr_equal(got, row);
		assert_true(strstr(got->name, got->msr ? "IA32_" : "CPUID"));
		assert_int_equal(vmx_cap_value(&a, got) ^
					 vmx_cap_value(&b, got),
				 BIT_ULL(i));
	}
	/* What follows CR4, and what does not matter, is not compared. */
	{
		struct vmx_cpu cpu = *vmx_cpu_good();

		cpu.leaf_1_ecx ^= BIT(27); /* OSXSAVE */
		cpu.leaf_7[2] ^= BIT(4);   /* OSPKE */
		cpu.leaf_7[3] ^= BIT(15);  /* hybrid */
		b = vmx_cpu_caps(&cpu);
		assert_null(vmx_caps_differ(&a, &b));
	}
}

static void words(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < VMX_NEEDS; i++) {
		const char *text = vmx_need_text(i);

		assert_non_null(text);
		assert_in_range(strlen(text), 5, 79);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(text, vmx_need_text(j));
	}
	assert_null(vmx_need_text(VMX_NEEDS));
	for (unsigned int i = 0; i < VMX_NOTES; i++)
		assert_in_range(strlen(vmx_note_text(i)), 5, 79);
	assert_null(vmx_note_text(VMX_NOTES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_less),
		cmocka_unit_test(more_less),
		cmocka_unit_test(control_registers),
		cmocka_unit_test(reading),
		cmocka_unit_test(comparing),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests_name("vmx needs", tests, NULL, NULL);
}
