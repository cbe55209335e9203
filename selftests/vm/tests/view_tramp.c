/* SPDX-License-Identifier: MIT */
/*
 * The trampoline as nobody should use it: by clients and by servers into each
 * of its bytes, moved, taken away, and VMFUNC from pages of every kind; VMCALL
 * with whatever is not parked. Who does that has a signal or an error, or a
 *call that is his own fault; the other side has what it had before.
 *
 *	view_tramp OFFSETS-BETWEEN
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

enum { AT_ONCE = 64, PAGE = 4096, CANARIES = 64 };

/* Shared by all: how often handlers of the server that is attacked have begun
 */
static struct {
	_Atomic uint64_t begun;
} * seen;

/* ---- the client's side
 * ----------------------------------------------------------- */

/* In the server: what must not change unless it is called */
static void counts(struct view_msg *m)
{
	static uint64_t canary[CANARIES], calls;

	for (unsigned i = 0; i < CANARIES; i++)
		if (canary[i] != calls * i)
			_exit(1);
	calls++;
	seen->begun++;
	for (unsigned i = 0; i < CANARIES; i++)
		canary[i] = calls * i;
	m->word[1]++;
}

static void into_trampoline(unsigned from)
{
	struct view_caller c;
	struct view_way w;
	pid_t pid;

	rnd_begin(from);
	pid = victim(counts, &c, &w);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		const struct regs r = attempt_regs(&w, c.page);

		attempt(&r, (void *)(VIEW_AT + from + i));
	}
	end_victim(pid);
}

static const uint8_t vmfunc[] = { 0x0f, 0x01, 0xd4, 0xc3 },
		     vmcall[] = { 0x0f, 0x01, 0xc1, 0xc3 };

/* A page of this kind, with VMFUNC and RET; NULL: no more kinds */
static uint8_t *page_of_kind(unsigned kind)
{
	const int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	const int fd = memfd_create("page", MFD_CLOEXEC);
	uint8_t *p;

	if (fd < 0 || ftruncate(fd, PAGE))
		give_up("memfd_create");
	switch (kind) {
	case 0:
		p = mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		break;
	case 1:
		p = mmap(NULL, PAGE, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		break;
	case 2:
		p = mmap(NULL, PAGE, prot, MAP_SHARED, fd, 0);
		break;
	case 3:
		p = mmap(NULL, PAGE, prot, MAP_PRIVATE, fd, 0);
		break;
	case 4:
		/* The stack, some way down, where nobody is any more */
		p = (uint8_t *)(((uintptr_t)__builtin_frame_address(0) -
				 5 * PAGE) &
				~(uintptr_t)(PAGE - 1));
		if (mprotect(p, PAGE, prot))
			give_up("mprotect");
		break;
	case 5:
		p = sbrk(3 * PAGE);
		p = (uint8_t *)(((uintptr_t)p + PAGE) & ~(uintptr_t)(PAGE - 1));
		if (mprotect(p, PAGE, prot))
			give_up("mprotect");
		break;
	default:
		p = NULL;
	}
	close(fd);
	if (p)
		memcpy(p, vmfunc, sizeof(vmfunc));
	return p;
}

/* @registered: it is a client, and its own links are there. */
static void from_pages(unsigned registered)
{
	struct view_way w = { 0 };
	struct view_caller c;
	uint64_t began;
	pid_t pid = 0;
	uint8_t *page;

	if (registered)
		pid = victim(counts, &c, &w);
	began = seen->begun;
	for (unsigned kind = 0; (page = page_of_kind(kind)); kind++)
		for (unsigned slot = 0; slot < 520; slot++) {
			const struct regs r = { .cx = slot, .r11 = w.key };
			const int signal = attempt(&r, page);

			/* The gate: where it goes on there is nothing. */
			if (registered && slot == VIEW_SLOT_GATE)
				continue;
			expect(signal == (registered && !slot ? 0 : SIGILL),
			       2 + (int)kind);
		}
	expect(seen->begun == began, 20);
	if (registered)
		end_victim(pid);
}

/* VMCALL, where it may be and where not, and nothing is parked */
static void resumes(unsigned unused)
{
	uint8_t *page = attempt_page(NULL);
	struct view_caller c;
	struct view_msg m;
	struct view_way w;
	pid_t pid;

	(void)unused;
	pid = victim(counts, &c, &w);
	memcpy(page, vmcall, sizeof(vmcall));
	for (uint64_t n = 0; n < 600; n++) {
		const uint64_t di = n == 599   ? ~0ull
				    : n == 598 ? 1ull << 61
					       : n;
		const struct regs there = { .di = di },
				  here = { .ax = rnd(), .cx = n, .di = di };

		expect(!attempt(&there, (void *)(VIEW_AT + VIEW_RESUME)), 2);
		expect(attempt(&here, page) == SIGILL, 3);
		expect(attempt(&(struct regs){ .cx = n }, page) == SIGILL, 4);
	}
	/* It is told that its call goes on somewhere: there is none. */
	expect(view_resume(&w, &m) == -ENOENT, 5);
	m = (struct view_msg){ .word = { 0, 41 } };
	expect(!view_call(&c, &w, &m) && m.word[1] == 42, 6);
	end_victim(pid);
}

/* Where the trampoline is not, or no more, or something else is */
static void moved(unsigned unused)
{
	uint8_t *at = (uint8_t *)VIEW_AT, *aside;
	struct view_caller c;
	struct view_msg m = { .word = { 0, 41 } };
	struct view_way w;
	struct regs r;
	pid_t pid;

	(void)unused;
	pid = victim(counts, &c, &w);
	r = (struct regs){ .dx = (uintptr_t)c.page,
			   .r8 = w.slot,
			   .r11 = w.key };
	expect(!view_call(&c, &w, &m) && m.word[1] == 42, 2);
	/* Nobody writes to it, wherever. */
	expect(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == -1, 3);
	aside = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	if (mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   aside) == aside) {
		expect(attempt(&r, aside + VIEW_CALL) == SIGSEGV, 4);
		expect(attempt(&r, aside + VIEW_RETURN) != 0, 5);
		expect(mprotect(aside, PAGE, PROT_READ | PROT_WRITE) == -1, 6);
	} else {
		munmap(at, 2 * PAGE);
	}
	expect(attempt(&r, at + VIEW_CALL) == SIGSEGV, 7);
	/* Half of it */
	view_map();
	munmap(at + PAGE, PAGE);
	for (unsigned i = 0; i < 20; i++)
		attempt(&r, at + VIEW_CALL);
	munmap(at, PAGE);
	munmap(aside, 2 * PAGE);
	/* All is as before for who has it as it should be. */
	view_map();
	m = (struct view_msg){ .word = { 0, 41 } };
	(void)view_call(&c, &w, &m);
	m = (struct view_msg){ .word = { 0, 41 } };
	expect(!view_call(&c, &w, &m) && m.word[1] == 42, 8);
	end_victim(pid);
}

/* ---- the server's side
 * ----------------------------------------------------------- */

enum { PREPARE = 1 << 20, ECHO };

/* In a view of a client's: word 1 is where, the rest what is in registers. */
static void jumps(struct view_msg *m)
{
	/* Some bytes lead to where a handler begins: here, with what there is.
	 */
	static bool tried[2 * PAGE];
	const uint64_t *v = m->word;
	const struct regs r = { v[2], v[3], v[4], v[5], v[6], v[2] ^ v[3] };

	seen->begun++;
	if (v[1] == PREPARE)
		attempts_begin();
	else if (v[1] < 2 * PAGE && !tried[v[1]]) {
		tried[v[1]] = true;
		m->word[2] = (uint64_t)attempt(&r, (void *)(VIEW_AT + v[1]));
	}
	m->word[1]++;
}

struct attacked {
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	int conn;
};

static bool starts(struct attacked *a)
{
	struct view_msg m = { .word = { 0, PREPARE } };

	a->server = view_server(jumps, 1, &a->conn);
	return !view_way(&a->caller, new_link(a->conn, 0), &a->way) &&
	       !view_call(&a->caller, &a->way, &m);
}

static void ends(struct attacked *a)
{
	close(a->way.link);
	close(a->conn);
	end_process(a->server);
}

/* What its thread has is what it had, whatever its server has done. */
static bool as_before(const struct attacked *a, struct view_msg *m, int *err)
{
	volatile uint64_t canary[CANARIES];
	bool same = true;

	for (unsigned i = 0; i < CANARIES; i++)
		canary[i] = i * m->word[2];
	const uint64_t of = m->word[2];
	*err = view_call(&a->caller, &a->way, m);
	for (unsigned i = 0; i < CANARIES; i++)
		same &= canary[i] == i * of;
	return same;
}

static void by_server(unsigned from)
{
	struct attacked a;

	rnd_begin(from);
	view_attach(&a.caller);
	expect(starts(&a), 1);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct view_msg m = { .word = { 0, from + i } };
		int err;

		for (unsigned k = 2; k < 7; k++)
			m.word[k] =
				attempt_nasty(&a.way, (void *)VIEW_THREAD_AT);
		expect(as_before(&a, &m, &err), 2);
		m = (struct view_msg){ .word = { 0, ECHO } };
		/* (-EAGAIN: it is at the last one still.) */
		while ((err = view_call(&a.caller, &a.way, &m)) == -EAGAIN)
			;
		if (!err && m.word[1] == ECHO + 1)
			continue;
		/* It has ended by that: its own fault */
		ends(&a);
		expect(starts(&a), 3);
	}
	ends(&a);
}

/* ---- and nobody else notices
 * ------------------------------------------------------ */

static bool still_good(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { 0, 41, 5, 6, 7, 8, 9 } };
	int err;

	while ((err = view_call(c, w, &m)) == -EAGAIN)
		;
	return !err && m.word[1] == 42 && m.word[2] == 5 && m.word[6] == 9;
}

static void each_byte(const char *what, void (*fn)(unsigned), unsigned step,
		      const struct view_caller *c, const struct view_way *w)
{
	unsigned good = 0, tried = 0;
	int status;

	for (unsigned from = 0; from < PAGE; from += step, tried++) {
		status = in_child(fn, from);
		/* A signal is what one may have of it. */
		good += (!status || status > 1000) &&
			status != 1000 + SIGALRM && still_good(c, w);
		if (status)
			note("%#x: %d", from, status);
	}
	ok(good == tried, "%u bytes of the trampoline, by %s", tried * AT_ONCE,
	   what);
}

int main(int argc, char **argv)
{
	const unsigned step = argc > 1 ? (unsigned)atoi(argv[1]) : AT_ONCE;
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	int conn, status;

	load("skyipc.ko", "views=required");
	seen = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	status = in_child(from_pages, 0);
	ok(!status, "VMFUNC from pages of six kinds, by a stranger");
	note("%d", status);
	view_map();
	server = view_server(counts, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	status = in_child(from_pages, 1);
	ok(!status && still_good(&caller, &way), "likewise, by a client");
	note("%d", status);
	status = in_child(resumes, 0);
	ok(!status && still_good(&caller, &way), "VMCALL with nothing parked");
	note("%d", status);
	status = in_child(moved, 0);
	ok(!status && still_good(&caller, &way), "a trampoline that is moved");
	note("%d", status);
	each_byte("clients", into_trampoline, step, &caller, &way);
	each_byte("servers", by_server, step, &caller, &way);
	close(way.link);
	close(conn);
	view_detach(&caller);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
