/* SPDX-License-Identifier: MIT */
/*
 * Root meets what it does not know, and leaves, while a call is in a view: as
 * it is about to be resumed, and in the middle of its handler. It goes on in
 * its worker, with all of its registers, and nobody gets what is another one's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

/* SDM, appendix C */
enum { REASON_CPUID = 10, REASON_VMCALL = 18 };

enum { SPIN, EXIT };

#define PATTERN 0x5ca1ab1e0ddba115

/*
 * In the view until it is moved, for at most so long; with registers in use
 * that only who parks them preserves. word[1]: whether they are as before
 */
static void handler(struct view_msg *m)
{
	const volatile uint32_t *slot =
		(uint32_t *)(VIEW_PAGE_AT + VIEW_PAGE_SLOT);
	uint64_t vector, general, left = UINT64_C(1) << 30;

	__asm__ volatile("movq %[pattern], %%xmm7\n"
			 "mov %[pattern], %%r12\n"
			 "test %[exits], %[exits]\n"
			 "jz 1f\n"
			 "xor %%eax, %%eax\n"
			 "cpuid\n"
			 "1: cmpl $0, (%[slot])\n"
			 "je 2f\n"
			 "dec %[left]\n"
			 "jnz 1b\n"
			 "2: movq %%xmm7, %[vector]\n"
			 "mov %%r12, %[general]\n"
			 : [vector] "=&r"(vector), [general] "=&r"(general),
			   [left] "+&r"(left)
			 : [pattern] "r"(PATTERN), [slot] "r"(slot),
			   [exits] "r"((uint64_t)m->word[0])
			 : "rax", "rbx", "rcx", "rdx", "r12", "xmm7", "memory",
			   "cc");
	m->word[1] = vector == PATTERN && general == PATTERN;
	m->word[2] = left != 0;
}

static void fails(const struct view_caller *c, const struct view_way *w,
		  unsigned op, unsigned reason, const char *what)
{
	struct view_msg m = { .word = { op } };
	char line[32], *why;
	int err;

	snprintf(line, sizeof(line), "fail %u", reason);
	if (write_file(DEBUG "root", line))
		give_up(line);
	err = view_call(c, w, &m);
	ok(!err && m.word[1] && m.word[2], "%s: the call goes on elsewhere",
	   what);
	note("%d, %llu, %llu", err, (unsigned long long)m.word[1],
	     (unsigned long long)m.word[2]);
	ok(becomes(VIEWS, "off"), "%s: views go off", what);
	why = read_line(VIEWS_WHY);
	ok(*why, "%s", why);
	free(why);
	ok(!write_file(VIEWS, "on"), "%s: on again", what);
	ok(!write_file(DEBUG "root", "stay 1"), "with a root");
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
	run_on(0);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	for (int i = 0; i < 3; i++) {
		fails(&caller, &way, SPIN, REASON_VMCALL, "when it is resumed");
		fails(&caller, &way, EXIT, REASON_CPUID, "in its handler");
	}
	close(way.link);
	close(conn);
	view_detach(&caller);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
