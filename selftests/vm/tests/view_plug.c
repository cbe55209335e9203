/* SPDX-License-Identifier: MIT */
/*
 * CPU 1 goes and comes, out of VMX and in again, while threads of both CPUs
 *call by VMFUNC: whoever was there goes on elsewhere, and there again.
 *
 *	view_plug ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "callers.h"
#include "guest.h"
#include "kcall.h"
#include "view.h"

#define ONLINE "/sys/devices/system/cpu/cpu1/online"

enum { CALLS = 200 };

static int rounds_of(int rounds)
{
	int bad = 0;

	for (int i = 0; i < rounds && !bad; i++) {
		bad += write_file(ONLINE, "0") != 0;
		bad += !callers_reply(CALLS);
		bad += write_file(ONLINE, "1") || !both_in();
		callers_bind();
		bad += !callers_reply_within(CALLS);
	}
	return bad;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 30;

	if (cpus() < 2) {
		printf("1..0 # SKIP one CPU\n");
		return 0;
	}
	load("skyipc.ko", "views=required");
	view_map();
	callers_start();
	ok(callers_reply_within(CALLS), "calls on both CPUs");
	ok(!rounds_of(rounds), "%d times CPU 1 off and on", rounds);
	/* Who goes with the list of a CPU that is not there any more */
	ok(!write_file(ONLINE, "0"), "CPU 1 goes");
	ok(callers_stop(), "every reply is right");
	ok(nobody_has_anything(), "nothing is left");
	ok(!write_file(ONLINE, "1") && both_in(), "CPU 1 comes");
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
