/* SPDX-License-Identifier: MIT */
/*
 * Who lends itself to views, and what its handlers find there of the CPU they
 * run on: never a struct rseq that somebody else keeps, or nobody.
 */
#include <errno.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

static struct {
	int lent, lent_without, lent_careful, served;
	bool careful;
	_Atomic int done;
} * seen;

static void handler(struct view_msg *m)
{
	const struct rseq *area =
		(void *)((char *)__builtin_thread_pointer() + __rseq_offset);

	m->word[1] = (uint64_t)(int64_t)(int32_t)area->cpu_id;
	m->word[2] = (uint64_t)sched_getcpu();
	/* The worker is where it is. */
	m->word[3] = view_slot_here();
}

/* One that has asked for less guessing, if it can */
static void careful(void)
{
	char stack[4096] __attribute__((aligned(16)));
	struct skyipc_dev_lend lend = { .size = sizeof(lend),
					.entry = 4096,
					.sp = (uintptr_t)(stack +
							  sizeof(stack)) };
	const int server = new_server();

	lend.conn = new_conn(server, 0);
	view_no_rseq();
	seen->careful = !prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS,
			       PR_SPEC_DISABLE, 0, 0) ||
			!prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH,
			       PR_SPEC_DISABLE, 0, 0);
	seen->lent_careful = op(new_worker(server), SKYIPC_WORKER_LEND, &lend);
	_exit(0);
}

/* A thread with a struct rseq registered, or not any more, or anew */
static void by_hand(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	struct skyipc_dev_lend lend = { .size = sizeof(lend), .entry = 4096 };
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = SKYIPC_SERVE_WAIT,
				      .deadline = in_ms(100) };
	const int server = new_server(), worker = new_worker(server);

	lend.conn = new_conn(server, 0);
	lend.sp = (uintptr_t)(area - 65536) & ~15ul;
	seen->lent = op(worker, SKYIPC_WORKER_LEND, &lend);
	view_no_rseq();
	seen->lent_without = op(worker, SKYIPC_WORKER_LEND, &lend);
	if (syscall(SYS_rseq, area, 32, 0, 0x53053053))
		give_up("rseq");
	seen->served = op(worker, SKYIPC_WORKER_SERVE, &s);
	_exit(0);
}

int main(void)
{
	struct view_msg m = { .word = { 0 } };
	struct view_caller caller;
	struct view_way way;
	pid_t server, pid;
	unsigned wrong = 0, within = 0;
	int conn;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ok(__rseq_size, "the C library has registered for rseq");
	pid = fork();
	if (!pid)
		by_hand();
	ok(!status_of(pid), "a worker");
	ok(seen->lent == -EBUSY, "does not lend itself with rseq");
	ok(!seen->lent_without, "and does without");
	ok(seen->served == -EBUSY, "but does not serve if it has it anew");
	note("%d, %d, %d", seen->lent, seen->lent_without, seen->served);
	pid = fork();
	if (!pid)
		careful();
	ok(!status_of(pid) &&
		   seen->lent_careful == (seen->careful ? -EOPNOTSUPP : 0),
	   "nor does one that has asked for less speculation%s",
	   seen->careful ? "" : " # SKIP Linux cannot do that here");
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	for (int i = 0; i < 100; i++) {
		run_on(i % cpus());
		if (view_call(&caller, &way, &m))
			give_up("a call");
		within += m.word[3] > 0;
		wrong += (int64_t)m.word[1] >= 0 ||
			 (m.word[3] && m.word[2] != (uint64_t)(i % cpus()));
	}
	ok(!wrong && within > 50, "its handlers know the CPU where they run");
	note("%u are wrong of %u; %d, %d", wrong, within, (int)m.word[1],
	     (int)m.word[2]);
	end_process(server);
	return done();
}
