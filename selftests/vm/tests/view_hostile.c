/* SPDX-License-Identifier: MIT */
/*
 * VMFUNC where and as nobody should: by processes that may not, to slots that
 * are not theirs, and into each byte of the gate page with registers of their
 * choice. Each attempt ends with a signal or an error, and nobody else notices.
 *
 *	view_hostile OFFSETS-BETWEEN
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt.h"
#include "guest.h"
#include "kcall.h"
#include "rnd.h"
#include "view.h"

/* In the server: what must not change unless it is called */
static void handler(struct view_msg *m)
{
	static uint64_t calls;

	m->word[0] = ++calls;
	m->word[1] += 1;
}

/* ---- by whom it may not
 * ------------------------------------------------------ */

static void stranger(unsigned unused)
{
	uint8_t *page = attempt_page(NULL);

	(void)unused;
	for (unsigned slot = 0; slot < 600; slot++)
		for (unsigned function = 0; function < 3; function++) {
			const struct regs r = { .ax = function, .cx = slot };

			expect(attempt(&r, page) == SIGILL, 1);
		}
	for (unsigned function = 3; function < 70; function++) {
		const struct regs r = { .ax = function };

		expect(attempt(&r, page) == SIGILL, 2);
	}
}

/* A client that goes round the gate */
static void round_it(unsigned unused)
{
	uint8_t *page = attempt_page(NULL);
	struct view_caller c;
	struct view_way w;
	pid_t pid;

	(void)unused;
	pid = victim(handler, &c, &w);
	for (unsigned slot = 2; slot < 600; slot++) {
		const struct regs r = { .cx = slot, .r11 = w.key };

		expect(attempt(&r, page) == SIGILL, 2);
	}
	/* To where it is */
	expect(!attempt(&(struct regs){ .cx = 0 }, page), 3);
	/* Into the gate view, where there is no such page */
	for (unsigned i = 0; i < 10; i++)
		attempt(&(struct regs){ .cx = 1 }, page);
	end_victim(pid);
}

/* ---- into each byte of the gate
 * ---------------------------------------------- */

enum { AT_ONCE = 64 };

static void into_gate(unsigned from)
{
	struct view_caller c;
	struct view_way w;
	uint8_t *page;
	pid_t pid;

	rnd_begin(from);
	pid = victim(handler, &c, &w);
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	page = attempt_page((void *)VIEW_AT);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		const unsigned at = from + i;
		struct regs r = attempt_regs(&w, c.page);

		if (at < 3 || at > 4095)
			continue;
		memset(page, 0xf4, 4096);
		memcpy(page + at - 3, "\x0f\x01\xd4", 3);
		/* VMFUNC to the gate, and what is above is of no interest. */
		r.ax = rnd() & 1 ? 0 : rnd() << 32;
		r.cx = (rnd() & 1 ? rnd() << 32 : 0) + 1;
		attempt(&r, page + at - 3);
	}
	end_victim(pid);
}

/* ---- and nobody else notices
 * -------------------------------------------------- */

static bool still_good(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { 0, 41, 5, 6, 7, 8, 9 } };
	const int err = view_call(c, w, &m);

	return !err && m.word[1] == 42 && m.word[2] == 5 && m.word[6] == 9;
}

int main(int argc, char **argv)
{
	const unsigned step = argc > 1 ? (unsigned)atoi(argv[1]) : AT_ONCE;
	unsigned good = 0, tried = 0;
	struct view_caller caller;
	struct view_way way;
	int status, conn;
	pid_t server;

	load("skyipc.ko", "views=required");
	status = in_child(stranger, 0);
	ok(!status, "VMFUNC by a stranger");
	note("%x", status);
	view_map();
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	status = in_child(round_it, 0);
	ok(!status, "VMFUNC that goes round the gate");
	note("%x", status);
	ok(still_good(&caller, &way), "nobody else notices");
	for (unsigned from = 0; from < 4096; from += step, tried++) {
		status = in_child(into_gate, from);
		good += !status && still_good(&caller, &way);
		if (status)
			note("%#x: %x", from, status);
	}
	ok(good == tried, "%u bytes of the gate page", tried * AT_ONCE);
	end_process(server);
	return done();
}
