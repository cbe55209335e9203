/* SPDX-License-Identifier: MIT */
/*
 * What real CPUs say of VMX.
 *
 * The values are facts about products, from the dumps that AIDA64 makes of
 * them, as collected in the repository InstLatx64/InstLatx64 on GitHub (@source
 * is the name of the file in its folder GenuineIntel). Three things are in no
 * such dump and were filled in:
 *
 * - IA32_FEATURE_CONTROL: locked, with VMX on (see vmx_cpu_reader), as Linux
 *   leaves it.
 * - IA32_VMX_VMFUNC: 1 where VM functions can be enabled, as EPTP switching is
 *   the only one there is. VirtualBox's profiles of an i7-5600U and of a
 *   Pentium N3530 say so, and its log on a Haswell in issue 17 of
 *   Stichting-MINIX-Research-Foundation/minix.
 * - IA32_VMX_PROCBASED_CTLS3 and IA32_VMX_EXIT_CTLS2: 0 where they exist, but
 *   for the control of RDMSRLIST where CPUID has that. Nothing else in them is
 *   wanted.
 *
 * CR0_FIXED0, CR0_FIXED1 and CR4_FIXED0 are the same everywhere.
 */
#include "vmx_cpus.h"

#include <stdint.h>

/* A line for each group of numbers: */
/* clang-format off */
const struct vmx_cpu vmx_cpus[] = {
	{ "Core i7-4770 (Haswell)",
	  "GenuineIntel00306C3_Haswell_CPUID",
	  0xd, 0x7ffafbff, { 0x0, 0x27ab, 0x0, 0x0 }, 0x0, 0x1, 0x2c100000,
	  0x3027,
	  0xda040000000012, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x300481e5, 0x1767ff, 0x7cff00000000, 0xf0106334141,
	  0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x1,
	  0 },
	{ "Xeon E5-4669 v3 (Haswell-EP)",
	  "GenuineIntel00306F2_HaswellEP_05_CPUID",
	  0xf, 0x7ffefbff, { 0x0, 0x37ab, 0x0, 0x9c000400 }, 0x0, 0x1,
	  0x2c100800, 0x302e,
	  0xda040000000012, 0xff00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x300481e5, 0x1767ff, 0x7fff00000000, 0xf0106334141,
	  0xff00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x1,
	  0 },
	{ "Core M-5Y70 (Broadwell)",
	  "GenuineIntel00306D4_Broadwell_CPUID",
	  0x14, 0x7ffafbff, { 0x0, 0x21c27ab, 0x0, 0x0 }, 0x0, 0x1, 0x2c100000,
	  0x3027,
	  0xda040000000012, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x300481e5, 0x3767ff, 0x57cff00000000, 0xf0106334141,
	  0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x1,
	  0 },
	{ "Core i7-6800K (Broadwell-E)",
	  "GenuineIntel00406F1_BroadwellE_CPUID6",
	  0x14, 0x7ffefbbf, { 0x0, 0x21cbfbb, 0x0, 0x0 }, 0x0, 0x1, 0x2c100000,
	  0x302e,
	  0xda040000000012, 0xff00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x300481e5, 0x3727ff, 0x53fff00000000, 0xf0106334141,
	  0xff00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x1,
	  0 },
	{ "Xeon D-1540 (Broadwell-DE)",
	  "GenuineIntel0050662_BroadwellDE_CPUID",
	  0x14, 0x7ffefbff, { 0x0, 0x21cbfbb, 0x0, 0x0 }, 0x0, 0x1, 0x2c100000,
	  0x302e,
	  0xda040000000012, 0xff00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x300481e5, 0x3767ff, 0x77fff00000000, 0xf0106334141,
	  0xff00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x1,
	  0 },
	{ "Core i7-6700K (Skylake)",
	  "GenuineIntel00506E3_SkyLake_01_CPUID",
	  0x16, 0x7ffafbbf, { 0x0, 0x29c6fbf, 0x0, 0x9c002400 }, 0x0, 0xf,
	  0x2c100800, 0x3027,
	  0xda040000000004, 0x7f00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff,
	  0x3ffff000011ff, 0x7004c1e7, 0x3727ff, 0x1ffcff00000000,
	  0xf0106334141, 0x7f00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb,
	  0x3ffff000011fb, 0x1,
	  0 },
	{ "Pentium N4200 (Goldmont)",
	  "GenuineIntel00506C9_Goldmont_CPUID",
	  0x15, 0x4ff8ebbf, { 0x0, 0x2294e283, 0x0, 0x0 }, 0x0, 0xf, 0x2c100000,
	  0x3027,
	  0xda040000000011, 0xff00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff,
	  0x3ffff000011ff, 0x6004c1e7, 0x3527ff, 0x1d6fff00000000,
	  0xf0106334141, 0xff00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb,
	  0x3ffff000011fb, 0x1,
	  0 },
	{ "Xeon Bronze 3104 (Skylake-SP)",
	  "GenuineIntel0050654_SkylakeXeon_CPUID9",
	  0x16, 0x7ffefbff, { 0x0, 0xd39ffffb, 0x8, 0x0 }, 0x0, 0xf, 0x2c100000,
	  0x302e,
	  0xda040000000004, 0xff00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff,
	  0x3ffff000011ff, 0x7004c1e7, 0x7767ff, 0x25f7fff00000000,
	  0xf0106734141, 0xff00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb,
	  0x3ffff000011fb, 0x1,
	  0 },
	{ "CC150 (Coffee Lake)",
	  "GenuineIntel00906ED_CoffeeLake_CPUID",
	  0x16, 0x7ffafbbf, { 0x0, 0x29c6fbf, 0x40000000, 0xbc000400 }, 0x0,
	  0xf, 0x2c100000, 0x3027,
	  0xda040000000004, 0x7f00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff,
	  0x3ffff000011ff, 0x7004c1e7, 0x3727ff, 0x5ffcff00000000,
	  0xf0106734141, 0x7f00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb,
	  0x3ffff000011fb, 0x1,
	  0 },
	{ "Xeon Silver 4214 (Cascade Lake)",
	  "GenuineIntel0050657_CascadeLakeSP_CPUID2",
	  0x16, 0x7ffefbff, { 0x0, 0xd39ffffb, 0x808, 0xbc000400 }, 0x0, 0xf,
	  0x2c100000, 0x302e,
	  0xda040000000004, 0xff00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff,
	  0x3ffff000011ff, 0x7004c1e7, 0x7767ff, 0x25f7fff00000000,
	  0xf0106734141, 0xff00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb,
	  0x3ffff000011fb, 0x1,
	  0 },
	{ "Core i5-10210U (Comet Lake)",
	  "GenuineIntel00806EC_CometLake_CPUID2",
	  0x16, 0x7ffafbbf, { 0x0, 0x29c67af, 0x0, 0xbc000400 }, 0x0, 0xf,
	  0x2c100000, 0x3027,
	  0xda040000000004, 0x7f00000016, 0xfff9fffe0401e172, 0x1ffffff00036dff,
	  0x3ffff000011ff, 0x7004c1e7, 0x3727ff, 0x5fbcff00000000,
	  0xf0106734141, 0x7f00000016, 0xfff9fffe04006172, 0x1ffffff00036dfb,
	  0x3ffff000011fb, 0x1,
	  0 },
	{ "Core i3-1005G1 (Ice Lake)",
	  "GenuineIntel00706E5_IceLakeY_CPUID3",
	  0x1b, 0x7ffafbbf, { 0x0, 0xf2bf27ef, 0x40405f4e, 0xbc000410 }, 0x0,
	  0xf, 0x2c100000, 0x3027,
	  0xda050000000013, 0xff00000016, 0xfff9fffe0401e172, 0x37fffff00036dff,
	  0x6ffff000011ff, 0x7004c1e7, 0x772fff, 0x335fbfff00000000,
	  0xf0106734141, 0xff00000016, 0xfff9fffe04006172, 0x37fffff00036dfb,
	  0x6ffff000011fb, 0x1,
	  0 },
	{ "Xeon Platinum 8351N (Ice Lake-SP)",
	  "GenuineIntel00606A6_ICX_CPUID3",
	  0x1b, 0x7ffefbff, { 0x0, 0xf3bfbfff, 0x40417f4e, 0xbc040412 }, 0x0,
	  0xf, 0x2c100000, 0x392e,
	  0xda050000000013, 0xff00000016, 0xfff9fffe0401e172, 0x37fffff00036dff,
	  0x6ffff000011ff, 0x7004c1e7, 0x777fff, 0x4bdfffff00000000,
	  0xf01067341c1, 0xff00000016, 0xfff9fffe04006172, 0x37fffff00036dfb,
	  0x6ffff000011fb, 0x1,
	  0 },
	{ "Pentium Gold 7505 (Tiger Lake)",
	  "GenuineIntel00806C1_TigerLake_CPUID6",
	  0x1b, 0x7ffafbbf, { 0x0, 0xf3bfa7eb, 0x18c05fce, 0xfc100510 }, 0x0,
	  0xf, 0x2c100000, 0x3027,
	  0x1da050000000013, 0xff00000016, 0xfffbfffe0401e172,
	  0x137fffff00036dff, 0x16ffff000011ff, 0x7004c1e7, 0xff2fff,
	  0x35f3fff00000000, 0xf0106f34141, 0xff00000016, 0xfffbfffe04006172,
	  0x137fffff00036dfb, 0x16ffff000011fb, 0x1,
	  0 },
	{ "Core i9-11900K (Rocket Lake)",
	  "GenuineIntel00A0671_RocketLake_CPUID05",
	  0x1b, 0x7ffafbff, { 0x0, 0xf2bf67eb, 0x405f4e, 0xbc000410 }, 0x0, 0xf,
	  0x2c100000, 0x3027,
	  0xda050000000013, 0xff00000016, 0xfff9fffe0401e172, 0x3ffffff00036dff,
	  0x7ffff000011ff, 0x7004c1e7, 0x776fff, 0x31f7fff00000000,
	  0xf0106334141, 0xff00000016, 0xfff9fffe04006172, 0x3ffffff00036dfb,
	  0x7ffff000011fb, 0x1,
	  0 },
	{ "Core i5-12400 (Alder Lake)",
	  "GenuineIntel0090672_AlderLake_02_CPUID",
	  0x20, 0x7ffafbbf, { 0x1, 0xf3bfa7eb, 0x98c05fee, 0xfc984510 },
	  0x401c30, 0xf, 0x2c100000, 0x3027,
	  0x3da050000000013, 0xff00000016, 0xfffbfffe0401e172,
	  0xf77fffff00036dff, 0x76ffff000011ff, 0x7004c1e7, 0x1ff2fff,
	  0x75f7fff00000000, 0xf0106f34141, 0xff00000016, 0xfffbfffe04006172,
	  0xf77fffff00036dfb, 0x76ffff000011fb, 0x1,
	  0 },
	{ "Core i7-13700K (Raptor Lake)",
	  "GenuineIntel00B0671_RaptorLake_05_CPUID",
	  0x20, 0x7ffafbff, { 0x2, 0x239c27eb, 0x98c027ac, 0xfc1cc410 },
	  0x400810, 0xf, 0x2c100000, 0x302e,
	  0x3da050000000013, 0xff00000016, 0xfffbfffe0401e172,
	  0xf77fffff00036dff, 0x76ffff000011ff, 0x7004c1e7, 0x1ff6fff,
	  0xf5d7fff00000000, 0x10f0106f34141, 0xff00000016, 0xfffbfffe04006172,
	  0xf77fffff00036dfb, 0x76ffff000011fb, 0x1,
	  0 },
	{ "Xeon w7-2475X (Sapphire Rapids)",
	  "GenuineIntel00806F8_SapphireRapids_05_CPUID",
	  0x20, 0x7ffefbff, { 0x2, 0xf3bfbffb, 0xbb417fee, 0xffdd4430 }, 0x1c30,
	  0x1f, 0x2c100000, 0x3934,
	  0x3da050000000013, 0xff00000016, 0xfffbfffe0401e172,
	  0xff7fffff00036dff, 0x7effff000011ff, 0x7004c1e7, 0x3f77fff,
	  0xcfff3fff00000000, 0x10f0106f341c1, 0xff00000016, 0xfffbfffe04006172,
	  0xff7fffff00036dfb, 0x7effff000011fb, 0x1,
	  0 },
	{ "Xeon Gold 5520+ (Emerald Rapids)",
	  "GenuineIntel00C06F2_EmeraldRapids_01_CPUID",
	  0x20, 0x7ffefbff, { 0x2, 0xf3bfbfff, 0xfb417fee, 0xffdd4432 }, 0x1c30,
	  0x1f, 0x2c100000, 0x392e,
	  0x3da050000000013, 0xff00000016, 0xfffbfffe0401e172,
	  0xff7fffff00036dff, 0x7effff000011ff, 0x7004c1e7, 0x3f77fff,
	  0xcfffffff00000000, 0x10f0106f341c1, 0xff00000016, 0xfffbfffe04006172,
	  0xff7fffff00036dfb, 0x7effff000011fb, 0x1,
	  0 },
	{ "Xeon 658X (Granite Rapids)",
	  "GenuineIntel00A06D1_GraniteRapids_03_CPUID",
	  0x24, 0x7ffefbff, { 0x2, 0xf3bfbffb, 0xbb417fee, 0xffdd4430 },
	  0x40201d30, 0x1f, 0x2c100000, 0x3934,
	  0x3da050000000013, 0xff00000016, 0xfffbfffe0401e172,
	  0xff7fffff00036dff, 0x7effff000011ff, 0x7004c1e7, 0x3f77fff,
	  0xcfff7fff00000000, 0x10f0106f341c1, 0xff00000016, 0xfffbfffe04006172,
	  0xff7fffff00036dfb, 0x7effff000011fb, 0x1,
	  0 },
	{ "Core Ultra 9 288V (Lunar Lake)",
	  "GenuineIntel00B06D1_LunarLake_04_CPUID",
	  0x23, 0x7ffafbff, { 0x2, 0x239ca7eb, 0x994027ac, 0xfc1cc430 },
	  0x44c009d7, 0xf, 0x2c100800, 0x302a,
	  0x3da060000000015, 0xff00000016, 0xfffbfffe0401e172,
	  0xff7fffff00036dff, 0x7effff000011ff, 0x7004c1e7, 0x1bf76fff,
	  0xcf5f7fff00000000, 0x10f0106f34141, 0xff00000016, 0xfffbfffe04006172,
	  0xff7fffff00036dfb, 0x7effff000011fb, 0x1,
	  0 },
	{ "Core 5 320 (Wildcat Lake)",
	  "GenuineIntel00D0651_WildcatLake_03_CPUID",
	  0x28, 0x7ffafbff, { 0x2, 0x239ca7eb, 0x994007ac, 0xfc18c430 },
	  0x4cce09d7, 0xf, 0x2c100800, 0x302e,
	  0x7da060000000015, 0xff00000016, 0xfffbfffe0401e172,
	  0xff7fffff00036dff, 0x1feffff000011ff, 0x7004c1e7, 0x11bf76fff,
	  0xc75f7fff00000000, 0x10f0106f34141, 0xff00000016, 0xfffbfffe04006172,
	  0xff7fffff00036dfb, 0x1feffff000011fb, 0x1,
	  0 },
	{ "Core 2 Extreme X9650 (Yorkfield)",
	  "GenuineIntel0010676_Yorkfield_CPUID",
	  0xa, 0x8e3bd, { 0x0, 0x0, 0x0, 0x0 }, 0x0, 0x0, 0x20100000, 0x3024,
	  0x5a08000000000d, 0x3f00000016, 0xf7f9fffe0401e172, 0x3ffff00036dff,
	  0x3fff000011ff, 0x403c0, 0x27ff, 0x4100000000, 0x0, 0x0, 0x0, 0x0,
	  0x0, 0x0,
	  NEED(TRUE_CTLS) | NEED(EPT) | NEED(UNRESTRICTED) |
	  NEED(VMFUNC) | NEED(TIMER) | NEED(EFER) },
	{ "Xeon W3670 (Gulftown)",
	  "GenuineIntel00206C2_Gulftown_01_CPUID",
	  0xb, 0x29ee3ff, { 0x0, 0x0, 0x0, 0x9c000000 }, 0x0, 0x0, 0x2c100000,
	  0x3024,
	  0xda04000000000f, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x401e7, 0x267ff, 0x4ff00000000, 0xf0106134141,
	  0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x0,
	  NEED(VMFUNC) },
	{ "Core i7-3770K (Ivy Bridge)",
	  "GenuineIntel00306A9_IvyBridge_CPUID",
	  0xd, 0x7f9ae3bf, { 0x0, 0x281, 0x0, 0x0 }, 0x0, 0x0, 0x28100000,
	  0x3024,
	  0xda040000000010, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x100401e5, 0x1727ff, 0x8ff00000000, 0xf0106114141,
	  0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x0,
	  NEED(VMFUNC) },
	{ "Celeron N2820 (Silvermont)",
	  "GenuineIntel0030673_Silvermont_CPUID2",
	  0xb, 0x41d8e3bf, { 0x0, 0x2282, 0x0, 0x0 }, 0x0, 0x0, 0x28100000,
	  0x3024,
	  0xda040000000002, 0x7f00000016, 0xfff9fffe0401e172, 0x7fffff00036dff,
	  0xffff000011ff, 0x481e6, 0x1027ff, 0x28ef00000000, 0xf0106114141,
	  0x7f00000016, 0xfff9fffe04006172, 0x7fffff00036dfb, 0xffff000011fb,
	  0x1,
	  0 },
	{ "Pentium G4400 (Skylake)",
	  "GenuineIntel00506E3_Skylake_CPUID4",
	  0x16, 0x4ffaebbf, { 0x0, 0x2942603, 0x0, 0x0 }, 0x0, 0xf, 0x2c100000,
	  0x3027,
	  0xda040000000004, 0x7f00000016, 0xfff9fffe0401e172, 0x17fffff00036dff,
	  0x2ffff000011ff, 0x7004c1e7, 0x2727ff, 0x1f1cff00000000,
	  0xf0106334141, 0x7f00000016, 0xfff9fffe04006172, 0x17fffff00036dfb,
	  0x2ffff000011fb, 0x0,
	  NEED(VMFUNC) },
};
/* clang-format on */

const unsigned int vmx_cpus_count = ARRAY_SIZE(vmx_cpus);

const struct vmx_cpu *vmx_cpu_named(const char *name)
{
	for (unsigned int i = 0; i < vmx_cpus_count; i++)
		if (!strcmp(vmx_cpus[i].name, name))
			return &vmx_cpus[i];
	return NULL;
}

const struct vmx_cpu *vmx_cpu_good(void)
{
	return vmx_cpu_named("Xeon w7-2475X (Sapphire Rapids)");
}

const struct vmx_now vmx_linux_now = { 0x80050033, 0x370ef0 };

void vmx_show_needs(const char *who, u64 needs)
{
	printf("%s\n", who);
	for (unsigned int n = 0; n < VMX_NEEDS; n++)
		if (needs >> n & 1)
			printf("    %s\n", vmx_need_text(n));
}

static void cpu_cpuid(void *ctx, u32 leaf, u32 subleaf, u32 regs[4])
{
	const struct vmx_cpu *c = ctx;

	memset(regs, 0, 4 * sizeof(*regs));
	/* Beyond the last one there is something, of another leaf. */
	if ((leaf < 0x80000000 && leaf > c->max_leaf) ||
	    (leaf == 7 && subleaf > c->leaf_7[0])) {
		memset(regs, 0xff, 4 * sizeof(*regs));
		return;
	}
	switch (leaf) {
	case 0:
		regs[0] = c->max_leaf;
		break;
	case 1:
		regs[2] = c->leaf_1_ecx;
		break;
	case 7:
		if (subleaf == 1)
			regs[0] = c->leaf_7_1_eax;
		else
			memcpy(regs, c->leaf_7, sizeof(c->leaf_7));
		break;
	case 0xd:
		regs[0] = subleaf == 1 ? c->leaf_d_1_eax : 7;
		break;
	case 0x80000000:
		regs[0] = 0x80000008;
		break;
	case 0x80000001:
		regs[3] = c->leaf_80000001_edx;
		break;
	case 0x80000008:
		regs[0] = c->leaf_80000008_eax;
		break;
	default: /* a leaf that we should not ask for */
		memset(regs, 0xff, 4 * sizeof(*regs));
	}
}

static int cpu_rdmsr(void *ctx, u32 msr, u64 *value)
{
	const struct vmx_cpu *c = ctx;
	const struct {
		u32 msr;
		u64 value;
		bool exists;
	} msrs[] = {
		{ 0x3a, 5, true },
		{ 0x480, c->basic, true },
		{ 0x481, c->pin, true },
		{ 0x482, c->proc, true },
		{ 0x483, c->exit, true },
		{ 0x484, c->entry, true },
		{ 0x485, c->misc, true },
		{ 0x486, 0x80000021, true },
		{ 0x487, 0xffffffff, true },
		{ 0x488, 0x2000, true },
		{ 0x489, c->cr4_fixed1, true },
		{ 0x48b, c->proc2, c->proc >> 63 },
		{ 0x48c, c->ept_vpid, c->proc2 >> 32 & 0x22 },
		{ 0x48d, c->true_pin, c->basic >> 55 & 1 },
		{ 0x48e, c->true_proc, c->basic >> 55 & 1 },
		{ 0x48f, c->true_exit, c->basic >> 55 & 1 },
		{ 0x490, c->true_entry, c->basic >> 55 & 1 },
		{ 0x491, c->vmfunc, c->proc2 >> 45 & 1 },
		{ 0x492, c->leaf_7_1_eax >> 21 & 0x40, c->proc >> 49 & 1 },
		{ 0x493, 0, c->exit >> 63 },
	};

	if (!(c->leaf_1_ecx & 0x20))
		return -EIO;
	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].msr == msr && msrs[i].exists) {
			*value = msrs[i].value;
			return 0;
		}
	}
	return -EIO; /* a #GP */
}

const struct vmx_reader vmx_cpu_reader = { cpu_rdmsr, cpu_cpuid };

struct vmx_caps vmx_cpu_caps(const struct vmx_cpu *cpu)
{
	struct vmx_caps c;
	u32 bad = 0;

	if (vmx_caps_read(&c, &vmx_cpu_reader, (void *)(uintptr_t)cpu, &bad)) {
		fprintf(stderr, "%s: no MSR 0x%x\n", cpu->name, bad);
		memset(&c, 0, sizeof(c));
	}
	return c;
}
