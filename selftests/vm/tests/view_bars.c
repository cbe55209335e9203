/* SPDX-License-Identifier: MIT */
/*
 * What would go along into a server, and must not: a client's thread that may
 * use I/O ports, or has set breakpoints, calls by the kernel until it has not
 * any more.
 */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { ECHO, SPIN };
enum { PORT = 0x80 };

static void handler(struct view_msg *m)
{
	if (m->word[0] == SPIN)
		for (volatile unsigned i = 0; i < m->word[2]; i++)
			;
	m->word[1]++;
}

/* What comes of a call, as it comes */
static int enter(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { ECHO, 41 } };
	const int err = view_enter(&m, w->slot, w->key, c->page);

	return err ? err : m.word[1] == 42 ? 0 : 1;
}

/* So often in a row */
static bool comes_to(const struct view_caller *c, const struct view_way *w,
		     int what)
{
	for (unsigned i = 0; i < 100; i++) {
		const int err = enter(c, w);

		if (err != what) {
			note("%u: %d", i, err);
			return false;
		}
	}
	return true;
}

static void ports(const struct view_caller *c, const struct view_way *w)
{
	ok(comes_to(c, w, 0), "a thread like any other");
	if (ioperm(PORT, 1, 1))
		give_up("ioperm");
	ok(comes_to(c, w, -EAGAIN), "one that may use a port");
	ioperm(PORT, 1, 0);
	ok(comes_to(c, w, 0), "and may not any more");
	if (iopl(3))
		give_up("iopl");
	ok(comes_to(c, w, -EAGAIN), "one that may use all");
	iopl(0);
	ok(comes_to(c, w, 0), "and none any more");
}

static int watch(const void *at)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_RW,
		.bp_addr = (uintptr_t)at,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.sample_period = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static void watches(const struct view_caller *c, const struct view_way *w)
{
	static uint64_t word;
	const int fd = watch(&word);

	if (fd < 0)
		give_up("perf_event_open");
	ok(comes_to(c, w, -EAGAIN), "one that has set a breakpoint");
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	ok(comes_to(c, w, 0), "and turned it off");
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	ok(comes_to(c, w, -EAGAIN), "and on");
	close(fd);
	ok(comes_to(c, w, 0), "and has none any more");
}

static void before_it_calls(int conn)
{
	struct view_caller c;
	struct view_way w;
	pid_t pid;

	if (ioperm(PORT, 1, 1))
		give_up("ioperm");
	pid = fork();
	if (!pid) {
		view_attach(&c);
		if (view_way(&c, new_link(conn, 0), &w))
			_exit(1);
		_exit(comes_to(&c, &w, -EAGAIN) ? 0 : 2);
	}
	ok(!status_of(pid), "one that has had it from its parent");
	ioperm(PORT, 1, 0);
}

static volatile sig_atomic_t signals;

static void gets_a_port(int signal)
{
	(void)signal;
	signals++;
	ioperm(PORT, 1, 1);
}

/* In the middle of a call, which does not go on in the view then */
static void meanwhile(const struct view_caller *c, const struct view_way *w)
{
	struct sigaction action = { .sa_handler = gets_a_port };
	const struct itimerval soon = { { 0, 0 }, { 0, 5000 } };
	unsigned good = 0;

	sigaction(SIGALRM, &action, NULL);
	for (unsigned i = 0; i < 10; i++) {
		struct view_msg m = { .word = { SPIN, 41, 1000000 } };
		int err;

		setitimer(ITIMER_REAL, &soon, NULL);
		err = view_enter(&m, w->slot, w->key, c->page);
		if (err == -EINPROGRESS)
			err = view_resume(w, &m);
		else
			err = 1;
		good += !err && m.word[1] == 42;
		ioperm(PORT, 1, 0);
	}
	ok(good == 10 && signals == 10, "one that gets it in its call");
	note("%u, %d signals", good, signals);
	ok(comes_to(c, w, 0), "and calls on when it has lost it");
}

int main(void)
{
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	int conn;

	load("skyipc.ko", "views=required");
	view_map();
	server = view_server(handler, 1, &conn);
	before_it_calls(conn);
	close(conn);
	end_process(server);
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	ports(&caller, &way);
	meanwhile(&caller, &way);
	watches(&caller, &way);
	end_process(server);
	return done();
}
