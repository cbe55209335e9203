/* SPDX-License-Identifier: MIT */
#include "clock.h"

double clock_tick_ns = 1.0;

const char *clock_source(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return "rdtsc";
#else
	return "clock_gettime";
#endif
}

/*
 * Read both clocks as nearly at once as possible: an interrupt between the two
 * reads would be an error of the whole calibration, so the narrowest of
 * several tries counts.
 */
static void read_both(uint64_t *ns, uint64_t *ticks)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 64; i++) {
		uint64_t before = clock_ticks();
		uint64_t now = clock_ns();
		uint64_t after = clock_ticks();

		if (after - before < best) {
			best = after - before;
			*ns = now;
			*ticks = before + (after - before) / 2;
		}
	}
}

void clock_calibrate(void)
{
#if defined(__x86_64__) || defined(__i386__)
	uint64_t ns0 = 0, ns1 = 0, t0 = 0, t1 = 0;

	read_both(&ns0, &t0);
	while (clock_ns() - ns0 < 20000000)
		cpu_relax();
	read_both(&ns1, &t1);
	clock_tick_ns = (double)(ns1 - ns0) / (double)(t1 - t0);
#else
	(void)read_both;
#endif
}
