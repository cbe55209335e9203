/* SPDX-License-Identifier: MIT */
/*
 * Hand-over: a worker continues what somebody else has begun, bit by bit.
 *
 *	kcall_park ROUNDS
 *
 * States are made at random, with an instruction pointer at code that writes
 * down what it finds in every register; before that, some go through a fault,
 * a system call that blocks, or both.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "park_state.h"
#include "rnd.h"

static void *write_later(void *arg)
{
	(void)arg;
	usleep(500);
	if (write(found->pipe[1], "12345678", 8) != 8)
		give_up("write");
	return NULL;
}

static int link_fd;

enum way { PLAIN, FAULT, TRAP, SYSCALL, BOTH, WAYS };

static bool one(enum way way)
{
	static uint64_t buf; /* in the server it is its own */
	uint64_t regs[REGS], want[REGS];
	bool faulty = way == FAULT || way == TRAP || way == BOTH;
	bool blocks = way == SYSCALL || way == BOTH;
	pthread_t thread;
	int err;

	random_xsave();
	random_regs(regs);
	found->faults = 0;
	memset(found->regs, 0, sizeof(found->regs));
	memset(found->xsave, 0, sizeof(found->xsave));
	if (faulty) {
		regs[BX] = (uintptr_t)parked_page + rnd() % 500 * 8;
		found->wanted_fault = regs[BX];
		regs[IP] = way == FAULT	 ? (uintptr_t)park_fault
			   : way == TRAP ? (uintptr_t)park_trap
					 : (uintptr_t)park_both;
	}
	if (blocks) {
		regs[AX] = SYS_read;
		regs[DI] = (uint64_t)found->pipe[0];
		regs[SI] = (uintptr_t)&buf;
		regs[DX] = 8;
		if (way == SYSCALL)
			regs[IP] = (uintptr_t)park_syscall;
		pthread_create(&thread, NULL, write_later, NULL);
	}
	memcpy(want, regs, sizeof(want));
	err = park(link_fd, regs);
	if (blocks)
		pthread_join(thread, NULL);
	if (err) {
		note("parked, and %s", strerror(-err));
		return false;
	}
	if (blocks) {
		want[AX] = 8;
		want[CX] = found->regs[CX]; /* SYSCALL's own */
		want[R11] = found->regs[R11];
	}
	if (faulty) {
		const uint64_t ip =
			way == TRAP ? (uintptr_t)park_fault : regs[IP];

		if (found->faults != (way == TRAP ? 2 : 1) ||
		    found->fault_regs[IP] != ip) {
			note("%d faults, the last at %llx instead of %llx",
			     found->faults,
			     (unsigned long long)found->fault_regs[IP],
			     (unsigned long long)ip);
			return false;
		}
		if (!same_regs(regs, found->fault_regs, FS))
			return false;
		want[R8] = 0; /* what is in that page */
	}
	if (!same_regs(want, found->regs, REGS))
		return false;
	if (found->keys && found->pkru != found->want_pkru) {
		note("PKRU: %x became %x", found->want_pkru, found->pkru);
		return false;
	}
	if (!same_xsave()) {
		note("x87, SSE or AVX");
		return false;
	}
	return true;
}

static void refused(void)
{
	uint64_t regs[REGS];

	random_xsave();
	random_regs(regs);
	regs[IP] = UINT64_C(0xffffffff81000000);
	ok(park(link_fd, regs) == -EINVAL, "not in the kernel");
	regs[IP] = UINT64_C(1) << 50;
	ok(park(link_fd, regs) == -EINVAL, "nor where there is no address");
	random_regs(regs);
	regs[FS] = UINT64_C(1) << 63;
	ok(park(link_fd, regs) == -EINVAL, "no such base of FS");
	random_regs(regs);
	xsave[24 + 2] = 1;
	ok(park(link_fd, regs) == -EINVAL, "no such MXCSR");
	random_xsave();
	xsave[512 + 8 + 7] = 0x80;
	ok(park(link_fd, regs) == -EINVAL, "no compacted XSAVE area");
	random_xsave();
	xsave[512 + 7] = 0x40;
	ok(park(link_fd, regs) == -EINVAL, "no features that are not there");
}

/* ---- one that is kept ------------------------------------------------------
 */

static _Atomic pid_t busy;
static int parked_late, reaped, plain;

/* While the worker is busy, and then with the link that had it */
static void *keep_one(void *arg)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .flags = SKYIPC_CALL_KEEP };
	struct skyipc_dev_park p;
	int link = new_link(*(int *)arg, 1);
	uint64_t regs[REGS];

	until_asleep(&busy);
	random_regs(regs);
	park_args(&p, regs, &c);
	c.deadline = in_ms(50);
	parked_late = op(link, SKYIPC_LINK_PARK, &p);
	if (write(found->pipe[1], "12345678", 8) != 8)
		give_up("write");
	c = (struct skyipc_dev_call){ .size = sizeof(c),
				      .deadline = in_ms(10000) };
	reaped = op(link, SKYIPC_LINK_REAP, &c);
	if (!same_regs(regs, found->regs, REGS))
		reaped = -EILSEQ;
	/* The state is used up: this one is a call as any other. */
	c = (struct skyipc_dev_call){ .size = sizeof(c),
				      .deadline = in_ms(10000) };
	plain = op(link, SKYIPC_LINK_SUBMIT, &c)
			?: op(link, SKYIPC_LINK_REAP, &c);
	close(link);
	return NULL;
}

/* Last: its server ends at a call that is none of those. */
static void kept(int conn, pid_t pid)
{
	static uint64_t buf;
	uint64_t regs[REGS];
	pthread_t thread;
	int err, status;

	random_xsave();
	random_regs(regs);
	regs[AX] = SYS_read;
	regs[DI] = (uint64_t)found->pipe[0];
	regs[SI] = (uintptr_t)&buf;
	regs[DX] = 8;
	regs[IP] = (uintptr_t)park_syscall;
	pthread_create(&thread, NULL, keep_one, &conn);
	busy = gettid();
	err = park(link_fd, regs);
	pthread_join(thread, NULL);
	ok(!err && parked_late == -ETIMEDOUT && !reaped,
	   "one that came too late, and is kept: %d, %d, %d", err, parked_late,
	   reaped);
	waitpid(pid, &status, 0);
	ok(plain == -ECONNRESET && WIFEXITED(status) &&
		   WEXITSTATUS(status) == 97,
	   "and leaves nothing to the next call: %d", plain);
}

int main(int argc, char **argv)
{
	static const char *const ways[] = { "at once", "after a fault",
					    "after a trap and a fault",
					    "with a system call that blocks",
					    "with a fault and a system call" };
	long rounds = argc > 1 ? atol(argv[1]) : 1000, wrong, n;
	int conn;
	pid_t pid;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	parked_init();
	park_state_init();
	pid = parked_server(&conn);
	link_fd = new_link(conn, 0);
	random_xsave();
	ok(park(link_fd, (uint64_t[REGS]){ 0 }) == -EPERM, "not for everybody");
	if (write_file(DEBUG "hand_over", "Y"))
		give_up("hand_over");
	refused();
	for (enum way way = 0; way < WAYS; way++) {
		n = way == PLAIN ? rounds : rounds / 100;
		wrong = 0;
		for (long i = 0; i < n && wrong < 10; i++)
			wrong += !one(way);
		ok(!wrong, "%ld states continued %s (features %llx%s)", n,
		   ways[way], (unsigned long long)found->mask,
		   found->keys ? ", keys" : "");
	}
	kept(conn, pid);
	close(link_fd);
	close(conn);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
