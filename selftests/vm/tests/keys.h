/* SPDX-License-Identifier: MIT */
/*
 * Protection keys, and PKRU.
 */
#ifndef SKYIPC_KEYS_H
#define SKYIPC_KEYS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * With PKE=1 in the environment: turned on, on each CPU, for where Linux does
 * not know of them. Before skyipc.ko is loaded.
 */
void keys_on(void);
/* Are they there, and on? */
bool keys_here(void);

static inline uint32_t rdpkru(void)
{
	uint32_t a, d;

	__asm__ volatile("rdpkru" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

static inline void wrpkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

/* Key 0 is what everything has: open. */
static inline uint32_t any_pkru(void)
{
	return (uint32_t)random() << 16 ^ ((uint32_t)random() & ~3u);
}

#endif
