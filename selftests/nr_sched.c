/* SPDX-License-Identifier: MIT */
#include "nr_sched.h"

#include <limits.h>
#include <linux/futex.h>
#include <malloc.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define HAVE_VALGRIND 1
#endif

/*
 * swapcontext() asks the kernel for the signal mask each time, which takes
 * longer than what is between two switches. So only the first one to a fiber is
 * a context's, and then it is kept for later schedules. Sanitizers want to be
 * told of each, and do not like to see anybody jump.
 */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define JUMPS 1
#endif

#define FIBERS 8
#define STACK (256u << 10)
/* More points than any schedule has that ends. */
#define POINTS_MAX 400000u

enum fiber_state { FIBER_ENDED = 0, FIBER_RUNS, FIBER_SLEEPS };

struct fiber {
	ucontext_t context;
#ifdef JUMPS
	jmp_buf at;
	int begun; /* there is somebody to jump to */
#endif
	enum fiber_state state;
	struct sched_fiber what;
	_Atomic uint32_t *word; /* sleeps there */
	uint64_t priority;
	const void *stack;
	size_t size;
	void *fake; /* ASan's */
	void *tsan;
};

static struct fiber fibers[FIBERS], boss;
static struct fiber *current;  /* NULL: no fiber runs */
static struct fiber *previous; /* who ran before */
static _Thread_local int is_boss;
static unsigned nfibers;
static uint64_t rng, points, changes[4], lowest;
static unsigned one_in; /* random walk: switches; 0: by priority */
static char failure[512];

enum nr_mutant nr_test_mutant;
static _Atomic uint64_t allocations, fail_at, fail_from, fail_above;
static _Atomic int64_t mapped_bytes;

uint64_t sched_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- switching ---------------------------------------------------------- */

static void switch_to(struct fiber *from, struct fiber *to)
{
	previous = from;
	current = to == &boss ? NULL : to;
#ifdef __SANITIZE_THREAD__
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(
		from->state == FIBER_ENDED && from != &boss ? NULL
							    : &from->fake,
		to->stack, to->size);
#endif
#ifdef JUMPS
	if (_setjmp(from->at))
		return;
	if (to->begun)
		_longjmp(to->at, 1);
	to->begun = 1;
	setcontext(&to->context);
	abort();
#else
	swapcontext(&from->context, &to->context);
#endif
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
#endif
}

static struct fiber *pick(const struct fiber *but)
{
	struct fiber *may[FIBERS], *best = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < nfibers; i++) {
		struct fiber *f = &fibers[i];

		if (f->state != FIBER_RUNS || f == but)
			continue;
		may[n++] = f;
		if (!best || f->priority > best->priority)
			best = f;
	}
	if (!n)
		return NULL;
	return one_in ? may[sched_random(&rng) % n] : best;
}

/* The current one has ended, or sleeps: somebody else goes on. */
static void leave(struct fiber *f)
{
	struct fiber *next = pick(NULL);

	if (!next) {
		next = &boss;
		for (unsigned i = 0; i < nfibers; i++)
			if (fibers[i].state == FIBER_SLEEPS && !*failure)
				snprintf(failure, sizeof(failure),
					 "all sleep: a wake-up was lost");
	}
	if (next != f)
		switch_to(f, next);
}

static void body(void)
{
	struct fiber *f = current;

#ifdef __SANITIZE_ADDRESS__
	const void *stack;
	size_t size;

	__sanitizer_finish_switch_fiber(NULL, &stack, &size);
	if (previous == &boss) {
		boss.stack = stack;
		boss.size = size;
	}
#endif
#ifdef JUMPS
	for (;;) {
		f->what.fn(f->what.arg);
		f->state = FIBER_ENDED;
		leave(f);
	}
#else
	f->what.fn(f->what.arg);
	f->state = FIBER_ENDED;
	leave(f);
	abort();
#endif
}

void sched_fail(const char *fmt, ...)
{
	va_list ap;

	if (!*failure) {
		va_start(ap, fmt);
		vsnprintf(failure, sizeof(failure), fmt, ap);
		va_end(ap);
	}
	if (!current || !is_boss) {
		fprintf(stderr, "# %s\n", failure);
		abort();
	}
	switch_to(current, &boss);
	abort();
}

/* ---- what the library calls --------------------------------------------- */

static void (*watch)(void *arg);
static void *watch_arg;

void sched_watch(void (*fn)(void *arg), void *arg)
{
	watch = fn;
	watch_arg = arg;
}

static int in_fiber(void)
{
	return is_boss && current;
}

static void count_point(void)
{
	if (++points > POINTS_MAX)
		sched_fail("does not end");
	if (watch)
		watch(watch_arg);
}

void nr_test_point(void)
{
	struct fiber *f = current, *next = NULL;

	if (!in_fiber())
		return;
	count_point();
	if (one_in) {
		if (sched_random(&rng) % one_in == 0)
			next = pick(NULL);
	} else {
		for (unsigned i = 0; i < 4; i++)
			if (points == changes[i])
				f->priority = --lowest;
		next = pick(NULL);
	}
	if (next && next != f)
		switch_to(f, next);
}

void nr_test_idle(void)
{
	struct fiber *f = current, *next;

	if (!in_fiber()) {
		sched_yield();
		return;
	}
	count_point();
	f->priority = --lowest;
	next = pick(f);
	if (next)
		switch_to(f, next);
}

void nr_test_failed(const char *what, const char *file, int line)
{
	sched_fail("%s:%d: invariant: %s", file, line, what);
}

void nr_test_sleep(_Atomic uint32_t *word, uint32_t val)
{
	struct fiber *f = current;

	if (!in_fiber()) {
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL,
			0);
		return;
	}
	nr_test_point();
	if (atomic_load_explicit(word, memory_order_relaxed) != val)
		return;
	f->word = word;
	f->state = FIBER_SLEEPS;
	leave(f);
}

void nr_test_wake(_Atomic uint32_t *word)
{
	if (!in_fiber()) {
		syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL,
			NULL, 0);
		return;
	}
	nr_test_point();
	for (unsigned i = 0; i < nfibers; i++)
		if (fibers[i].state == FIBER_SLEEPS && fibers[i].word == word)
			fibers[i].state = FIBER_RUNS;
}

int nr_test_no_memory(size_t bytes)
{
	uint64_t n = atomic_fetch_add(&allocations, 1) + 1;

	uint64_t from = atomic_load(&fail_from);

	uint64_t above = atomic_load(&fail_above);

	return n == atomic_load(&fail_at) || (from && n >= from) ||
	       (above && bytes > above);
}

void sched_no_memory(uint64_t n)
{
	atomic_store(&allocations, 0);
	atomic_store(&fail_at, n);
	atomic_store(&fail_from, 0);
	atomic_store(&fail_above, 0);
}

void sched_no_memory_from(uint64_t n)
{
	sched_no_memory(0);
	atomic_store(&fail_from, n);
}

void sched_no_memory_above(uint64_t bytes)
{
	sched_no_memory(0);
	atomic_store(&fail_above, bytes);
}

uint64_t sched_allocations(void)
{
	return atomic_load(&allocations);
}

void nr_test_freed(void *p)
{
	if (p)
		memset(p, 0xa5, malloc_usable_size(p));
}

void nr_test_mapped(int64_t bytes)
{
	atomic_fetch_add(&mapped_bytes, bytes);
}

int64_t sched_mapped(int zero)
{
	return zero ? atomic_exchange(&mapped_bytes, 0)
		    : atomic_load(&mapped_bytes);
}

/* ------------------------------------------------------------------------- */

uint64_t sched_now(void)
{
	return points;
}

static void begin(struct fiber *f)
{
	getcontext(&f->context);
	f->context.uc_stack.ss_sp = (void *)(uintptr_t)f->stack;
	f->context.uc_stack.ss_size = STACK;
	f->context.uc_link = NULL;
	makecontext(&f->context, body, 0);
}

static void prepare(struct fiber *f, const struct sched_fiber *what)
{
	if (!f->stack) {
		char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stack == MAP_FAILED)
			abort();
#ifdef HAVE_VALGRIND
		VALGRIND_STACK_REGISTER(stack, stack + STACK);
#endif
		f->stack = stack;
		f->size = STACK;
	}
#ifdef __SANITIZE_THREAD__
	if (f->tsan)
		__tsan_destroy_fiber(f->tsan);
	f->tsan = __tsan_create_fiber(0);
#endif
#ifdef JUMPS
	/* One that a failure has left in the middle is not wanted any more. */
	if (f->state != FIBER_ENDED)
		f->begun = 0;
	if (!f->begun)
#endif
		begin(f);
	f->what = *what;
	f->state = FIBER_RUNS;
	f->priority = (sched_random(&rng) >> 1) + UINT32_MAX;
	f->fake = NULL;
}

const char *sched_run(uint64_t seed, const struct sched_fiber *what, unsigned n)
{
	rng = seed;
	points = 0;
	lowest = UINT32_MAX;
	*failure = '\0';
	nfibers = n;
	is_boss = 1;
#ifdef JUMPS
	boss.begun = 1;
#endif
	one_in =
		sched_random(&rng) & 1 ? 1u << (1 + sched_random(&rng) % 5) : 0;
	for (unsigned i = 0; i < 4; i++)
		changes[i] = sched_random(&rng) % (128u << (3 * i));
#ifdef __SANITIZE_THREAD__
	boss.tsan = __tsan_get_current_fiber();
#endif
	for (unsigned i = 0; i < n; i++)
		prepare(&fibers[i], &what[i]);
	switch_to(&boss, pick(NULL));
	return *failure ? failure : NULL;
}
