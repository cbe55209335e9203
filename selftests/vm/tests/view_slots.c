/* SPDX-License-Identifier: MIT */
/*
 * A client and the slots of its CPU's list: those that another one has had
 *there, its gate's, that it has disabled itself, and those that it had before
 *it executed another program.
 *
 *	view_slots [after-exec]
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attempt.h"
#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { OTHERS = 8 };

static struct {
	volatile unsigned begun[2];
} * seen;

static unsigned me;

static void handler(struct view_msg *m)
{
	seen->begun[me]++;
	m->word[1]++;
}

static int enter(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { 0, 41 } };
	const int err = view_enter(&m, w->slot, w->key, c->page);

	return err ? err : m.word[1] == 42 ? 0 : 1;
}

/* A client of the second server's, with many links, on this CPU */
static void others(int conn)
{
	struct view_way w[OTHERS];
	struct view_caller c;

	view_attach(&c);
	for (int i = 0; i < OTHERS; i++)
		if (view_way(&c, new_link(conn, 0), &w[i]) ||
		    view_call(&c, &w[i], &(struct view_msg){ .word = { 0 } }))
			_exit(1);
	/* They are free, and it is not there. */
	for (;;)
		pause();
}

static void of_others(const struct view_caller *c, const struct view_way *w,
		      int conn)
{
	const pid_t pid = fork();
	unsigned begun, refused = 0;

	if (!pid)
		others(conn);
	for (unsigned i = 0; i < 5000 && seen->begun[1] < OTHERS; i++)
		usleep(1000);
	begun = seen->begun[1];
	ok(begun == OTHERS, "another client");
	for (unsigned slot = 2; slot < 512; slot++) {
		const struct view_way other = { .slot = slot, .key = w->key };

		if (slot != w->slot)
			refused += enter(c, &other) == -EAGAIN;
	}
	ok(refused == 509, "slots that another client has had");
	note("%u of 509", refused);
	ok(seen->begun[1] == begun, "lead nowhere");
	ok(!enter(c, w), "its own does");
	end_process(pid);
}

/* In place of the trampoline: a VMFUNC before the call gate, from what is in
 * rdx */
static int by_hand(const struct view_way *w, uint64_t from)
{
	const struct regs r = {
		.cx = 1, .dx = from, .r8 = w->slot, .r11 = w->key
	};
	uint8_t *page;
	int signal;

	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	page = attempt_page((void *)VIEW_AT);
	memset(page, 0xf4, 4096);
	memcpy(page + GATE_CALL_AT - 3, "\x0f\x01\xd4", 3);
	signal = attempt(&r, page + GATE_CALL_AT - 3);
	munmap(page, 4096);
	view_map();
	return signal;
}

static void its_gate(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m;
	unsigned good = 0;
	int signal = 0, err = 0;

	for (unsigned i = 0; i < 20; i++) {
		signal = by_hand(w, VIEW_SLOT_GATE);
		/* The handler ended where there was no way back. */
		err = view_resume(w, &m);
		good += signal && !enter(c, w);
	}
	ok(good == 20, "a gate that its client has disabled is there again");
	note("%u of 20; signal %d, %d", good, signal, err);
}

/* A program that has executed this one had a view here. */
static int after_exec(void)
{
	const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 };
	uint8_t *page = attempt_page((void *)VIEW_AT);
	struct view_caller c;
	unsigned wrong = 0;

	attempts_begin();
	for (uint64_t slot = 0; slot < 4; slot++)
		wrong += attempt(&(struct regs){ .cx = slot, .r8 = 2 }, page) !=
			 SIGILL;
	memcpy(page + VIEW_RESUME, vmcall, sizeof(vmcall));
	for (uint64_t slot = 0; slot < 4; slot++)
		wrong += attempt(&(struct regs){ .di = slot },
				 page + VIEW_RESUME) != SIGILL;
	/* It may have views of its own. */
	view_attach(&c);
	return (int)wrong;
}

static void executes(int conn)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct view_caller c;
	struct view_way w;
	pid_t pid;
	int status;

	pid = fork();
	if (!pid) {
		view_attach(&c);
		if (view_way(&c, new_link(conn, 0), &w))
			_exit(100);
		/* What has to be mapped is by then. */
		if (view_call(&c, &w, &(struct view_msg){ .word = { 0 } }))
			_exit(101);
		/* Nobody gets the CPU between these two. */
		if (sched_setscheduler(0, SCHED_FIFO, &first))
			_exit(104);
		if (enter(&c, &w))
			_exit(103);
		execl("/proc/self/exe", "view_slots", "after-exec", NULL);
		_exit(102);
	}
	status = status_of(pid);
	ok(!status, "none is left to another program");
	note("%d", status);
}

int main(int argc, char **argv)
{
	struct view_caller caller;
	struct view_way way;
	pid_t server[3];
	int conn[3];

	if (argc > 1 && !strcmp(argv[1], "after-exec"))
		return after_exec();
	load("skyipc.ko", "views=required");
	view_map();
	attempts_begin();
	run_on(0);
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (int i = 0; i < 3; i++) {
		me = i == 1;
		server[i] = view_server(handler, i == 1 ? OTHERS : 1, &conn[i]);
	}
	view_attach(&caller);
	if (view_way(&caller, new_link(conn[0], 0), &way))
		give_up("a way in");
	/* What has to be mapped is by then. */
	if (view_call(&caller, &way, &(struct view_msg){ .word = { 0 } }))
		give_up("a call");
	ok(!enter(&caller, &way), "a call");
	of_others(&caller, &way, conn[1]);
	its_gate(&caller, &way);
	executes(conn[2]);
	for (int i = 0; i < 3; i++)
		end_process(server[i]);
	return done();
}
