/* SPDX-License-Identifier: MIT */
/* vmx_controls_test.c - controls and refusals for real CPUs, and for worse ones
 */
#include "testlib.h"

#include "controls.h"
#include "vmcs.h"
#include "vmx_cpus.h"

/* ---- what must not be in any VMCS of ours ------------------------------ */

/*
 * The checks of SDM volume 3, 27.2.1.1 and 27.2.1.2, that concern controls,
 * written down from the manual and not from controls.c.
 */
static void entry_would_work(const struct vmx_cpu *cpu,
			     const struct vmx_controls *k)
{
	static const struct {
		u32 ctl, off; /* where in struct vmx_cpu */
	} fields[] = {
		{ VMX_CTL_PIN, offsetof(struct vmx_cpu, true_pin) },
		{ VMX_CTL_PROC, offsetof(struct vmx_cpu, true_proc) },
		{ VMX_CTL_PROC2, offsetof(struct vmx_cpu, proc2) },
		{ VMX_CTL_EXIT, offsetof(struct vmx_cpu, true_exit) },
		{ VMX_CTL_ENTRY, offsetof(struct vmx_cpu, true_entry) },
	};
	u64 pin = k->ctl[VMX_CTL_PIN], proc = k->ctl[VMX_CTL_PROC];
	u64 proc2 = k->ctl[VMX_CTL_PROC2], exit = k->ctl[VMX_CTL_EXIT];
	u64 entry = k->ctl[VMX_CTL_ENTRY];

	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		u64 v = k->ctl[fields[i].ctl];
		u64 msr = *(const u64 *)((const char *)cpu + fields[i].off);

		assert_true(v <= UINT32_MAX);
		assert_int_equal(~v & (msr & UINT32_MAX), 0);
		assert_int_equal(v & ~(msr >> 32), 0);
	}
	/* NMI exiting 0, so virtual NMIs 0, so NMI-window exiting 0 */
	assert_int_equal(pin & (BIT(3) | BIT(5)), 0);
	assert_int_equal(proc & BIT(22), 0);
	/* external interrupts: nothing to acknowledge, nothing posted */
	assert_int_equal(pin & (BIT(0) | BIT(6) | BIT(7)), 0);
	assert_int_equal(exit & BIT(15), 0);
	/* unrestricted guest and EPTP switching need EPT; no VPID */
	assert_int_equal(proc2 & (BIT(1) | BIT(7) | BIT(13) | BIT(5)),
			 BIT(1) | BIT(7) | BIT(13));
	assert_int_equal(k->vmfunc, 1);
	/* TPR shadow 0: all of APIC virtualization 0 */
	assert_int_equal(proc & BIT(21), 0);
	assert_int_equal(proc2 & (BIT(0) | BIT(4) | BIT(8) | BIT(9)), 0);
	/* not in SMM */
	assert_int_equal(entry & (BIT(10) | BIT(11)), 0);
	/* a 64-bit guest and a 64-bit host; EFER and debug registers kept */
	assert_int_equal(entry & (BIT(2) | BIT(9) | BIT(15)),
			 BIT(2) | BIT(9) | BIT(15));
	assert_int_equal(exit & (BIT(2) | BIT(9) | BIT(20) | BIT(21)),
			 BIT(2) | BIT(9) | BIT(20) | BIT(21));
	/* The timer is not saved if it does not run. */
	assert_int_equal(exit & BIT(22), 0);
}

/*
 * What loads a register must not exist without what saves it: the guest would
 * get a stale one.
 */
static void nothing_clobbered(const struct vmx_controls *k)
{
	u64 exit = k->ctl[VMX_CTL_EXIT], entry = k->ctl[VMX_CTL_ENTRY];

	/* PERF_GLOBAL_CTRL, PAT, BNDCFGS, RTIT_CTL, UINV, CET, PKRS */
	assert_int_equal(exit & (BIT(12) | BIT(18) | BIT(19) | BIT(23) |
				 BIT(25) | BIT(27) | BIT(28) | BIT(29) |
				 BIT(30) | BIT(31)),
			 0);
	assert_int_equal(entry & (BIT(13) | BIT(14) | BIT(16) | BIT(18) |
				  BIT(19) | BIT(20) | BIT(22) | BIT(23)),
			 0);
	/* LBR_CTL: both or none */
	assert_int_equal(!(exit & BIT(26)), !(entry & BIT(21)));
	assert_int_equal(k->ctl[VMX_CTL_EXIT2], 0);
}

static void nothing_exits(const struct vmx_controls *k)
{
	/*
	 * interrupt window, HLT, INVLPG, MWAIT, RDPMC, RDTSC, CR3, CR8, MOV DR,
	 * I/O, I/O bitmaps, monitor trap, MONITOR, PAUSE; TSC offsetting
	 */
	static const unsigned int proc_bits[] = { 2,  3,  7,  9,  10, 11,
						  12, 15, 16, 19, 20, 23,
						  24, 25, 27, 29, 30 };
	/*
	 * descriptor tables, WBINVD, PAUSE loops, RDRAND, VMCS shadowing,
	 * ENCLS, RDSEED, PML, #VE, PASIDs, mode-based execution, subpages, PT
	 * output, TSC scaling, ENCLV, 29, bus locks, time-outs
	 */
	static const unsigned int proc2_bits[] = { 2,  6,  10, 11, 14, 15,
						   16, 17, 18, 21, 22, 23,
						   24, 25, 28, 29, 30, 31 };

	for (unsigned int i = 0; i < ARRAY_SIZE(proc_bits); i++)
		assert_int_equal(k->ctl[VMX_CTL_PROC] >> proc_bits[i] & 1, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(proc2_bits); i++)
		assert_int_equal(k->ctl[VMX_CTL_PROC2] >> proc2_bits[i] & 1, 0);
	/* with MSR bitmaps, and secondary controls */
	assert_int_equal(k->ctl[VMX_CTL_PROC] & (BIT(28) | BIT(31)),
			 BIT(28) | BIT(31));
	/* LOADIWKEY, HLAT, IPI virtualization ...: all but RDMSRLIST */
	assert_int_equal(k->ctl[VMX_CTL_PROC3] & ~BIT(6), 0);
}

/* ---- real CPUs --------------------------------------------------------- */

static void real_cpus(void **state)
{
	unsigned int fit = 0;

	(void)state;
	for (unsigned int i = 0; i < vmx_cpus_count; i++) {
		const struct vmx_cpu *cpu = &vmx_cpus[i];
		struct vmx_caps c = vmx_cpu_caps(cpu);
		struct vmx_now now = vmx_linux_now;
		struct vmx_controls k;
		u64 missing;

		now.cr4 &= cpu->cr4_fixed1;
		missing = vmx_missing(&c, &now);
		if (missing != cpu->missing)
			vmx_show_needs(cpu->name, missing);
		assert_int_equal(missing, cpu->missing);
		assert_int_equal(vmx_missing(&c, NULL), cpu->missing);
		if (missing) {
			assert_int_equal(vmx_controls_compute(&c, &k),
					 -EOPNOTSUPP);
			assert_int_equal(k.ctl[VMX_CTL_PROC], 0);
			continue;
		}
		fit++;
		assert_int_equal(vmx_controls_compute(&c, &k), 0);
		entry_would_work(cpu, &k);
		nothing_clobbered(&k);
		nothing_exits(&k);
		assert_int_equal(k.cr0_mask, 0);
		assert_int_equal(k.cr4_mask, 0x2000);
		assert_int_equal(k.cr4_shadow, 0x2000);
		/* What CPUID has works on, what it has not stays #UD. */
		assert_int_equal(k.ctl[VMX_CTL_PROC2] >> 3 & 1,
				 (cpu->leaf_80000001_edx >> 27 & 1) |
					 (cpu->leaf_7[2] >> 22 & 1));
		assert_int_equal(k.ctl[VMX_CTL_PROC2] >> 12 & 1,
				 cpu->leaf_7[1] >> 10 & 1);
		assert_int_equal(k.ctl[VMX_CTL_PROC2] >> 20 & 1,
				 cpu->leaf_d_1_eax >> 3 & 1);
		assert_int_equal(k.ctl[VMX_CTL_PROC2] >> 26 & 1,
				 cpu->leaf_7[2] >> 5 & 1);
		assert_int_equal(k.ctl[VMX_CTL_PROC2] >> 27 & 1,
				 cpu->leaf_7[3] >> 18 & 1);
		/* No trace of us in traces: on all since Skylake */
		assert_int_equal(k.ctl[VMX_CTL_PROC2] >> 19 & 1,
				 cpu->proc2 >> 51 & cpu->leaf_7[1] >> 25 & 1);
		assert_int_equal(k.ctl[VMX_CTL_EXIT] >> 24 & 1,
				 cpu->exit >> 56 & cpu->leaf_7[1] >> 25 & 1);
		assert_int_equal(k.ctl[VMX_CTL_ENTRY] >> 17 & 1,
				 cpu->entry >> 49 & cpu->leaf_7[1] >> 25 & 1);
		assert_int_equal(k.ctl[VMX_CTL_EXIT] >> 26 & 1,
				 cpu->leaf_7[3] >> 19 & 1);
	}
	/* Haswell to today; and those that are too old or cut down */
	assert_true(fit >= 20 && fit < vmx_cpus_count);
}

/* Numbers that were worked out by hand, once */
static void by_hand(void **state)
{
	static const struct {
		const char *name;
		u64 pin, proc, proc2, exit, entry;
	} rows[] = {
		/* EPT RDTSCP UG INVPCID VMFUNC */
		{ "Core i7-4770 (Haswell)", 0x16, 0x94006172, 0x308a, 0x336fff,
		  0x93ff },
		/* and XSAVES; PT concealed three times */
		{ "Core i7-6700K (Skylake)", 0x16, 0x94006172, 0x18308a,
		  0x1336fff, 0x293ff },
		/* no INVPCID there */
		{ "Pentium N4200 (Goldmont)", 0x16, 0x94006172, 0x18208a,
		  0x1336fff, 0x293ff },
		/* and WAITPKG, PCONFIG, LBR_CTL */
		{ "Xeon w7-2475X (Sapphire Rapids)", 0x16, 0x94006172,
		  0xc18308a, 0x5336fff, 0x2293ff },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vmx_cpu *cpu = vmx_cpu_named(rows[i].name);
		struct vmx_caps c;
		struct vmx_controls k;

		assert_non_null(cpu);
		c = vmx_cpu_caps(cpu);
		assert_int_equal(vmx_controls_compute(&c, &k), 0);
		assert_int_equal(k.ctl[VMX_CTL_PIN], rows[i].pin);
		assert_int_equal(k.ctl[VMX_CTL_PROC], rows[i].proc);
		assert_int_equal(k.ctl[VMX_CTL_PROC2], rows[i].proc2);
		assert_int_equal(k.ctl[VMX_CTL_EXIT], rows[i].exit);
		assert_int_equal(k.ctl[VMX_CTL_ENTRY], rows[i].entry);
	}
}

/* A CPU that must have some bit of CR4 besides VMXE: the guest keeps it. */
static void cr4_must_be_one(void **state)
{
	struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());
	struct vmx_controls k;

	(void)state;
	c.cr4_fixed0 |= BIT_ULL(5);
	assert_int_equal(vmx_controls_compute(&c, &k), 0);
	assert_int_equal(k.cr4_mask, 0x2020);
	assert_int_equal(k.cr4_shadow, 0x2020);
}

/* RDMSRLIST is enabled in two fields if the CPU has it. */
static void tertiary(void **state)
{
	struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());
	struct vmx_controls k;

	(void)state;
	assert_int_equal(vmx_controls_compute(&c, &k), 0);
	assert_int_equal(k.ctl[VMX_CTL_PROC] & PROC_TERTIARY, 0);
	assert_int_equal(k.ctl[VMX_CTL_PROC3], 0);
	c.cpuid_7_1_eax |= CPUID_7_1_EAX_MSRLIST;
	c.proc3 = 0xff;
	assert_int_equal(vmx_controls_compute(&c, &k), 0);
	assert_int_equal(k.ctl[VMX_CTL_PROC] & PROC_TERTIARY, PROC_TERTIARY);
	assert_int_equal(k.ctl[VMX_CTL_PROC3], PROC3_MSRLIST);
	c.true_proc &= ~((u64)PROC_TERTIARY << 32);
	assert_int_equal(vmx_missing(&c, NULL), NEED(MSRLIST));
}

/* One control for RDTSCP and RDPID */
static void rdpid(void **state)
{
	struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());
	struct vmx_controls k;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		c.cpuid_80000001_edx = i & 1 ? CPUID_80000001_EDX_RDTSCP : 0;
		c.cpuid_7_ecx &= ~CPUID_7_ECX_RDPID;
		c.cpuid_7_ecx |= i & 2 ? CPUID_7_ECX_RDPID : 0;
		assert_int_equal(vmx_controls_compute(&c, &k), 0);
		assert_int_equal(k.ctl[VMX_CTL_PROC2] & PROC2_RDTSCP,
				 i ? PROC2_RDTSCP : 0);
	}
}

static void pairs(void **state)
{
	struct vmx_caps c = vmx_cpu_caps(vmx_cpu_good());
	struct vmx_controls k;

	(void)state;
	assert_int_equal(vmx_notes(&c), 0);
	c.true_exit &= ~((u64)EXIT_CLEAR_LBR_CTL << 32);
	assert_int_equal(vmx_controls_compute(&c, &k), 0);
	nothing_clobbered(&k);
	assert_int_equal(k.ctl[VMX_CTL_ENTRY] & ENTRY_LOAD_LBR_CTL, 0);
	assert_int_equal(vmx_notes(&c), BIT(NOTE_LBR_SHOWS_ROOT));
	c = vmx_cpu_caps(vmx_cpu_good());
	c.true_entry &= ~((u64)ENTRY_LOAD_LBR_CTL << 32);
	assert_int_equal(vmx_controls_compute(&c, &k), 0);
	nothing_clobbered(&k);
	assert_int_equal(k.ctl[VMX_CTL_EXIT] & EXIT_CLEAR_LBR_CTL, 0);
	assert_int_equal(vmx_notes(&c), BIT(NOTE_LBR_SHOWS_ROOT));
	c.misc &= ~MISC_PT;
	assert_int_equal(vmx_notes(&c),
			 BIT(NOTE_LBR_SHOWS_ROOT) | BIT(NOTE_PT_STOPS));
	/* Broadwell has PT, and cannot use it in VMX operation. */
	c = vmx_cpu_caps(vmx_cpu_named("Core M-5Y70 (Broadwell)"));
	assert_int_equal(vmx_notes(&c), BIT(NOTE_PT_STOPS));
	c = vmx_cpu_caps(vmx_cpu_named("Core i7-4770 (Haswell)"));
	assert_int_equal(vmx_notes(&c), 0);
}

/* A VMCS field says what it is: spot checks against the names. */
static void fields(void **state)
{
	(void)state;
	assert_int_equal(vmcs_field_bits(VMCS_VPID), 16);
	assert_int_equal(vmcs_field_bits(VMCS_EPTP_LIST), 64);
	assert_int_equal(vmcs_field_bits(VMCS_PROC2), 32);
	assert_int_equal(vmcs_field_bits(VMCS_HOST_RIP), 64);
	assert_int_equal(vmcs_field_kind(VMCS_EPTP), VMCS_KIND_CONTROL);
	assert_int_equal(vmcs_field_kind(VMCS_EXIT_REASON), VMCS_KIND_INFO);
	assert_int_equal(vmcs_field_kind(VMCS_GUEST_LBR_CTL), VMCS_KIND_GUEST);
	assert_int_equal(vmcs_field_kind(VMCS_HOST_SSP), VMCS_KIND_HOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_cpus),	   cmocka_unit_test(by_hand),
		cmocka_unit_test(cr4_must_be_one), cmocka_unit_test(tertiary),
		cmocka_unit_test(rdpid),	   cmocka_unit_test(pairs),
		cmocka_unit_test(fields),
	};

	return cmocka_run_group_tests_name("vmx controls", tests, NULL, NULL);
}
