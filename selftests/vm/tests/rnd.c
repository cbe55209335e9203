/* SPDX-License-Identifier: MIT */
#include "rnd.h"

/* xorshift64 (Marsaglia, 2003); any state but 0 */
static uint64_t state = 88172645463325252;

uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

void rnd_begin(uint64_t seed)
{
	state = 88172645463325252 + seed;
}
