/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <cpuid.h>
#include <stdio.h>

#include "guest.h"

void keys_on(void)
{
	char line[16];

	if (!getenv("PKE"))
		return;
	load("skyipc_test.ko", "");
	for (int cpu = 0; cpu < cpus(); cpu++) {
		snprintf(line, sizeof(line), "%d 1", cpu);
		write_file(TEST "pke", line);
	}
}

bool keys_here(void)
{
	unsigned a, b, c = 0, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c & bit_OSPKE;
}
