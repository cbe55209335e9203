/* SPDX-License-Identifier: MIT */
/* What the numbers depend on beside the program. */
#ifndef BENCH_ENV_H
#define BENCH_ENV_H

#include <stdio.h>

void env_init(void);
void env_print(FILE *to);
const char *env_cpu(void);
const char *env_kernel(void);
const char *env_virt(void);

#endif /* BENCH_ENV_H */
