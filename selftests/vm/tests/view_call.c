/* SPDX-License-Identifier: MIT */
/*
 * Calls by VMFUNC into another process.
 *
 *	view_call CALLS
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "guest.h"
#include "kcall.h"
#include "keys.h"
#include "view.h"

enum { ECHO, SYSCALL, FAULT, SLEEP, SPIN, NOTHING };

static volatile uint8_t *fresh;

/* Which way, word 0 says in its upper half. */
static void handler(struct view_msg *m)
{
	if (m->word[0] >> 32 == NOTHING)
		return;
	switch (m->word[0] >> 32) {
	case SYSCALL:
		m->word[0] = (uint64_t)getpid();
		return;
	case FAULT:
		fresh[m->word[1]]++;
		m->word[0] = fresh[m->word[1]];
		return;
	case SPIN:
		for (volatile unsigned i = 0; i < m->word[1]; i++)
			;
		break;
	case SLEEP:
		usleep(2000);
		m->word[0] = 77;
		return;
	}
	for (unsigned i = 0; i < 7; i++)
		m->word[i]++;
}

static void null_calls(const struct view_caller *c, const struct view_way *w,
		       unsigned n)
{
	struct view_msg m = { .word = { 1, 2, 3, 4, 5, 6, 7 } };
	unsigned i, j;
	int err = 0;

	for (i = 0; i < n; i++) {
		err = view_call(c, w, &m);
		for (j = 0; !err && j < 7; j++)
			if (m.word[j] != i + j + 2)
				err = 1;
		if (err)
			break;
	}
	ok(i == n, "%u calls, and what they reply", n);
	if (i < n)
		note("call %u: %d", i, err);
}

/* What debugfs says of the link that has @slot, of all threads that have one */
struct counts {
	unsigned long long interrupts, faults, syscalls, resumed;
};

static struct counts counts_of(unsigned slot)
{
	char *all = read_file(DEBUG "views"), *line = all;
	struct counts c = { 0 }, found = { 0 };
	unsigned n;

	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%*d %u %*d %*s %llu %llu %llu %llu", &n,
			   &c.interrupts, &c.faults, &c.syscalls,
			   &c.resumed) == 5 &&
		    n == slot)
			found = c;
	}
	free(all);
	return found;
}

/* Nothing leaves the guest, or enters the kernel, but for interrupts. */
static void steady(const struct view_caller *c, const struct view_way *w,
		   unsigned n)
{
	unsigned long long before, after;
	struct view_msg m = { .word = { (uint64_t)NOTHING << 32 } };
	struct counts a, b;
	unsigned i;

	/* Who comes to another CPU makes that forget its old list. */
	run_on(0);
	a = counts_of(w->slot);
	before = exits_but_cpuid();
	for (i = 0; i < n && !view_call(c, w, &m); i++)
		;
	after = exits_but_cpuid();
	b = counts_of(w->slot);
	ok(i == n && after - before == b.resumed - a.resumed,
	   "%u calls: no exit but %llu to resume", n, b.resumed - a.resumed);
	ok(b.faults == a.faults && b.syscalls == a.syscalls,
	   "nor an entry into the kernel but %llu interrupts",
	   b.interrupts - a.interrupts);
	note("%llu exits", after - before);
}

/* Of a link, in pages of the kernel's */
static void memory(void)
{
	char *all = read_file(DEBUG "views"), *line = all;
	unsigned pages = 0, most = 0;

	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%*d %*u %*d %*s %*u %*u %*u %*u %*u %u",
			   &pages) == 1 &&
		    pages > most)
			most = pages;
	}
	ok(most && most <= 12, "%u pages for a link (12 at most)", most);
	free(all);
}

static void moved(const struct view_caller *c, const struct view_way *w,
		  pid_t server)
{
	struct view_msg m = { .word = { (uint64_t)SYSCALL << 32, 2, 3, 4, 5, 6,
					7 } };
	int err = view_call(c, w, &m);

	ok(!err && m.word[0] == (uint64_t)server && m.word[6] == 7,
	   "a system call is the server's");
	note("%d, %d of %d", err, (int)m.word[0], server);
	for (unsigned i = 0; i < 100 && !err; i++) {
		m = (struct view_msg){ .word = { (uint64_t)FAULT << 32,
						 i * 4096 } };
		err = view_call(c, w, &m);
		if (!err && m.word[0] != 1)
			err = 1;
	}
	ok(!err, "fresh pages");
	for (unsigned i = 0; i < 20 && !err; i++) {
		m = (struct view_msg){ .word = { (uint64_t)SLEEP << 32 } };
		err = view_call(c, w, &m);
		if (!err && m.word[0] != 77)
			err = 1;
	}
	ok(!err, "sleep");
}

/* In Bochs the TSC counts instructions. */
static void cost(const struct view_caller *c, const struct view_way *w)
{
	/* With protection keys, each has its own: 11 more */
	const unsigned most = keys_here() ? 171 : 160;
	struct view_msg m = { .word = { (uint64_t)NOTHING << 32 } };
	uint64_t best = UINT64_MAX, t;

	for (unsigned i = 0; i < 1000; i++) {
		t = __rdtsc();
		if (view_call(c, w, &m))
			return;
		t = __rdtsc() - t;
		best = t < best ? t : best;
	}
	ok(best <= most, "%llu instructions (%u at most)",
	   (unsigned long long)best, most);
}

static const struct view_caller *alarm_caller;
static struct view_way alarm_way;
static _Atomic unsigned alarms, alarms_wrong;

static void alarmed(int signal)
{
	struct view_msg m = { .word = { ECHO, 1, 2, 3, 4, 5, 6 } };

	(void)signal;
	alarms++;
	alarms_wrong += view_call(alarm_caller, &alarm_way, &m) ||
			m.word[0] != ECHO + 1 || m.word[6] != 7;
}

/* Signals in the middle of calls, whose handlers call, too */
static void signals(const struct view_caller *c, const struct view_way *w,
		    int conn)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } },
			       never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = alarmed };
	unsigned i, j = 0;

	alarm_caller = c;
	if (view_way(c, new_link(conn, 0), &alarm_way))
		give_up("another way in");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (i = 0; i < 200 && (j == 7 || !i); i++) {
		struct view_msg m = { .word = { (uint64_t)SPIN << 32, 20000, 3,
						4, 5, 6, 7 } };

		if (view_call(c, w, &m))
			break;
		for (j = 1; j < 7 && m.word[j] == (j == 1 ? 20001 : j + 2); j++)
			;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	ok(i == 200 && j == 7, "calls that signals interrupt");
	ok(alarms && !alarms_wrong, "and calls by their handlers");
	note("%u of them", alarms);
	close(alarm_way.link);
}

int main(int argc, char **argv)
{
	const unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	int conn;

	load("skyipc.ko", "views=required");
	view_map();
	fresh = mmap(NULL, 100 * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	server = view_server(handler, 2, &conn);
	view_attach(&caller);
	ok(!view_way(&caller, new_link(conn, 0), &way), "a way in");
	null_calls(&caller, &way, 1);
	null_calls(&caller, &way, n);
	cost(&caller, &way);
	steady(&caller, &way, n);
	moved(&caller, &way, server);
	signals(&caller, &way, conn);
	memory();
	null_calls(&caller, &way, n);
	close(way.link);
	close(conn);
	view_detach(&caller);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
