/* SPDX-License-Identifier: MIT */
#include <cpuid.h>
#include <string.h>

#include "guest.h"
#include "kcall.h"
#include "park_state.h"
#include "rnd.h"

static uint32_t xsave_size;

void park_state_init(void)
{
	uint32_t a, b, c, d;

	xsave_size = 512 + 64;
	for (int i = 2; i < 8; i++) {
		if (!(found->mask >> i & 1))
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		if (a + b > xsave_size)
			xsave_size = a + b;
	}
}

uint8_t xsave[XSAVE_MAX] __attribute__((aligned(64)));

void random_xsave(void)
{
	uint64_t *w = (uint64_t *)xsave;

	for (size_t i = 0; i < sizeof(xsave) / 8; i++)
		w[i] = rnd();
	/* x87: rounding and precision, all masked; TOP and conditions */
	*(uint16_t *)(xsave + 0) = 0x7f | (rnd() & 0xf00);
	*(uint16_t *)(xsave + 2) = rnd() & 0x7f00;
	memset(xsave + 5, 0, 19); /* no last instruction */
	*(uint32_t *)(xsave + 24) = rnd() & 0xffff;
	memset(xsave + 512, 0, 64);
	memcpy(xsave + 512, &found->mask, 8);
}

bool same_xsave(void)
{
	static const struct {
		int from, to;
	} parts[] = { { 0, 5 }, { 24, 28 }, { 160, 416 } };
	bool same = true;

	for (int i = 0; i < 3; i++)
		same &= !memcmp(xsave + parts[i].from,
				found->xsave + parts[i].from,
				(size_t)(parts[i].to - parts[i].from));
	for (int i = 0; i < 8; i++) /* 80 bits each */
		same &= !memcmp(xsave + 32 + 16 * i, found->xsave + 32 + 16 * i,
				10);
	return same &&
	       !memcmp(xsave + 576, found->xsave + 576, xsave_size - 576);
}

static const char *const names[] = { "r15", "r14",   "r13", "r12", "bp",
				     "bx",  "r11",   "r10", "r9",  "r8",
				     "ax",  "cx",    "dx",  "si",  "di",
				     "ip",  "flags", "sp",  "fs",  "gs" };

#define SEEN_FLAGS UINT64_C(0x40cd5) /* what sets them, less TF and RF */

bool same_regs(const uint64_t *want, const uint64_t *got, int most)
{
	bool same = true;

	for (int i = 0; i < most; i++) {
		uint64_t mask = i == IP	     ? 0
				: i == FLAGS ? SEEN_FLAGS
					     : ~UINT64_C(0);

		if ((want[i] ^ got[i]) & mask) {
			note("%s: %llx became %llx", names[i],
			     (unsigned long long)want[i],
			     (unsigned long long)got[i]);
			same = false;
		}
	}
	return same;
}

void random_regs(uint64_t *regs)
{
	for (int i = 0; i < REGS; i++)
		regs[i] = rnd();
	/* ioctl() has values of its own */
	if (rnd() % 100 == 0)
		regs[AX] = -(rnd() % 600);
	regs[FLAGS] &= SEEN_FLAGS;
	regs[FS] &= 0x7fffffffefff;
	regs[GS] &= 0x7fffffffefff;
	regs[IP] = (uintptr_t)park_entry;
	/* Key 0, which all that we use has, is open. */
	found->want_pkru = (uint32_t)rnd() & ~3u;
}

void park_args(struct skyipc_dev_park *p, const uint64_t *regs,
	       struct skyipc_dev_call *c)
{
	*p = (struct skyipc_dev_park){ .size = sizeof(*p),
				       .call = (uintptr_t)c,
				       .pkru = found->want_pkru,
				       .xsave = (uintptr_t)xsave,
				       .xsave_size = xsave_size };
	memcpy(p->regs, regs, sizeof(p->regs));
}

int park(int link, const uint64_t *regs)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = in_ms(10000) };
	struct skyipc_dev_park p;

	park_args(&p, regs, &c);
	return op(link, SKYIPC_LINK_PARK, &p);
}
