/* SPDX-License-Identifier: MIT */
/*
 * Ways out of a view that nobody should take, by servers: SYSENTER with flags
 * that Linux does not expect, VMCALL, pages that are not for them, registers
 * that no thread can have. It is their own call that ends, or their process;
 * and Linux says nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

static void sysenter(void)
{
	__asm__ volatile("sysenter" : : : "memory");
}

static void sysenter_nt(void)
{
	__asm__ volatile("pushf; orq $0x44000, (%%rsp); popf; sysenter"
			 :
			 :
			 : "memory");
}

/* Stepping, SYSENTER is the last that is not Linux's. */
static void sysenter_tf(void)
{
	__asm__ volatile("pushf; orq $0x100, (%%rsp); popf; sysenter"
			 :
			 :
			 : "memory");
}

static void sysenter_all(void)
{
	__asm__ volatile("pushf; orq $0x44500, (%%rsp); popf; sysenter"
			 :
			 :
			 : "memory");
}

static void syscall_tf(void)
{
	__asm__ volatile("mov $39, %%eax\n"
			 "pushf; orq $0x44500, (%%rsp); popf; syscall"
			 :
			 :
			 : "rax", "rcx", "r11", "memory");
}

static void int80_all(void)
{
	__asm__ volatile("mov $-1, %%eax\n"
			 "pushf; orq $0x44500, (%%rsp); popf; int $0x80"
			 :
			 :
			 : "rax", "memory");
}

static void vmcall(void)
{
	__asm__ volatile("mov %0, %%rdi; vmcall" : : "r"(2ul) : "rdi");
}

static void at_resume(void)
{
	__asm__ volatile("jmp *%0" : : "r"(VIEW_AT + VIEW_RESUME), "D"(2ul));
}

static void view_page(void)
{
	__asm__ volatile("jmp *%0" : : "r"(VIEW_PAGE_AT + 64));
}

/* Of the two tables that say so, only one is in the way then. */
static void view_page_executable(void)
{
	view_page();
}

static void vmfunc_home(void)
{
	__asm__ volatile("vmfunc" : : "a"(0), "c"(0));
}

static void bases_of_nobody(void)
{
	/* A system call moves it to the worker, which cannot have that one. */
	__asm__ volatile("wrfsbase %0; mov $39, %%eax; syscall"
			 :
			 : "r"(0xffffffff80000000ul)
			 : "rax", "rcx", "r11", "memory");
}

static void stack_of_nobody(void)
{
	__asm__ volatile("mov %0, %%rsp; int3" : : "r"(0x8000000000000000ul));
}

static void ends_in_the_gate(void)
{
	__asm__ volatile("jmp *%0"
			 :
			 : "r"(VIEW_AT + GATE_CALL_AT - 3), "a"(0), "c"(1),
			   "d"(0xffffffff80000000ul));
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "SYSENTER", sysenter },
	{ "SYSENTER with NT and AC", sysenter_nt },
	{ "SYSENTER with TF", sysenter_tf },
	{ "SYSENTER with NT, AC, DF and TF", sysenter_all },
	{ "SYSCALL with NT, AC, DF and TF", syscall_tf },
	{ "INT 80 with NT, AC, DF and TF", int80_all },
	{ "VMCALL", vmcall },
	{ "VMCALL at the resume point", at_resume },
	{ "into the view page", view_page },
	{ "into the view page, executable", view_page_executable },
	{ "VMFUNC to home", vmfunc_home },
	{ "a base that no thread can have", bases_of_nobody },
	{ "a stack that no thread can have", stack_of_nobody },
	{ "into the call gate with an index beyond all", ends_in_the_gate },
};

enum { WAYS = sizeof(ways) / sizeof(*ways), ECHO = WAYS };

static void handler(struct view_msg *m)
{
	if (m->word[0] < WAYS)
		ways[m->word[0]].fn();
	m->word[1]++;
}

static bool is_good(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { ECHO, 41 } };
	const int err = view_call(c, w, &m);

	if (err || m.word[1] != 42)
		note("%d, %llu", err, (unsigned long long)m.word[1]);
	return !err && m.word[1] == 42;
}

static void page_executable(void)
{
	if (mprotect((void *)VIEW_PAGE_AT, 4096, PROT_READ) ||
	    mprotect((void *)VIEW_PAGE_AT, 4096, PROT_READ | PROT_EXEC))
		give_up("mprotect");
}

/* A server of its own, which may well end. What comes of it is not the point.
 */
static void one(const struct view_caller *c, unsigned i, int again)
{
	struct view_msg m;
	struct view_way w;

	for (int n = 0; n < again; n++) {
		pid_t server;
		int conn, err;

		view_before_serving = ways[i].fn == view_page_executable
					      ? page_executable
					      : NULL;
		server = view_server(handler, 1, &conn);
		if (view_way(c, new_link(conn, 0), &w))
			give_up("a way in");
		m = (struct view_msg){ .word = { ECHO, 41 } };
		if (view_call(c, &w, &m) || m.word[1] != 42)
			give_up("a call");
		m = (struct view_msg){ .word = { i, 41 } };
		err = view_call(c, &w, &m);
		if (!n)
			note("%s: %d", ways[i].name, err);
		close(w.link);
		close(conn);
		end_process(server);
	}
}

int main(void)
{
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	int conn, in = 0;
	char *text;

	load("skyipc.ko", "views=required");
	view_map();
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	for (unsigned i = 0; i < WAYS; i++) {
		one(&caller, i, 3);
		ok(is_good(&caller, &way), "%s: nobody else notices",
		   ways[i].name);
	}
	text = read_file(DEBUG "cpus");
	for (int i = 0; i < cpus(); i++) {
		char line[32];

		snprintf(line, sizeof(line), "%d on ", i);
		in += strstr(text, line) != NULL;
	}
	ok(in == cpus(), "the root is there");
	free(text);
	end_process(server);
	return done();
}
