/* SPDX-License-Identifier: MIT */
/*
 * In and out of VMX under load: root_rounds [LOADS [HOTPLUGS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "leak.h"
#include "load.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"

static int rounds_of(int rounds)
{
	for (int i = 0; i < rounds; i++)
		if (load("skyipc.ko", "views=required") || unload("skyipc"))
			return -1;
	return 0;
}

static void loads(int rounds)
{
	state_keep();
	load_start();
	ok(!rounds_of(rounds), "%d times insmod and rmmod under load", rounds);
	ok(load_stop(), "the load has not noticed");
	ok(state_as_kept(), "the CPUs are as before");
	/* Nothing else is going on now, so what is in use can be counted. */
	leak_begin();
	if (rounds_of(rounds + rounds / 2))
		give_up("insmod and rmmod");
	leak_end(rounds + rounds / 2, "insmod and rmmod");
}

/* CPU 1 goes and comes; views stay as they are. */
static int plugs(int rounds)
{
	int bad = 0;

	for (int i = 0; i < rounds && !bad; i++) {
		bad += write_file(ONLINE, "0") || write_file(ONLINE, "1");
		bad += !both_in();
	}
	return bad;
}

static void hotplugs(int rounds)
{
	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	load_start();
	ok(!plugs(rounds), "%d times CPU 1 off and on, under load", rounds);
	ok(load_stop(), "the load has not noticed");
	leak_begin();
	if (plugs(rounds))
		give_up(ONLINE);
	leak_end(rounds, "CPU 1 off and on");
	ok(!write_file(ONLINE, "0"), "CPU 1 goes");
	ok(!unload("skyipc"), "rmmod while it is off");
	ok(!write_file(ONLINE, "1"), "CPU 1 comes");
	ok(state_as_kept(), "the CPUs are as before");
	ok(!write_file(ONLINE, "0"), "CPU 1 goes");
	ok(!load("skyipc.ko", "views=required"), "insmod while it is off");
	ok(!plugs(1), "it comes, goes and comes"); /* off already: no error */
	ok(!unload("skyipc"), "rmmod");
}

int main(int argc, char **argv)
{
	if (load("skyipc_test.ko", ""))
		give_up("insmod skyipc_test.ko");
	loads(argc > 1 ? atoi(argv[1]) : 100);
	hotplugs(argc > 2 ? atoi(argv[2]) : 50);
	ok(!unload("skyipc_test"), "rmmod skyipc_test");
	return done();
}
