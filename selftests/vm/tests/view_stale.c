/* SPDX-License-Identifier: MIT */
/*
 * A server that changes its page tables while one of its handlers runs in a
 *view, on another CPU: the handler sees each page as it is, never one that is
 *gone.
 *
 *	view_stale ROUNDS
 *
 * It stays in the view for many rounds, as Bochs forgets all translations
 *whenever a view is entered or left: what is not flushed it would remember only
 *meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { PAGE = 4096, HUGE = 2 << 20, AT_ONCE = 50, WAYS = 8 };

static struct {
	_Atomic uint64_t published, seen;
	_Atomic int stop;
	uint64_t stale[WAYS], wrong, within, collapsed;
} * shared;

/* Of the server's own: what is here changes. */
static uint8_t *at, *aside;

static void handler(struct view_msg *m)
{
	uint64_t round = m->word[1], value;

	for (unsigned i = 0; i < m->word[0]; i++, round++) {
		while (shared->published != round)
			;
		value = *(volatile uint64_t *)at;
		if (value == round - 1)
			shared->stale[round % WAYS]++;
		else if (value != round)
			shared->wrong++;
		shared->within += view_slot_here() != 0;
		shared->seen = round;
	}
	m->word[1] = round;
}

static uint8_t *page(uint8_t *where, uint64_t value)
{
	uint8_t *p = mmap(where, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE |
				  (where ? MAP_FIXED : 0),
			  -1, 0);

	if (p == MAP_FAILED)
		give_up("mmap");
	*(volatile uint64_t *)p = value;
	return p;
}

/* What is written next goes to a copy; the child keeps the page. */
static void copy_on_write(uint64_t value)
{
	const pid_t pid = fork();

	if (!pid)
		_exit(0);
	*(volatile uint64_t *)at = value;
	waitpid(pid, NULL, 0);
}

/* Small ones become a huge one, where it is, and small ones again. */
static void collapse(uint64_t value)
{
	const int advice = 25 /* MADV_COLLAPSE, since 6.1 */;

	if (mmap(at, HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		give_up("mmap");
	*(volatile uint64_t *)at = value - 1;
	if (!madvise(at, HUGE, advice))
		shared->collapsed++;
	*(volatile uint64_t *)at = value;
}

static void change(uint64_t round)
{
	switch (round % WAYS) {
	case 0:
		page(at, round);
		break;
	case 1:
		madvise(at, PAGE, MADV_DONTNEED);
		*(volatile uint64_t *)at = round;
		break;
	case 2:
		page(aside, round);
		if (mremap(aside, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   at) != at)
			give_up("mremap");
		break;
	case 3:
		munmap(at, PAGE);
		page(at, round);
		break;
	case 4:
		/* With the table that it is in */
		munmap(at - HUGE, 2 * HUGE);
		page(at, round);
		break;
	case 5:
		if (round % (10 * WAYS) == 5)
			copy_on_write(round);
		else
			page(at, round);
		break;
	case 6:
		if (round % (10 * WAYS) == 6)
			collapse(round);
		else
			page(at, round);
		break;
	case 7:
		/* Nobody may look at it in between. */
		if (mprotect(at, PAGE, PROT_NONE) ||
		    mprotect(at, PAGE, PROT_READ))
			give_up("mprotect");
		if (mprotect(at, PAGE, PROT_READ | PROT_WRITE))
			give_up("mprotect");
		*(volatile uint64_t *)at = round;
		break;
	}
}

static void *changes(void *unused)
{
	run_on(1);
	for (uint64_t round = 1; !shared->stop; round++) {
		change(round);
		shared->published = round;
		while (shared->seen != round && !shared->stop)
			;
	}
	return unused;
}

static void begins(void)
{
	pthread_t thread;

	/* Far from all else: tables of its own */
	at = (uint8_t *)0x300000000000;
	aside = page(NULL, 0);
	page(at, 0);
	memset(shared, 0, sizeof(*shared));
	if (pthread_create(&thread, NULL, changes, NULL))
		give_up("pthread_create");
}

int main(int argc, char **argv)
{
	const uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000;
	struct view_msg m = { .word = { 0 } };
	struct view_caller caller;
	struct view_way way;
	uint64_t stale = 0, round = 1;
	pid_t server;
	int conn, err = 0;

	if (cpus() < 2) {
		printf("1..0 # SKIP one CPU\n");
		return 0;
	}
	load("skyipc.ko", "views=required");
	view_map();
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	view_before_serving = begins;
	server = view_server(handler, 1, &conn);
	run_on(0);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	while (round <= rounds && !err) {
		/* The worker may be at the end of the last one still. */
		do {
			m.word[0] = AT_ONCE;
			m.word[1] = round;
			err = view_call(&caller, &way, &m);
		} while (err == -EAGAIN);
		round = m.word[1];
	}
	shared->stop = 1;
	for (unsigned i = 0; i < WAYS; i++) {
		stale += shared->stale[i];
		if (shared->stale[i])
			note("way %u: %llu", i,
			     (unsigned long long)shared->stale[i]);
	}
	ok(!err && shared->seen >= rounds, "%llu rounds",
	   (unsigned long long)rounds);
	ok(!stale, "no page is seen that is gone");
	ok(!shared->wrong, "nor any other than what is there");
	note("%d, %llu stale, %llu wrong", err, (unsigned long long)stale,
	     (unsigned long long)shared->wrong);
	ok(shared->within * 10 >= rounds * 9, "most of them within the view");
	note("%llu", (unsigned long long)shared->within);
	ok(shared->collapsed || rounds < 10 * WAYS, "some were huge");
	note("%llu", (unsigned long long)shared->collapsed);
	end_process(server);
	return done();
}
