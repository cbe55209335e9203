/* SPDX-License-Identifier: MIT */
/*
 * The root goes and another one comes, while threads call by VMFUNC: turned off
 *and on, for memory types that change, for a suspend. Without one they are told
 *that there is no view, or their call goes on in the worker; with one they have
 *their views again, of that root, and the memory of the old one is not lost.
 *
 *	view_anew ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "callers.h"
#include "guest.h"
#include "kcall.h"
#include "leak.h"
#include "view.h"

#define MTRR "/proc/mtrr"
#define PM "/sys/power/"

enum { CALLS = 100, REFUSALS = 100 };

static int rounds_of(int rounds)
{
	int bad = 0;

	for (int i = 0; i < rounds && !bad; i++) {
		bad += write_file(VIEWS, "off") != 0;
		/* Nobody is in the middle of one for ever, nor gets a signal.
		 */
		bad += !callers_refused(REFUSALS);
		bad += write_file(VIEWS, "on") != 0;
		bad += !callers_reply_within(CALLS);
	}
	return bad;
}

/* As it may be: what changes is that home is another one. */
static bool types(const char *line)
{
	return !write_file(MTRR, line) && becomes(VIEWS, "on") &&
	       callers_reply_within(CALLS);
}

static void memory_types(void)
{
	char *text, *at, line[32];

	ok(types("base=0x40000000 size=0x1000000 type=write-combining\n"),
	   "a range gets another type");
	text = read_file(MTRR);
	at = strstr(text, "write-combining");
	if (!at)
		give_up("no such range in " MTRR);
	while (at > text && at[-1] != '\n')
		at--;
	snprintf(line, sizeof(line), "disable=%ld\n", strtol(at + 3, NULL, 10));
	free(text);
	ok(types(line), "and the old one again");
}

/* CPU 1 goes by hotplug, CPU 0 as the last one; the root is the same. */
static void sleeps(void)
{
	char *states = read_file(PM "state");
	const char *state = strstr(states, "mem") ? "mem" : "disk";
	int err;

	if (access(PM "pm_test", W_OK) || !strstr(states, state)) {
		ok(true, "suspend # skip this machine has none");
		free(states);
		return;
	}
	free(states);
	write_file(PM "mem_sleep", "deep");
	if (write_file(PM "pm_test", "core"))
		give_up(PM "pm_test");
	err = write_file(PM "state", state);
	callers_bind();
	ok(!err && callers_reply_within(CALLS), "suspend: %s, %s", state,
	   strerror(-err));
	write_file(PM "pm_test", "none");
}

/* Threads that have views when there is none, and end without them */
static void ends_without(void)
{
	ok(!write_file(VIEWS, "off"), "views off");
	ok(callers_refused(REFUSALS), "nobody has any");
	ok(callers_stop(), "every reply was right");
	ok(nobody_has_anything(), "nothing is left");
	ok(!write_file(VIEWS, "on"), "views on");
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 60;

	load("skyipc.ko", "views=required");
	view_map();
	callers_start();
	ok(callers_reply_within(CALLS), "calls on all CPUs");
	ok(!rounds_of(10), "10 times off and on");
	leak_begin();
	ok(!rounds_of(rounds), "%d times off and on", rounds);
	leak_end(rounds, "views off and on");
	memory_types();
	sleeps();
	ends_without();
	callers_start();
	ok(callers_reply_within(CALLS), "others have views of the new one");
	ok(callers_stop(), "every reply is right");
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
