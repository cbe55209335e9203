/* SPDX-License-Identifier: MIT */
/*
 * Suspend and hibernation, up to the point where the firmware would take over
 * (/sys/power/pm_test: core): CPU 1 goes by hotplug, CPU 0 in a syscore
 * callback, and both come back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define PM "/sys/power/"

static bool can(const char *state)
{
	char *states = read_file(PM "state");
	bool found = strstr(states, state);

	free(states);
	return found && !access(PM "pm_test", W_OK);
}

static void sleeps(const char *state, const char *what)
{
	unsigned long long launches;
	int error;

	if (!can(state)) {
		ok(true, "%s # skip this machine has none", what);
		return;
	}
	write_file(PM "mem_sleep", "deep");
	if (write_file(PM "pm_test", "core"))
		give_up(PM "pm_test");
	run_on(0);
	launches = exits("vmcall");
	error = write_file(PM "state", state);
	ok(!error, "%s: %s", what, strerror(-error));
	ok(both_in(), "both CPUs are in again");
	/* CPU 0 has not been freed: its counters go on, with stop and hello. */
	ok(exits("vmcall") >= launches + 2, "CPU 0 was out meanwhile");
	write_file(PM "pm_test", "none");
}

int main(void)
{
	char *why;

	if (load("skyipc.ko", "views=required"))
		give_up("insmod skyipc.ko views=required");
	sleeps("mem", "suspend");
	sleeps("disk", "hibernation");
	/* What root does about a bug must work after that, too. */
	run_on(0);
	write_file(DEBUG "root", "trap 6");
	ok(becomes(VIEWS, "off"), "a bug in root, after a resume");
	if (write_file(VIEWS, "on"))
		give_up("views");
	/* A CPU that does not go in again: views are off, and say why. */
	if (can("disk") || can("mem")) {
		write_file(PM "pm_test", "core");
		write_file(DEBUG "fail", "vmxon 0");
		write_file(PM "state", can("disk") ? "disk" : "mem");
		write_file(DEBUG "fail", "none");
		ok(becomes(VIEWS, "off"), "a launch that fails then");
		why = read_line(VIEWS_WHY);
		ok(!strcmp(why,
			   "CPU 0 has left VMX: no launch after a suspend"),
		   "%s", why);
		free(why);
	}
	ok(!unload("skyipc"), "rmmod");
	return done();
}
