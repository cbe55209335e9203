/* SPDX-License-Identifier: MIT */
/*
 * The MTRRs of real machines.
 *
 * Boot logs that Linux printed until 5.11 ("MTRR variable ranges enabled"),
 * found in public places; lkml: in mails to the Linux kernel's lists; linuxhw:
 * the repository linuxhw/Dmesg on GitHub; others name an issue on GitHub. For
 * logs whose public copy has no address, the machine is what names them.
 * Coreboot prints the same in other words.
 */
#include "mtrr_layouts.h"

#include <stdlib.h>

#define VGA_HOLE "00000-9FFFF WB; A0000-BFFFF UC; C0000-FFFFF WP"

const struct mtrr_layout mtrr_layouts[] = {
	/* ---- RAM is what the ranges say, all else uncached ------------- */
	{ "KARIZMA A15HM02: RAM with a hole at its end", 36, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-D3FFF WP; D4000-E7FFF UC; "
	  "E8000-FFFFF WP",
	  "000000000 F80000000 WB; 07C000000 FFC000000 UC",
	  "WB A0000; UC C0000; WP D4000; UC E8000; WP 100000; WB 7C000000; "
	  "UC 1000000000",
	  0 },
	{ "16 GB desktop, zfsonlinux/mountall issue 7: RAM in ever smaller "
	  "ranges, UC over WB",
	  36, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-D3FFF WP; D4000-E7FFF UC; "
	  "E8000-FFFFF WP",
	  "000000000 C00000000 WB; 400000000 FF0000000 WB; "
	  "410000000 FF8000000 WB; 418000000 FFC000000 WB; "
	  "41C000000 FFE000000 WB; 41E000000 FFF000000 WB; "
	  "0E0000000 FE0000000 UC; -; -; -",
	  "WB A0000; UC C0000; WP D4000; UC E8000; WP 100000; WB E0000000; "
	  "UC 100000000; WB 41F000000; UC 1000000000",
	  0 },
	{ "AMI BIOS, 5 GB: three holes under 4 GB", 36, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-CFFFF WP; D0000-DFFFF UC; "
	  "E0000-EFFFF WT; F0000-FFFFF WP",
	  "000000000 F00000000 WB; 100000000 FC0000000 WB; "
	  "0C0000000 FC0000000 UC; 0B7E00000 FFFE00000 UC; "
	  "0B8000000 FF8000000 UC",
	  "WB A0000; UC C0000; WP D0000; UC E0000; WT F0000; WP 100000; "
	  "WB B7E00000; UC 100000000; WB 140000000; UC 1000000000",
	  0 },
	{ "AMI BIOS, 512 MB: a mask without its upper bits", 36, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-CFFFF WP; D0000-DFFFF UC; "
	  "E0000-EFFFF WT; F0000-FFFFF WP",
	  "000000000 0C0000000 WB",
	  "WB A0000; UC C0000; WP D0000; UC E0000; WT F0000; WP 100000; "
	  "WB 40000000; UC 100000000; WB 140000000; UC 200000000; "
	  "WB 240000000; UC 300000000; WB 340000000; UC 400000000; "
	  "WB 440000000; UC 500000000; WB 540000000; UC 600000000; "
	  "WB 640000000; UC 700000000; WB 740000000; UC 800000000; "
	  "WB 840000000; UC 900000000; WB 940000000; UC A00000000; "
	  "WB A40000000; UC B00000000; WB B40000000; UC C00000000; "
	  "WB C40000000; UC D00000000; WB D40000000; UC E00000000; "
	  "WB E40000000; UC F00000000; WB F40000000; UC 1000000000",
	  MTRR_ODD_HOLES },
	{ "Pentium 4, 2 GB: chipset memory WT", 36, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-CFFFF WP; D0000-EFFFF UC; "
	  "F0000-FFFFF WP",
	  "000000000 F80000000 WB; 0FEDA0000 FFFFE0000 WT",
	  "WB A0000; UC C0000; WP D0000; UC F0000; WP 100000; WB 80000000; "
	  "UC FEDA0000; WT FEDC0000; UC 1000000000",
	  0 },
	{ "GA-MA770-UD3, 4.75 GB: holes of 1 and 2 MB", 48, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-C7FFF WP; C8000-FFFFF UC",
	  "000000000000 FFFF80000000 WB; 000080000000 FFFFC0000000 WB; "
	  "0000C0000000 FFFFF0000000 WB; 0000CFD00000 FFFFFFF00000 UC; "
	  "0000CFE00000 FFFFFFE00000 UC; 000100000000 FFFFE0000000 WB; "
	  "000120000000 FFFFF0000000 WB; -",
	  "WB A0000; UC C0000; WP C8000; UC 100000; WB CFD00000; UC 100000000; "
	  "WB 130000000; UC 1000000000000",
	  0 },
	{ "MSI 990FXA-GD80: the VGA hole WT", 48, "UC",
	  "00000-9FFFF WB; A0000-BFFFF WT; C0000-CFFFF WP; D0000-EBFFF UC; "
	  "EC000-FFFFF WP",
	  "000000000000 FFFF80000000 WB; 000080000000 FFFFC0000000 WB; "
	  "0000BFF00000 FFFFFFF00000 UC; -; -; -; -; -",
	  "WB A0000; WT C0000; WP D0000; UC EC000; WP 100000; WB BFF00000; "
	  "UC 1000000000000",
	  0 },
	{ "HPE ProLiant DL325 Gen10: flash WP", 48, "UC",
	  "00000-9FFFF WB; A0000-FFFFF UC",
	  "000000000000 FFFF80000000 WB; 0000E4000000 FFFFFC000000 WP; "
	  "000078000000 FFFFF8000000 UC; -; -; -; -; 0000FF000000 "
	  "FFFFFF000000 WP",
	  "WB A0000; UC 100000; WB 78000000; UC E4000000; WP E8000000; "
	  "UC FF000000; WP 100000000; UC 1000000000000",
	  0 },
	{ "Acer Aspire V3-571G (its first 8 registers): fixed ranges WC", 36,
	  "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-E7FFF WP; E8000-EFFFF WC; "
	  "F0000-FFFFF WP",
	  "000000000 F80000000 WB; 080000000 FE0000000 WB; "
	  "09B000000 FFF000000 UC; 09C000000 FFC000000 UC; "
	  "0FFC00000 FFFC00000 WP; 100000000 F80000000 WB; "
	  "15F600000 FFFE00000 UC; 15F800000 FFF800000 UC",
	  "WB A0000; UC C0000; WP E8000; WC F0000; WP 100000; WB 9B000000; "
	  "UC FFC00000; WP 100000000; WB 15F600000; UC 160000000; "
	  "WB 180000000; UC 1000000000",
	  0 },
	{ "coreboot on a Haswell notebook, lkml: frame buffer WC", 39, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-FFFFF WB",
	  "0000000000 7F80000000 WB; 007D800000 7FFF800000 UC; "
	  "007E000000 7FFE000000 UC; 00D0000000 7FF0000000 WC; "
	  "00FF800000 7FFF800000 UC; 0100000000 7F00000000 WB; "
	  "0200000000 7F80000000 WB; 027F000000 7FFF000000 UC; -; -",
	  "WB A0000; UC C0000; WB 7D800000; UC D0000000; WC E0000000; "
	  "UC 100000000; WB 27F000000; UC 8000000000",
	  0 },
	{ "notebook, 1.5 GB: two equal ranges WC", 36, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-C7FFF WP; C8000-DFFFF UC; "
	  "E0000-EFFFF WP; F0000-FFFFF UC",
	  "000000000 FC0000000 WB; 040000000 FE0000000 WB; "
	  "0C0000000 FF0000000 WC; 0C0000000 FF0000000 WC",
	  "WB A0000; UC C0000; WP C8000; UC E0000; WP F0000; UC 100000; "
	  "WB 60000000; UC C0000000; WC D0000000; UC 1000000000",
	  0 },
	{ "Intel S2600WFT (Skylake-SP, 192 GB), linuxhw", 46, "UC",
	  "00000-9FFFF WB; A0000-FFFFF UC",
	  "000000000000 3FE000000000 WB; 002000000000 3FF000000000 WB; "
	  "003000000000 3FFFC0000000 WB; 000080000000 3FFF80000000 UC; "
	  "00007F000000 3FFFFF000000 UC; -; -; -; -; -",
	  "WB A0000; UC 100000; WB 7F000000; UC 100000000; WB 3040000000; "
	  "UC 400000000000",
	  0 },
	{ "Intel S4600LH (512 GB), linuxhw: option ROM WT", 46, "UC",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-CFFFF WT; D0000-D3FFF WP; "
	  "D4000-E7FFF UC; E8000-FFFFF WP",
	  "000000000000 3F8000000000 WB; 0000C0000000 3FFFC0000000 UC; "
	  "008000000000 3FFFC0000000 WB",
	  "WB A0000; UC C0000; WT D0000; WP D4000; UC E8000; WP 100000; "
	  "WB C0000000; UC 100000000; WB 8040000000; UC 400000000000",
	  0 },
	{ "server with 512 GB of persistent memory, lkml", 46, "UC",
	  "00000-9FFFF WB; A0000-FFFFF UC",
	  "000000000000 3F8000000000 WB; 008000000000 3FE000000000 WB; "
	  "009E80000000 3FFF80000000 UC; 009F00000000 3FFF00000000 UC; "
	  "000080000000 3FFF80000000 UC; 00007F000000 3FFFFF000000 UC",
	  "WB A0000; UC 100000; WB 7F000000; UC 100000000; WB 9E80000000; "
	  "UC 400000000000",
	  0 },
	/* ---- what is not memory is what the ranges say ------------------- */
	{ "KVM with SeaBIOS, lkml", 40, "WB", VGA_HOLE,
	  "0080000000 FF80000000 UC; -; -; -; -; -; -; -",
	  "WB A0000; UC C0000; WP 100000; WB 80000000; UC 100000000; "
	  "WB 10000000000",
	  0 },
	{ "Surface, linux-surface issue 398: UC in ever smaller ranges, "
	  "upper half UC",
	  39, "WB", VGA_HOLE,
	  "00C0000000 7FC0000000 UC; 00A0000000 7FE0000000 UC; "
	  "0098000000 7FF8000000 UC; 0094000000 7FFC000000 UC; "
	  "0092000000 7FFE000000 UC; 0091000000 7FFF000000 UC; "
	  "4000000000 4000000000 UC; -; -; -",
	  "WB A0000; UC C0000; WP 100000; WB 91000000; UC 100000000; "
	  "WB 4000000000; UC 8000000000",
	  0 },
	{ "HP Superdome2 16s (12 TB), linux-mm: UC over UC", 46, "WB",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-DFFFF WP; E0000-FFFFF UC",
	  "000080000000 3FFF80000000 UC; 0F0000000000 3F8000000000 UC; "
	  "0F8000000000 3FC000000000 UC; 0FC000000000 3FE000000000 UC; "
	  "0FE000000000 3FF000000000 UC; 0000FF000000 3FFFFFE00000 UC; "
	  "0FDF80000000 3FFF80000000 UC; 0FE000000000 3FF800000000 UC; -; -",
	  "WB A0000; UC C0000; WP E0000; UC 100000; WB 80000000; "
	  "UC 100000000; WB F0000000000; UC FF000000000; WB 400000000000",
	  0 },
	{ "server with 25 TB, lkml: I/O above RAM", 46, "WB", VGA_HOLE,
	  "000080000000 3FFF80000000 UC; 200100000000 3FFFC0000000 UC; "
	  "210000000000 3F8000000000 UC; 218000000000 3FE000000000 UC; "
	  "21A000000000 3FF800000000 UC; -; -; -; -; -",
	  "WB A0000; UC C0000; WP 100000; WB 80000000; UC 100000000; "
	  "WB 200100000000; UC 200140000000; WB 210000000000; "
	  "UC 21A800000000; WB 400000000000",
	  0 },
	{ "MSI X99 Tomahawk (MS-7A54), lkml: WT over UC", 46, "WB", VGA_HOLE,
	  "000080000000 3FFF80000000 UC; 000040000000 3FFFC0000000 UC; "
	  "380000000000 3FC000000000 UC; 00003F000000 3FFFFF000000 UC; "
	  "0000E0000000 3FFFF0000000 WT; 0000F0000000 3FFFFE000000 WT",
	  "WB A0000; UC C0000; WP 100000; WB 3F000000; UC 100000000; "
	  "WB 380000000000; UC 384000000000; WB 400000000000",
	  0 },
	{ "IBM 8737R2A, lkml: flash WT under UC", 46, "WB",
	  "00000-9FFFF WB; A0000-FFFFF UC",
	  "0000FF800000 3FFFFF800000 WT; 000080000000 3FFF80000000 UC; "
	  "3C0000000000 3FF800000000 UC",
	  "WB A0000; UC 100000; WB 80000000; UC 100000000; WB 3C0000000000; "
	  "UC 3C0800000000; WB 400000000000",
	  0 },
	{ "desktop, lkml: WT option ROMs, I/O at 3 TB", 46, "WB",
	  "00000-9FFFF WB; A0000-BFFFF UC; C0000-E3FFF WT; E4000-FFFFF WP",
	  "0000C0000000 3FFFC0000000 UC; 0000A0000000 3FFFE0000000 UC; "
	  "030000000000 3FC000000000 UC; 00009E000000 3FFFFE000000 UC; "
	  "0000E0000000 3FFFF0000000 WT",
	  "WB A0000; UC C0000; WT E4000; WP 100000; WB 9E000000; "
	  "UC 100000000; WB 30000000000; UC 34000000000; WB 400000000000",
	  0 },
	/* ---- by the book ------------------------------------------------- */
	{ "SDM volume 3, 12.11.3, 96 MB", 36, "UC", NULL,
	  "000000000 FFC000000 WB; 004000000 FFE000000 WB; "
	  "006000000 FFFC00000 WB; 004000000 FFFC00000 UC; "
	  "000F00000 FFFF00000 UC; 0A0000000 FFF800000 WC",
	  "WB F00000; UC 1000000; WB 4000000; UC 4400000; WB 6400000; "
	  "UC A0000000; WC A0800000; UC 1000000000",
	  0 },
	{ "as after reset: disabled", 39, NULL, NULL, "-; -; -; -",
	  "UC 8000000000", MTRR_ODD_DISABLED },
	{ "52 bits, as Sapphire Rapids has: constructed after the S2600WFT", 52,
	  "WB", VGA_HOLE,
	  "0000080000000 FFFFF80000000 UC; 0200000000000 FE00000000000 UC; "
	  "8000000000000 8000000000000 UC",
	  "WB A0000; UC C0000; WP 100000; WB 80000000; UC 100000000; "
	  "WB 200000000000; UC 400000000000; WB 8000000000000; "
	  "UC 10000000000000",
	  0 },
	/* ---- what no firmware should do: constructed --------------------- */
	{ "WC over WB", 36, "UC", NULL,
	  "000000000 F80000000 WB; 040000000 FF0000000 WC; "
	  "048000000 FF8000000 UC",
	  "WB 40000000; UC 50000000; WB 80000000; UC 1000000000",
	  MTRR_ODD_OVERLAP },
	{ "WP over WT, WT over WB", 36, "WP", NULL,
	  "000000000 F80000000 WB; 040000000 FC0000000 WT; "
	  "050000000 FF0000000 WP",
	  "WB 40000000; WT 50000000; UC 60000000; WT 80000000; WP 1000000000",
	  MTRR_ODD_OVERLAP },
	{ "a base within its range", 36, "UC", NULL, "010000000 FC0000000 WB",
	  "WB 40000000; UC 1000000000", MTRR_ODD_ALIGN },
	{ "a range of all memory", 36, "UC", VGA_HOLE, "000000000 000000000 WB",
	  "WB A0000; UC C0000; WP 100000; WB 1000000000", 0 },
};

const unsigned int mtrr_layouts_count = ARRAY_SIZE(mtrr_layouts);

static const char *const names[] = { "UC", "WC", NULL, NULL, "WT", "WP", "WB" };

const char *mtrr_type_name(u8 type)
{
	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "??";
}

static u8 type_named(const char *s)
{
	for (u8 t = 0; t < ARRAY_SIZE(names); t++)
		if (names[t] && !strncmp(s, names[t], 2))
			return t;
	abort();
}

/* The start of the next item of a list, or NULL */
static const char *next_item(const char *s)
{
	s = strchr(s, ';');
	return s ? s + 1 + strspn(s + 1, " ") : NULL;
}

static void set_fixed(struct mtrr_state *m, u64 addr, u8 type)
{
	unsigned int reg, byte;

	if (addr < 0x80000)
		reg = 0, byte = addr / 0x10000;
	else if (addr < 0xc0000)
		reg = 1 + (addr - 0x80000) / 0x20000,
		byte = addr % 0x20000 / 0x4000;
	else
		reg = 3 + (addr - 0xc0000) / 0x8000,
		byte = addr % 0x8000 / 0x1000;
	m->fixed[reg] &= ~(0xffull << (byte * 8));
	m->fixed[reg] |= (u64)type << (byte * 8);
}

void mtrr_layout_state(const struct mtrr_layout *l, unsigned int phys_bits,
		       struct mtrr_state *m)
{
	u64 top, first, last, base, mask;
	unsigned int n = 0;
	char *end;

	memset(m, 0, sizeof(*m));
	m->phys_bits = phys_bits ? phys_bits : l->phys_bits;
	m->cap = MTRR_CAP_FIXED | MTRR_CAP_WC;
	m->def_type = l->def ? MTRR_DEF_ENABLED | type_named(l->def) : 0;
	for (const char *s = l->fixed; s; s = next_item(s)) {
		m->def_type |= MTRR_DEF_FIXED;
		first = strtoull(s, &end, 16);
		last = strtoull(end + 1, &end, 16);
		for (u64 a = first; a < last; a += 0x1000)
			set_fixed(m, a, type_named(end + 1));
	}
	top = 1ull << m->phys_bits;
	for (const char *s = l->var; s; s = next_item(s), n++) {
		if (*s == '-')
			continue;
		base = strtoull(s, &end, 16);
		mask = strtoull(end, &end, 16);
		if (mask >> (l->phys_bits - 1)) /* one of the usual kind */
			mask |= ~0ull << l->phys_bits;
		if (base >= top)
			continue;
		m->var[n].base = base | type_named(end + 1);
		m->var[n].mask = (mask & (top - 1)) | MTRR_MASK_VALID;
	}
	m->cap |= n;
}

/* Note a type in a set of types: bit 7 stands for those that don't exist. */
static unsigned int with(unsigned int set, u64 type)
{
	if (type == 0 || type == 1 || type == 4 || type == 5 || type == 6)
		return set | 1u << type;
	return set | 1u << 7;
}

u8 mtrr_ref_type(const struct mtrr_state *m, u64 addr, unsigned int *odd)
{
	u64 bits = ((1ull << m->phys_bits) - 1) & ~0xfffull;
	unsigned int set = 0;

	*odd = 0;
	/* 1. If the MTRRs are not enabled, UC. */
	if (!(m->def_type >> 11 & 1))
		return MEM_UC;
	/* 2a. The first MB, if the fixed ranges are enabled */
	if (addr < 0x100000 && (m->def_type >> 10 & 1) && (m->cap >> 8 & 1)) {
		unsigned int i;

		if (addr < 0x80000)
			i = addr / 0x10000;
		else if (addr < 0xc0000)
			i = 8 + (addr - 0x80000) / 0x4000;
		else
			i = 24 + (addr - 0xc0000) / 0x1000;
		set = with(set, m->fixed[i / 8] >> (i % 8 * 8) & 0xff);
	} else {
		/* 2b. All variable ranges that match */
		for (unsigned int i = 0; i < (m->cap & 0xff); i++)
			if ((m->var[i].mask >> 11 & 1) &&
			    (m->var[i].mask & bits & addr) ==
				    (m->var[i].mask & bits & m->var[i].base))
				set = with(set, m->var[i].base & 0xff);
	}
	/* 3. None: the default */
	if (!set)
		set = with(set, m->def_type & 0xff);
	if (set & 1u << 7)
		*odd |= MTRR_ODD_TYPE;
	if (set & (1u << 7 | 1u << MEM_UC))
		return MEM_UC;
	if (set == 1u << MEM_WC)
		return MEM_WC;
	if (set == 1u << MEM_WP)
		return MEM_WP;
	if (set == 1u << MEM_WB)
		return MEM_WB;
	if (set == 1u << MEM_WT || set == (1u << MEM_WT | 1u << MEM_WB))
		return MEM_WT;
	*odd |= MTRR_ODD_OVERLAP;
	return MEM_UC;
}
