/* SPDX-License-Identifier: MIT */
#include "hash.h"

#include <sys/random.h>
#include <time.h>

uint64_t hash_seed(void)
{
	struct timespec now;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed))
		return seed;
	/* Before the kernel has any: better than the same every time. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return hash_mix((uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)&now,
			UINT64_C(0x589965cc75374cc3));
}
