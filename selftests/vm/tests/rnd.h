/* SPDX-License-Identifier: MIT */
/* At random, and the same each time */
#ifndef SKYIPC_RND_H
#define SKYIPC_RND_H

#include <stdint.h>

uint64_t rnd(void);
/* From here on as @seed says */
void rnd_begin(uint64_t seed);

#endif
