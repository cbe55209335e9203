/* SPDX-License-Identifier: MIT */
/*
 * The stubs' windows, interrupted at each of their instructions: by a debug
 * exception, which takes the way of NMIs and machine checks (view/left.c).
 *
 *	view_window
 */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../kmod/view/save.h"
#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { SYSCALL, SPIN };

static void handler(struct view_msg *m)
{
	switch (m->word[0]) {
	case SYSCALL:
		m->word[1] += (uint64_t)(getppid() > 0);
		break;
	case SPIN:
		for (volatile unsigned i = 0; i < 2000000; i++)
			;
		m->word[1]++;
		break;
	}
}

/* Of a symbol of the kernel's, or 0 */
static uint64_t address_of(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	uint64_t found = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		char type, symbol[128];
		unsigned long long at;

		if (sscanf(line, "%llx %c %127s", &at, &type, symbol) == 3 &&
		    !strcmp(symbol, name))
			found = at;
	}
	if (f)
		fclose(f);
	return found;
}

static int break_at(uint64_t address)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_X,
		.bp_addr = address,
		.bp_len = sizeof(long),
		.sample_period = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* How many windows of this thread's link have been rolled forward */
static unsigned long long rolled(void)
{
	char *all = read_file(DEBUG "views"), *line, *save = NULL;
	unsigned long long n = 0, sum = 0;
	unsigned slot;
	int pid;

	for (line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%d %u %*d %*s %*u %*u %*u %*u %llu", &pid,
			   &slot, &n) == 3 &&
		    pid == getpid())
			sum += n;
	free(all);
	return sum;
}

static const unsigned offsets[] = { 0,	4,  11, 18, 25, 32, 39,
				    42, 45, 52, 55, 57, 59 };

/* Calls until the window has been interrupted at @at. Was each well? */
static bool until_hit(const struct view_caller *c, const struct view_way *w,
		      uint64_t at, uint64_t way, bool *hit)
{
	const unsigned long long before = rolled();
	const int fd = break_at(at);
	bool good = true;

	if (fd < 0)
		give_up("perf_event_open");
	*hit = false;
	for (unsigned i = 0; i < 50 && good && !*hit; i++) {
		struct view_msg m = { .word = { way, 41, 3, 4, 5, 6, 7 } };
		const int err = view_call(c, w, &m);

		good = !err && m.word[1] == 42 && m.word[2] == 3 &&
		       m.word[6] == 7;
		if (!good)
			note("%#llx: %d, %llu", (unsigned long long)at, err,
			     (unsigned long long)m.word[1]);
		*hit = rolled() > before;
	}
	close(fd);
	return good;
}

static void at_each(const struct view_caller *c, const struct view_way *w,
		    uint64_t stubs, unsigned vector, uint64_t way,
		    const char *name)
{
	const unsigned all = sizeof(offsets) / sizeof(*offsets);
	unsigned good = 0, hits = 0;
	bool hit;

	for (unsigned i = 0; i < all; i++) {
		good += until_hit(c, w,
				  stubs + vector * VIEW_STUB_SIZE + offsets[i],
				  way, &hit);
		hits += hit;
	}
	ok(good == all, "%s: %u instructions, and each call is well", name,
	   all);
	ok(hits == all, "%s: all have been hit", name);
	if (hits != all)
		note("%u of %u", hits, all);
}

int main(void)
{
	struct view_caller caller;
	struct view_way way;
	uint64_t stubs;
	pid_t server;
	int conn;

	load("skyipc.ko", "views=required");
	write_file("/proc/sys/kernel/kptr_restrict", "0");
	stubs = address_of("view_stubs");
	if (!stubs)
		give_up("view_stubs");
	view_map();
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	at_each(&caller, &way, stubs, VIEW_VECTOR_SYSCALL, SYSCALL,
		"a system call");
	at_each(&caller, &way, stubs, 0xec, SPIN, "the timer");
	end_process(server);
	return done();
}
