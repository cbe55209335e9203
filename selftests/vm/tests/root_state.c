/* SPDX-License-Identifier: MIT */
/*
 * Every CPU before the root, with it, and after it: the same registers, but
 * for VMX.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

/* The lines of skyipc_test's state that the root may change, and how. */
static bool may_differ(const char *before, const char *with)
{
	unsigned long a, b;
	unsigned int w1[4], w2[4];

	if (sscanf(before, "CR4 %lx", &a) == 1 &&
	    sscanf(with, "CR4 %lx", &b) == 1)
		return (a ^ b) == 1ul << 13; /* VMXE: somebody uses VMX */
	if (!strncmp(before, "CPUID.1.", 8) &&
	    sscanf(before, "%*s %x %x %x %x", w1, w1 + 1, w1 + 2, w1 + 3) ==
		    4 &&
	    sscanf(with, "%*s %x %x %x %x", w2, w2 + 1, w2 + 2, w2 + 3) == 4)
		return w1[0] == w2[0] && w1[1] == w2[1] &&
		       (w1[2] ^ w2[2]) == 1u << 5 && w1[3] == w2[3];
	if (!strncmp(before, "VMX_", 4))
		return strstr(with, " fault");
	if (sscanf(before, "FEATURE_CONTROL %lx", &a) == 1 &&
	    sscanf(with, "FEATURE_CONTROL %lx", &b) == 1)
		return b == (a & ~6ul);
	return false;
}

/* How many lines differ that should not; they are told. */
static int compare(char *before, char *now, bool root)
{
	char *a = strdup(before), *b = strdup(now), *la, *lb, *pa = a, *pb = b;
	int differ = 0;

	while ((la = strsep(&pa, "\n"), lb = strsep(&pb, "\n"), la && lb)) {
		if (!strcmp(la, lb) || (root && may_differ(la, lb)))
			continue;
		note("%s -> %s", la, lb);
		differ++;
	}
	free(a);
	free(b);
	return differ + (la || lb);
}

int main(void)
{
	int n = cpus();
	char **before = calloc((size_t)n, sizeof(*before));

	if (!before || load("skyipc_test.ko", ""))
		give_up("skyipc_test.ko");
	for (int i = 0; i < n; i++) {
		run_on(i);
		before[i] = read_file(TEST "state");
	}
	ok(!load("skyipc.ko", "views=required"), "insmod views=required");
	for (int i = 0; i < n; i++) {
		char *with;

		run_on(i);
		with = read_file(TEST "state");
		ok(!compare(before[i], with, true), "CPU %d: with the root", i);
		ok(strcmp(before[i], with), "CPU %d: VMX is hidden", i);
		free(with);
	}
	ok(!unload("skyipc"), "rmmod");
	for (int i = 0; i < n; i++) {
		char *after;

		run_on(i);
		after = read_file(TEST "state");
		ok(!compare(before[i], after, false), "CPU %d: after it", i);
		free(after);
		free(before[i]);
	}
	free(before);
	ok(!unload("skyipc_test"), "rmmod skyipc_test");
	return done();
}
