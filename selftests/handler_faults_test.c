/* SPDX-License-Identifier: MIT */
/*
 * handler_faults_test.c - what handlers meet, and what they do to themselves
 *
 * Pages that are not there yet are brought, as anywhere. What is an error is
 * the server's own signal, at the right address, and its handler may jump back
 * into the call, or not; it is never the client's. Over vmfunc that begins on
 * the client's thread, and moves to the server at that instruction.
 */
#include "testlib.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 8 };

enum op {
	PREPARE = 0,
	/* pages; out[0]: the sum of what was found there */
	FRESH,
	DROPPED,
	COPIED,
	OF_FILE,
	/* errors; out[0]: the signal, out[1]: its address less the one expected
	 */
	GUARD,
	BEYOND_FILE,
	NOWHERE,
	DIVIDE,
	ILLEGAL,
	BREAKPOINT,
	NO_STACK,
	/* ends, and others */
	THROUGH,
	EXIT,
	CRASH,
	RAISE,
	FOREVER,
	GO_ON,
	SAW
};

/* ---- the server's side
 * -------------------------------------------------------- */

static char *anon, *dropped, *copied, *of_file, *guard, *short_file;
static _Thread_local sigjmp_buf env;
static _Thread_local int caught;
static _Thread_local uintptr_t caught_at;
static _Thread_local char other_stack[65536];
static _Atomic int raised, go_on, finished;

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };

/* Registers and the stack are those of the call: so one can jump there. */
static void catch_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	caught = sig;
	caught_at = (uintptr_t)info->si_addr;
	siglongjmp(env, 1);
}

static void catch_raised(int sig)
{
	(void)sig;
	raised++;
}

static char *map(int prot, int fd)
{
	char *p =
		mmap(NULL, PAGES * PAGE, prot,
		     fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void make_pages(void)
{
	char name[] = "/tmp/skyipc-faults-XXXXXX";
	char text[PAGE];
	int fd = mkstemp(name);

	CHECK(fd >= 0 && !unlink(name));
	memset(text, 3, sizeof(text));
	for (int i = 0; i < PAGES; i++)
		CHECK(write(fd, text, PAGE) == PAGE);
	anon = map(PROT_READ | PROT_WRITE, -1);
	dropped = map(PROT_READ | PROT_WRITE, -1);
	memset(dropped, 9, PAGES * PAGE);
	CHECK(!madvise(dropped, PAGES * PAGE, MADV_DONTNEED));
	/* Present and read-only, until somebody writes. */
	copied = map(PROT_READ | PROT_WRITE, fd);
	for (int i = 0; i < PAGES; i++)
		CHECK(*(volatile char *)(copied + i * PAGE) == 3);
	of_file = map(PROT_READ, fd);
	CHECK(!madvise(of_file, PAGES * PAGE, MADV_DONTNEED));
	guard = map(PROT_NONE, -1);
	close(fd);
	fd = memfd_create("short", MFD_CLOEXEC);
	CHECK(fd >= 0 && !ftruncate(fd, PAGE));
	short_file = map(PROT_READ, fd);
	close(fd);
}

/* For the thread that runs handlers: its signals, and a stack for them */
static void prepare(void)
{
	struct sigaction act = { .sa_sigaction = catch_fault,
				 .sa_flags =
					 SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t stack = { .ss_sp = other_stack,
			  .ss_size = sizeof(other_stack) };
	sigset_t set;

	if (!anon)
		make_pages();
	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
		sigaction(faults[i], &act, NULL);
		sigaddset(&set, faults[i]);
	}
	act = (struct sigaction){ .sa_handler = catch_raised };
	sigaction(SIGUSR1, &act, NULL);
	sigaddset(&set, SIGUSR1);
	CHECK(!pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	/* (ASan would free it.) */
	CHECK(under_asan() || !sigaltstack(&stack, NULL));
}

/* Write there, and read: every page for the first time. */
static uint64_t sum_of(char *p, int writes)
{
	volatile char *at = p;
	uint64_t sum = 0;

	for (int i = 0; i < PAGES; i++) {
		sum += (uint64_t)at[i * PAGE + 17];
		if (writes)
			at[i * PAGE + 17] = (char)(i + 1);
		if (writes && at[i * PAGE + 17] != i + 1)
			return UINT64_MAX;
	}
	return sum;
}

/* So deep that there is no stack any more */
static __attribute__((noinline)) int deeper(volatile char *p, uint64_t left)
{
	volatile char some[1024];

	some[0] = *p;
	if (left && deeper(some, left - 1))
		return 2;
	return some[0];
}

#if defined(__x86_64__)
#define ILLEGAL_INSTRUCTION __asm__ volatile("ud2")
#define BREAKPOINT_INSTRUCTION __asm__ volatile("int3")
static __attribute__((noinline)) void divide(void)
{
	__asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" ::
				 : "eax", "ecx", "edx", "cc");
}
#else
#define ILLEGAL_INSTRUCTION __builtin_trap()
#define BREAKPOINT_INSTRUCTION raise(SIGTRAP)
static void divide(void)
{
	raise(SIGFPE);
}
#endif

/* Do it, and expect it: @at is where, 0: that is not told. */
static int32_t fault(struct skyipc_call *call)
{
	/* Not sigsetjmp(env, 1): that is a system call, which moves. */
	volatile uintptr_t at = 0;
	volatile char c = 0;

	caught = 0;
	if (sigsetjmp(env, 0)) {
		call->out[0] = (uint64_t)caught;
		call->out[1] = at ? caught_at - at : 0;
		return 0;
	}
	switch (call->op) {
	case GUARD:
		at = (uintptr_t)guard + 5000;
		c = *(volatile char *)at;
		break;
	case BEYOND_FILE:
		at = (uintptr_t)short_file + PAGE + 7;
		c = *(volatile char *)at;
		break;
	case NOWHERE:
		at = (uintptr_t)guard + 64;
		((void (*)(void))at)();
		break;
	case DIVIDE:
		divide();
		break;
	case ILLEGAL:
		ILLEGAL_INSTRUCTION;
		break;
	case BREAKPOINT:
		BREAKPOINT_INSTRUCTION;
		break;
	case NO_STACK:
		deeper(&c, UINT64_MAX);
		break;
	}
	return 1 + c;
}

/* Out of functions that have begun, and not ended */
static __attribute__((noinline)) void leave(int depth)
{
	volatile char some[256];

	some[0] = (char)depth;
	if (!depth)
		siglongjmp(env, 7);
	leave(depth - 1);
	some[1] = some[0];
}

static int32_t handler(struct skyipc_call *call, void *arg)
{
	int n;

	(void)arg;
	switch (call->op) {
	case PREPARE:
		prepare();
		return 0;
	case FRESH:
		call->out[0] = sum_of(anon, 1);
		return 0;
	case DROPPED:
		call->out[0] = sum_of(dropped, 1);
		return 0;
	case COPIED:
		call->out[0] = sum_of(copied, 1);
		return 0;
	case OF_FILE:
		call->out[0] = sum_of(of_file, 0);
		return 0;
	case THROUGH:
		n = sigsetjmp(env, 0);
		if (!n)
			leave(20);
		return n;
	case EXIT:
		_exit(7);
	case CRASH:
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)guard = 1;
		return 1;
	case RAISE:
		n = raised;
		raise(SIGUSR1);
		return raised - n;
	case FOREVER:
		while (!go_on)
			;
		finished = 1;
		return 0;
	case GO_ON:
		go_on = 1;
		return 0;
	case SAW:
		call->out[0] = (uint64_t)finished;
		return 0;
	}
	return fault(call);
}

/* ---- the client's
 * -------------------------------------------------------------- */

static uint64_t out[SKYIPC_WORDS];

static int call(struct skyipc_conn *conn, enum op op, int32_t *status,
		skyipc_time t)
{
	const uint64_t in[SKYIPC_WORDS] = { 0 };

	memset(out, 0xee, sizeof(out));
	return skyipc_call(conn, op, in, out, status, t);
}

static void up(struct fixture *f, void **state, uint32_t workers)
{
	const struct skyipc_server_attr attr = { .size = sizeof(attr),
						 .handler = handler,
						 .workers = workers };
	int32_t status;

	fixture_up(f, state, &attr, NULL);
	assert_int_equal(call(f->conn, PREPARE, &status, LIMIT), 0);
}

static void pages(void **state)
{
	static const struct {
		enum op op;
		uint64_t sum;
	} of[] = { { FRESH, 0 },
		   { DROPPED, 0 },
		   { COPIED, 3 * PAGES },
		   { OF_FILE, 3 * PAGES } };
	struct fixture f;
	int32_t status;

	up(&f, state, 1);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		assert_int_equal(call(f.conn, of[i].op, &status, LIMIT), 0);
		assert_int_equal(status, 0);
		assert_int_equal(out[0], of[i].sum);
	}
	fixture_down(&f);
}

static void errors(void **state)
{
	static const struct {
		enum op op;
		int sig;
	} of[] = { { GUARD, SIGSEGV },	 { BEYOND_FILE, SIGBUS },
		   { NOWHERE, SIGSEGV }, { DIVIDE, SIGFPE },
		   { ILLEGAL, SIGILL },	 { BREAKPOINT, SIGTRAP },
		   { NO_STACK, SIGSEGV } };
	struct fixture f;
	int32_t status;

	/* They jump over frames that TSan goes by, and use up stacks. */
	if (under_tsan() || under_valgrind())
		skip();
	up(&f, state, 1);
	for (int round = 0; round < 3; round++)
		for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
			if (of[i].op == NO_STACK && under_asan())
				continue;
			assert_int_equal(call(f.conn, of[i].op, &status, LIMIT),
					 0);
			assert_int_equal(status, 0);
			assert_int_equal(out[0], of[i].sig);
			assert_int_equal(out[1], 0);
			/* The next ones are as if nothing had been. */
			assert_int_equal(call(f.conn, THROUGH, &status, LIMIT),
					 0);
			assert_int_equal(status, 7);
		}
	fixture_down(&f);
}

static void signals(void **state)
{
	struct fixture f;
	int32_t status;

	up(&f, state, 1);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(call(f.conn, RAISE, &status, LIMIT), 0);
		assert_int_equal(status, 1);
	}
	fixture_down(&f);
}

/* A client that does not wait any longer, and a handler that goes on */
static void forever(void **state)
{
	struct skyipc_conn *other;
	struct fixture f;
	int32_t status;

	up(&f, state, 2);
	/* A thread's calls on one connection are in order. */
	other = connect_to(f.name, NULL);
	assert_int_equal(call(f.conn, FOREVER, &status, SKYIPC_MS(50)),
			 -ETIMEDOUT);
	assert_int_equal(call(other, GO_ON, &status, LIMIT), 0);
	assert_true(WAIT_FOR(!call(other, SAW, &status, LIMIT) && out[0]));
	skyipc_close(other);
	fixture_down(&f);
}

/* Of a server that ends in a handler, its own client lives on. */
static void ends(void **state, enum op op, int how)
{
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .handler = handler };
	const struct variant *v = *state;
	struct skyipc_conn *conn;
	const char *name;
	struct child c;
	int32_t status;

	transport = v->transport;
	name = new_name();
	server_spawn(&c, name, &attr);
	conn = connect_to(name, NULL);
	assert_int_equal(call(conn, PREPARE, &status, LIMIT), 0);
	assert_int_equal(call(conn, op, &status, LIMIT), -ECONNRESET);
	assert_int_equal(wait_exit(c.pid), how);
	assert_int_equal(call(conn, op, &status, LIMIT), -EPIPE);
	skyipc_close(conn);
	close(c.to);
	close(c.from);
	/* Its name is free for a successor, who leaves nothing. */
	server_spawn(&c, name, &attr);
	assert_int_equal(child_end(&c), 0);
}

static void exits(void **state)
{
	ends(state, EXIT, 7);
}

static void crashes(void **state)
{
	/* ASan would tell of it, and exit. */
	if (under_asan() || under_tsan() || under_valgrind())
		skip();
	ends(state, CRASH, 1000 + SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages),   cmocka_unit_test(errors),
		cmocka_unit_test(signals), cmocka_unit_test(forever),
		cmocka_unit_test(exits),   cmocka_unit_test(crashes),
	};

	return run_variants("faults of handlers", tests, ARRAY_LEN(tests), 0);
}
