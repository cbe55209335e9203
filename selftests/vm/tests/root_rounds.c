/* SPDX-License-Identifier: MIT */
/*
 * In and out of VMX under load: root_rounds [LOADS [HOTPLUGS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "load.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"

/* Pages and slab objects in use, as far as /proc/meminfo knows. */
static long memory(const char *what)
{
	char *text = read_file("/proc/meminfo"), *at = strstr(text, what);
	long kb = at ? strtol(at + strlen(what), NULL, 10) : 0;

	free(text);
	return kb;
}

static void loads(int rounds)
{
	int bad = 0;
	long before;

	load_start();
	/* The first round fills caches that stay. */
	bad += load("skyipc.ko", "views=required") || unload("skyipc");
	before = memory("SUnreclaim:") + memory("VmallocUsed:");
	for (int i = 0; i < rounds && !bad; i++) {
		bad += load("skyipc.ko", "views=required") != 0;
		bad += unload("skyipc") != 0;
	}
	ok(!bad, "%d times insmod and rmmod under load", rounds);
	note("kB of slabs and vmalloc: %ld -> %ld", before,
	     memory("SUnreclaim:") + memory("VmallocUsed:"));
	ok(load_stop(), "the load has not noticed");
}

static void hotplugs(int rounds)
{
	int bad = 0;
	char *state;

	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	for (int i = 0; i < rounds && !bad; i++) {
		bad += write_file(ONLINE, "0") != 0;
		bad += write_file(ONLINE, "1") != 0;
		state = read_file(DEBUG "cpus");
		bad += !strstr(state, "0 on ") || !strstr(state, "\n1 on ");
		free(state);
	}
	ok(!bad, "%d times CPU 1 off and on", rounds);
	write_file(ONLINE, "0");
	ok(!unload("skyipc"), "rmmod while CPU 1 is off");
	write_file(ONLINE, "1");
	ok(!load("skyipc.ko", "views=required"), "insmod after that");
	ok(!unload("skyipc"), "rmmod");
}

int main(int argc, char **argv)
{
	loads(argc > 1 ? atoi(argv[1]) : 100);
	hotplugs(argc > 2 ? atoi(argv[2]) : 50);
	return done();
}
