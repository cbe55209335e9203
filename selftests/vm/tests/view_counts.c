/* SPDX-License-Identifier: MIT */
/*
 * What stops handlers in views, and where they go on then, is counted: each in
 * its own way, once, and told to the server alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { NOTHING, SYSCALL, FAULT, TRAP, SPIN, TELL };
enum { TIMES = 20, PAGES = 100 };

/* Long enough for some ticks, in an emulator that counts instructions, too */
enum { LONG = 400000 };

static struct shared {
	struct skyipc_dev_views counts;
	int err;
} * shared;
static volatile uint8_t *fresh;

static void trapped(int signal)
{
	(void)signal;
}

static void on_traps(void)
{
	struct sigaction action = { .sa_handler = trapped };

	sigaction(SIGTRAP, &action, NULL);
}

static void handler(struct view_msg *m)
{
	switch (m->word[0]) {
	case SYSCALL:
		getppid();
		break;
	case FAULT:
		fresh[m->word[1] * 4096]++;
		break;
	case TRAP:
		__asm__ volatile("int3");
		break;
	case SPIN:
		for (volatile unsigned i = 0; i < m->word[1]; i++)
			;
		break;
	case TELL:
		shared->counts = (struct skyipc_dev_views){
			.size = sizeof(shared->counts)
		};
		shared->err = op(view_conn, SKYIPC_CONN_VIEWS, &shared->counts);
		break;
	}
}

static struct view_caller caller;
static struct view_way way;
static int conn;

static int make(uint64_t what, uint64_t arg)
{
	struct view_msg m = { .word = { what, arg } };

	return view_call(&caller, &way, &m);
}

/* That is a system call itself, which is counted before it is told. */
static struct skyipc_dev_views counts(void)
{
	if (make(TELL, 0) || shared->err)
		give_up("SKYIPC_CONN_VIEWS");
	return shared->counts;
}

static uint64_t parked(const struct skyipc_dev_views *v)
{
	return v->interrupts + v->faults + v->syscalls + v->exceptions;
}

static uint64_t moved(const struct skyipc_dev_views *v)
{
	return v->moved_fault + v->moved_syscall + v->moved_exception +
	       v->moved_late + v->moved_deadline + v->moved_gone +
	       v->moved_barred + v->moved_asked;
}

/* Whatever is stopped goes on, in one way or the other. */
static bool adds_up(const struct skyipc_dev_views *v)
{
	const bool does = parked(v) == v->resumed + v->finished + moved(v);

	if (!does)
		note("%llu stopped, %llu resumed, %llu finished, %llu moved",
		     (unsigned long long)parked(v),
		     (unsigned long long)v->resumed,
		     (unsigned long long)v->finished,
		     (unsigned long long)moved(v));
	return does;
}

#define FIELD(name) offsetof(struct skyipc_dev_views, name)

static uint64_t field(const struct skyipc_dev_views *v, size_t at)
{
	uint64_t n;

	memcpy(&n, (const char *)v + at, sizeof(n));
	return n;
}

/* Handlers that need the kernel, each time, as does who asks, by @own more. */
static void needs(uint64_t what, size_t by, size_t why, unsigned own,
		  const char *name)
{
	struct skyipc_dev_views a, b;
	/* Its code is there then. */
	int err = make(what, PAGES - 1);

	a = counts();

	for (unsigned i = 0; i < TIMES && !err; i++)
		err = make(what, i);
	b = counts();
	ok(!err && field(&b, by) - field(&a, by) == TIMES + own &&
		   field(&b, why) - field(&a, why) == TIMES + own,
	   "%d times: %s", TIMES, name);
	ok(adds_up(&b) && moved(&b) - moved(&a) == TIMES + 1,
	   "and that alone moves calls");
}

static void nothing(void)
{
	struct skyipc_dev_views a = counts(), b;
	int err = 0;

	for (unsigned i = 0; i < 1000 && !err; i++)
		err = make(NOTHING, 0);
	b = counts();
	ok(!err && moved(&b) == moved(&a) + 1 && b.faults == a.faults &&
		   b.syscalls == a.syscalls + 1,
	   "calls that stay are not counted");
}

static void interrupts(void)
{
	struct skyipc_dev_views a = counts(), b;
	int err = make(SPIN, LONG);

	b = counts();
	ok(!err && b.interrupts > a.interrupts && b.resumed > a.resumed &&
		   adds_up(&b) && moved(&b) == moved(&a) + 1,
	   "%llu interrupts, and it goes on after each",
	   (unsigned long long)(b.interrupts - a.interrupts));
}

/* ---- in a signal's handler, while a call is parked
 * -----------------------------
 */

static void (*in_signal)(void);
static sigjmp_buf out;

static void alarmed(int signal)
{
	(void)signal;
	in_signal();
}

static void wait_there(void)
{
	usleep(50000);
}

static void close_link(void)
{
	close(way.link);
}

static void bar(void)
{
	if (ioperm(0x80, 1, 1))
		give_up("ioperm");
}

static void jump_out(void)
{
	siglongjmp(out, 1);
}

/* A call that is interrupted by a signal: what the trampoline says of it */
static int interrupted(void (*fn)(void))
{
	const struct itimerval soon = { { 0, 0 }, { 0, 9000 } };
	struct view_msg m = { .word = { SPIN, LONG } };

	in_signal = fn;
	setitimer(ITIMER_REAL, &soon, NULL);
	if (sigsetjmp(out, 1))
		return -EINPROGRESS;
	return view_enter(&m, way.slot, way.key, caller.page);
}

static void moves(void (*fn)(void), size_t why, const char *name)
{
	struct skyipc_dev_views a = counts(), b;
	struct view_msg m;
	int err = interrupted(fn);

	if (err == -EINPROGRESS && fn != close_link)
		err = view_resume(&way, &m);
	if (fn == bar && ioperm(0x80, 1, 0))
		give_up("ioperm");
	if (fn == close_link &&
	    (err != -EINPROGRESS || view_way(&caller, new_link(conn, 0), &way)))
		give_up("another way in");
	if (fn == close_link)
		err = 0;
	b = counts();
	ok(!err && field(&b, why) == field(&a, why) + 1 && adds_up(&b) &&
		   moved(&b) == moved(&a) + 2,
	   "%s", name);
	if (err)
		note("%d", err);
}

static void deadline(void)
{
	volatile uint64_t *at =
		(volatile uint64_t *)(caller.page + VIEW_THREAD_TIMEOUT);
	struct skyipc_dev_views a = counts(), b;
	struct view_msg m = { .word = { SPIN, LONG } };
	int err;

	*at = 1000000;
	err = view_enter(&m, way.slot, way.key, caller.page);
	if (err == -EINPROGRESS)
		err = view_resume(&way, &m);
	/* None from here on */
	*at = UINT64_MAX;
	/* Its worker is busy with that still. */
	while (make(NOTHING, 0) == -EAGAIN)
		usleep(1000);
	b = counts();
	ok(err == -ETIMEDOUT && b.moved_deadline == a.moved_deadline + 1 &&
		   adds_up(&b),
	   "its time is over");
	if (err != -ETIMEDOUT)
		note("%d", err);
}

static void who_may(void)
{
	struct skyipc_dev_views v = { .size = sizeof(v) };

	ok(op(conn, SKYIPC_CONN_VIEWS, &v) == -EPERM, "a client is not told");
}

int main(void)
{
	struct sigaction action = { .sa_handler = alarmed };
	pid_t server;

	load("skyipc.ko", "views=required");
	view_map();
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fresh = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	view_before_serving = on_traps;
	view_keeps_conn = true;
	server = view_server(handler, 2, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	sigaction(SIGALRM, &action, NULL);
	/* What is there only once is, from here on. */
	counts();
	who_may();
	nothing();
	needs(SYSCALL, FIELD(syscalls), FIELD(moved_syscall), 1, "system call");
	needs(FAULT, FIELD(faults), FIELD(moved_fault), 0, "fault");
	needs(TRAP, FIELD(exceptions), FIELD(moved_exception), 0, "exception");
	interrupts();
	moves(wait_there, FIELD(moved_late),
	      "a client that is elsewhere for long");
	moves(bar, FIELD(moved_barred), "one that is barred");
	moves(jump_out, FIELD(moved_asked), "one that does not go back to it");
	moves(close_link, FIELD(moved_gone), "a link that is closed");
	deadline();
	close(way.link);
	close(conn);
	view_detach(&caller);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
