/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <pthread.h>

static struct {
	uint64_t tick0;
	uint64_t ns0;
	_Atomic double rate; /* ticks per ns, 0: not measured */
} base;

__attribute__((constructor)) static void clock_init(void)
{
	base.ns0 = now_ns();
	base.tick0 = ticks();
}

static double rate(void)
{
	double r = base.rate;
	uint64_t ns, t;

	/* Racing threads store nearly equal values: harmless. */
	if (r != 0)
		return r;
	do {
		ns = now_ns() - base.ns0;
		t = ticks() - base.tick0;
	} while (ns < 100000);
	r = (double)t / (double)ns;
	/* A short base is good to 0.1%; keep the value once it is better. */
	if (ns > 10000000)
		base.rate = r;
	return r;
}

uint64_t ticks_to_ns(uint64_t t)
{
	return (uint64_t)((double)t / rate());
}

uint64_t ns_to_ticks(uint64_t ns)
{
	return (uint64_t)((double)ns * rate());
}
