/* SPDX-License-Identifier: MIT */
/*
 * What happens in views is traced, also what happens where nothing can be: as
 * often as it is counted, and in order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

#define TRACING "/sys/kernel/tracing/"

enum { SYSCALL, FAULT, SPIN };
enum { TIMES = 20, LONG = 400000, NOBODYS = 77 };

static volatile uint8_t *fresh;

static void handler(struct view_msg *m)
{
	switch (m->word[0]) {
	case SYSCALL:
		getppid();
		break;
	case FAULT:
		fresh[m->word[1] * 4096]++;
		break;
	case SPIN:
		for (volatile unsigned i = 0; i < LONG; i++)
			;
		break;
	}
}

static const char *const events[] = { "link",	"park",	  "resume", "move",
				      "finish", "refuse", "bar" };

static void trace(const char *on)
{
	char path[128];

	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		snprintf(path, sizeof(path),
			 TRACING "events/skyipc/skyipc_view_%s/enable",
			 events[i]);
		if (write_file(path, on))
			give_up(path);
	}
}

/* Lines of @event with @what in them, and the sum of their counts */
struct told {
	unsigned lines;
	unsigned long long count;
};

static struct told told(const char *text, const char *event, const char *what)
{
	struct told t = { 0 };
	char name[64];

	snprintf(name, sizeof(name), "skyipc_view_%s:", event);
	for (const char *at = text; (at = strstr(at, name)); at++) {
		const size_t len = strcspn(at, "\n");
		const char *found = memmem(at, len, what, strlen(what)),
			   *count = memmem(at, len, "count=", 6);

		if (!found)
			continue;
		t.lines++;
		t.count += count ? strtoull(count + 6, NULL, 10) : 1;
	}
	return t;
}

/* What debugfs says of this thread's links */
struct counts {
	unsigned long long interrupts, faults, syscalls, resumed, moved,
		finished;
};

static struct counts counted(void)
{
	char *all = read_file(DEBUG "views"), *line, *save = NULL;
	struct counts sum = { 0 }, c;
	int pid;

	for (line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line,
			   "%d %*u %*d %*s %llu %llu %llu %llu %*u %*u %*u "
			   "%llu %llu",
			   &pid, &c.interrupts, &c.faults, &c.syscalls,
			   &c.resumed, &c.moved, &c.finished) == 7 &&
		    pid == getpid()) {
			sum.interrupts += c.interrupts;
			sum.faults += c.faults;
			sum.syscalls += c.syscalls;
			sum.resumed += c.resumed;
			sum.moved += c.moved;
			sum.finished += c.finished;
		}
	free(all);
	return sum;
}

/* Each call that has moved was parked before, for the same reason. */
static bool in_order(const char *text, const char *why)
{
	char park[64], move[64];

	snprintf(park, sizeof(park), "cause=%s ", why);
	snprintf(move, sizeof(move), "because=%s", why);
	for (const char *at = text; (at = strstr(at, park));) {
		const char *next = strstr(++at, park), *to = strstr(at, move);

		if (!to || (next && next < to))
			return false;
	}
	return true;
}

static void calls(const struct view_caller *c, const struct view_way *w)
{
	int err = 0;

	for (unsigned i = 0; i < TIMES && !err; i++) {
		for (uint64_t what = SYSCALL; what <= FAULT && !err; what++) {
			struct view_msg m = { .word = { what, i } };

			err = view_call(c, w, &m);
		}
	}
	for (unsigned i = 0; i < 3 && !err; i++) {
		struct view_msg m = { .word = { SPIN } };

		err = view_call(c, w, &m);
	}
	ok(!err, "calls of all kinds");
}

static void outside(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { SPIN } };
	int err = view_enter(&m, NOBODYS, w->key, c->page);

	ok(err == -EAGAIN, "a slot that is nobody's: %d", err);
	if (ioperm(0x80, 1, 1))
		give_up("ioperm");
	m = (struct view_msg){ .word = { SPIN } };
	err = view_enter(&m, w->slot, w->key, c->page);
	ok(err == -EAGAIN, "a thread that is barred: %d", err);
	if (ioperm(0x80, 1, 0))
		give_up("ioperm");
}

static void compare(const char *text, const struct counts *c, pid_t server)
{
	struct told park, resume, other;
	char what[64];

	snprintf(what, sizeof(what), "thread=%d slot=", getpid());
	park = told(text, "link", what);
	ok(park.lines == 1, "a link");
	park = told(text, "park", "cause=interrupt");
	resume = told(text, "resume", what);
	ok(c->interrupts && park.count == c->interrupts &&
		   resume.count == c->resumed,
	   "%llu interrupts (%llu are told), %llu times resumed (%llu)",
	   c->interrupts, park.count, c->resumed, resume.count);
	park = told(text, "park", "cause=syscall");
	ok(park.count == TIMES && c->syscalls == TIMES && park.lines == TIMES,
	   "%llu system calls", park.count);
	park = told(text, "park", "cause=fault");
	ok(park.count == c->faults && park.lines >= TIMES, "%llu faults",
	   park.count);
	park = told(text, "move", what);
	other = told(text, "finish", what);
	ok(park.lines == c->moved && other.lines == c->finished,
	   "%llu calls move, %llu are at their end", c->moved, c->finished);
	ok(in_order(text, "syscall") && in_order(text, "fault"),
	   "each has been parked before");
	snprintf(what, sizeof(what), "thread=%d count=", getpid());
	park = told(text, "refuse", what);
	ok(park.count == 2, "%llu are refused", park.count);
	snprintf(what, sizeof(what), "thread=%d barred=1", getpid());
	park = told(text, "bar", what);
	snprintf(what, sizeof(what), "thread=%d barred=0", getpid());
	other = told(text, "bar", what);
	ok(park.lines == 1 && other.lines == 1, "barred, and not any more");
	snprintf(what, sizeof(what), "server=%d ", server);
	park = told(text, "park", what);
	ok(park.count == c->interrupts + c->syscalls + c->faults,
	   "of that server");
}

int main(void)
{
	struct view_caller caller;
	struct view_way way;
	struct counts c;
	pid_t server;
	char *text;
	int conn;

	load("skyipc.ko", "views=required");
	view_map();
	fresh = mmap(NULL, TIMES * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	trace("1");
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	calls(&caller, &way);
	outside(&caller, &way);
	/* It is all told by now: that was a system call of this thread's. */
	trace("0");
	c = counted();
	text = read_file(TRACING "trace");
	compare(text, &c, server);
	free(text);
	close(way.link);
	close(conn);
	view_detach(&caller);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
