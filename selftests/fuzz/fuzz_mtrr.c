/* SPDX-License-Identifier: MIT */
/*
 * MTRRs made by the fuzzer: every answer against the slow reference, and no
 * walk that goes on for ever.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "mtrr.h"
#include "mtrr_layouts.h"

#define MAX_PIECES 2000u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct mtrr_state m;
	char name[32];

	(void)argc;
	(void)argv;
	for (unsigned int i = 0; i < mtrr_layouts_count; i++) {
		unsigned char buf[1 + 2 * 8 + sizeof(m.fixed) + 12 * 16];
		unsigned char *at = buf;

		mtrr_layout_state(&mtrr_layouts[i], 0, &m);
		*at++ = (unsigned char)m.phys_bits;
		memcpy(at, &m.cap, 8);
		memcpy(at + 8, &m.def_type, 8);
		memcpy(at + 16, m.fixed, sizeof(m.fixed));
		memcpy(at + 16 + sizeof(m.fixed), m.var, 12 * 16);
		snprintf(name, sizeof(name), "layout-%u", i);
		seed(name, buf, sizeof(buf));
	}
	seeds_end();
	return 0;
}

static void check(const struct mtrr_state *m, u64 addr,
		  const struct mtrr_piece *p)
{
	unsigned int odd;

	if (mtrr_ref_type(m, addr, &odd) != p->type || odd != p->odd)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct food f = { data, size };
	static struct mtrr_state m;
	unsigned int odd, all = 0, n = 0;
	struct mtrr_piece p;
	u64 addr, top;

	memset(&m, 0, sizeof(m));
	m.phys_bits = eat(&f);
	eat_bytes(&f, &m.cap, sizeof(m.cap));
	eat_bytes(&f, &m.def_type, sizeof(m.def_type));
	eat_bytes(&f, m.fixed, sizeof(m.fixed));
	eat_bytes(&f, m.var, sizeof(m.var));

	odd = mtrr_check(&m, MAX_PIECES);
	if (odd & MTRR_ODD_PHYS_BITS) {
		if (!mtrr_lookup(&m, 0, &p))
			abort();
		return 0;
	}
	top = 1ull << m.phys_bits;
	if (mtrr_lookup(&m, top, &p) != -ERANGE)
		abort();
	for (addr = 0; addr < top && n++ < MAX_PIECES; addr = p.end) {
		if (mtrr_lookup(&m, addr, &p) || p.start != addr ||
		    p.end <= addr || p.end > top || p.end % 4096)
			abort();
		all |= p.odd;
		check(&m, addr, &p);
		check(&m, p.end - 1, &p);
		check(&m, addr + (p.end - addr) / 3, &p);
	}
	/* What was met on the way is what was told. */
	if (addr >= top && (odd & MTRR_ODD_PIECES))
		abort();
	if (all & ~odd)
		abort();
	for (unsigned int i = 0; i < 32; i++) {
		u64 x = top / 37 * i + top / 1000 * (m.cap >> 48);

		if (mtrr_lookup(&m, x % top, &p))
			abort();
		check(&m, x % top, &p);
		check(&m, p.end - 1, &p);
	}
	return 0;
}
