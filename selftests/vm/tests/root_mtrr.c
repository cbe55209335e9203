/* SPDX-License-Identifier: MIT */
/*
 * Memory types that change under us: home is made anew. MTRRs that are written
 * and stay the same, and MSRs beside them, are none of our business.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define MTRR "/proc/mtrr"
#define PAT 0x277
#define MTRR_DEF_TYPE 0x2ff

static int starts(void)
{
	char *text = kernel_log(), *at = text;
	int n = 0;

	while ((at = strstr(at, "MTRRs have changed; views start anew"))) {
		at++;
		n++;
	}
	free(text);
	return n;
}

/*
 * Each CPU that has left says so, before the writer goes on; then all are in
 * again.
 */
static void anew(const char *line, const char *what)
{
	int before = starts();
	char *why;

	ok(!write_file(MTRR, line), "%s", what);
	ok(starts() == before + cpus(), "each CPU has left");
	ok(becomes(VIEWS, "on"), "views are on again");
	why = read_line(VIEWS_WHY);
	ok(!*why, "without complaint: %s", why);
	free(why);
	ok(both_in(), "both CPUs");
}

/* The word that takes the range away that was added last */
static char *disable_last(char *line, size_t size)
{
	char *text = read_file(MTRR), *at = strstr(text, "write-combining");

	if (!at)
		give_up("no such range in " MTRR);
	while (at > text && at[-1] != '\n')
		at--;
	snprintf(line, size, "disable=%ld\n", strtol(at + 3, NULL, 10));
	free(text);
	return line;
}

/* Write an MSR with what it has. */
static void rewrite(off_t msr, unsigned long long more, const char *what)
{
	unsigned long long before = exits("wrmsr");
	int fd = open("/dev/cpu/1/msr", O_RDWR | O_CLOEXEC);
	uint64_t value;

	if (fd < 0 || pread(fd, &value, 8, msr) != 8 ||
	    pwrite(fd, &value, 8, msr) != 8)
		give_up("/dev/cpu/1/msr");
	close(fd);
	ok(exits("wrmsr") == before + more, "%s: %llu exits", what, more);
}

int main(void)
{
	static const char range[] =
		"base=0x40000000 size=0x1000000 type=write-combining\n";
	char *before, *after, line[32];
	int n;

	if (system("modprobe msr"))
		give_up("modprobe msr");
	/* Linux leaves the base of a range where it was: once without us. */
	if (write_file(MTRR, range) ||
	    write_file(MTRR, disable_last(line, sizeof(line))))
		give_up(MTRR);
	if (load("skyipc_test.ko", "") || load("skyipc.ko", "views=required"))
		give_up("insmod");
	run_on(0);
	before = read_file(TEST "state");
	n = starts();
	rewrite(PAT, 0, "PAT");
	rewrite(MTRR_DEF_TYPE, 1, "the same memory types");
	ok(starts() == n, "nobody has left");
	anew(range, "a range gets another type");
	anew(disable_last(line, sizeof(line)), "and the old one again");
	run_on(0);
	after = read_file(TEST "state");
	ok(!strcmp(before, after), "CPU 0 is as before");
	free(before);
	free(after);
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
