/* SPDX-License-Identifier: MIT */
/*
 * Handlers whose server's memory is taken from under them, swapped out, or made
 * of huge pages, by somebody else and all the time: each page has what was
 * written to it, and they go on in their views with what is there.
 *
 *	view_swap ROUNDS	or more, until that has been done to it
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

#define DISK "/dev/ram0"

enum { PAGE = 4096, SIZE = 4 << 20, PAGES = SIZE / PAGE };

/* MADV_COLLAPSE: since 6.1 */
enum { COLLAPSE = 25 };

/* The server's, at one address everywhere: what page i has is of generation n.
 */
static uint64_t *const memory = (uint64_t *)0x300000000000;

static uint64_t value(uint64_t i, uint64_t n)
{
	return i * 0x9e3779b97f4a7c15 + n;
}

static void maps(void)
{
	if (mmap(memory, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != memory)
		give_up("mmap");
	for (uint64_t i = 0; i < PAGES; i++)
		memory[i * PAGE / 8] = value(i, 0);
}

/*
 * Every @word[2]th page from @word[3] on is of the generation @word[1]; even
 * calls write the next one, all of them. The reply: how many are not as they
 * should be, and how many were looked at within the view.
 */
static void handler(struct view_msg *m)
{
	const uint64_t n = m->word[1], step = m->word[2];
	uint64_t wrong = 0, within = 0;

	for (uint64_t i = m->word[3]; i < PAGES; i += step) {
		volatile uint64_t *at = memory + i * PAGE / 8;

		wrong += *at != value(i, n);
		within += view_slot_here() != 0;
		if (step == 1)
			*at = value(i, n + 1);
	}
	m->word[4] = wrong;
	m->word[5] = within;
}

/* ---- who takes it away ---------------------------------------------- */

static struct {
	int pidfd;
	_Atomic int stop;
	_Atomic unsigned calls, taken, collapsed;
	int err;
} taker;

static bool advise(int advice)
{
	const struct iovec all = { memory, SIZE };

	return syscall(SYS_process_madvise, taker.pidfd, &all, 1, advice, 0) ==
	       SIZE;
}

/* Pages that went out and came in */
struct swapped {
	unsigned long long out, in;
};

static unsigned long long counter(const char *name)
{
	char *text = read_file("/proc/vmstat"), *at = strstr(text, name);
	const unsigned long long n =
		at ? strtoull(at + strlen(name), NULL, 10) : 0;

	free(text);
	return n;
}

static struct swapped swapped_since(struct swapped from)
{
	return (struct swapped){ counter("pswpout ") - from.out,
				 counter("pswpin ") - from.in };
}

/*
 * Has all of it been done? With one CPU the taker may get that little of it for
 * a while; the kernel may find no huge page at once, and does not take out what
 * somebody else is at.
 */
static bool has_taken(struct swapped from)
{
	const struct swapped now = swapped_since(from);

	return taker.taken > 2 && taker.collapsed && now.out > PAGES &&
	       now.in > PAGES;
}

/* Two of them, so one from its beginning to its end */
static void calls_go_on(void)
{
	const unsigned calls = taker.calls;

	while (taker.calls - calls < 2 && !taker.stop)
		sched_yield();
}

static void *takes(void *unused)
{
	run_on(cpus() - 1);
	for (unsigned i = 0; !taker.stop; i++) {
		taker.taken += advise(MADV_PAGEOUT);
		/* Now and then they find it as others have left it. */
		if (i % 3)
			calls_go_on();
		/* It is in again, and nobody is at it for long. */
		if (advise(COLLAPSE))
			taker.collapsed++;
		else
			taker.err = errno;
		if (i % 2)
			calls_go_on();
	}
	return unused;
}

/* mkswap(8): the first page says how many there are. */
static void swap_on(void)
{
	static uint8_t page[PAGE];
	const uint32_t version = 1, last = 32 * 256 - 1;
	int fd;

	if (system("modprobe brd rd_nr=1 rd_size=32768"))
		give_up("modprobe brd");
	fd = open(DISK, O_RDWR | O_CLOEXEC);
	memcpy(page + 1024, &version, 4);
	memcpy(page + 1028, &last, 4);
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	if (fd < 0 || write(fd, page, PAGE) != PAGE || fsync(fd))
		give_up(DISK);
	close(fd);
	if (swapon(DISK, 0))
		give_up("swapon");
}

int main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 300;
	unsigned long long wrong = 0, within = 0;
	struct swapped before, swapped;
	struct view_caller caller;
	struct view_way way;
	pthread_t thread;
	uint64_t n = 0;
	pid_t server;
	int conn, err = 0;

	load("skyipc.ko", "views=required");
	swap_on();
	view_map();
	view_before_serving = maps;
	server = view_server(handler, 1, &conn);
	run_on(0);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	taker.pidfd = (int)syscall(SYS_pidfd_open, server, 0);
	before = swapped_since((struct swapped){ 0 });
	/* At rest: all of it is out, and comes back. */
	ok(advise(MADV_PAGEOUT) && swapped_since(before).out >= PAGES / 2,
	   "a server's memory is swapped out");
	if (pthread_create(&thread, NULL, takes, NULL))
		give_up("pthread_create");
	for (unsigned i = 0;
	     !err && (i < rounds || (!has_taken(before) && i < 100 * rounds));
	     i++) {
		const uint64_t step = i % 2 ? 1 + i % 37 : 1;
		struct view_msg m = { .word = { 0, n, step, i % step } };

		err = view_call(&caller, &way, &m);
		wrong += m.word[4];
		within += m.word[5];
		n += step == 1;
		taker.calls++;
	}
	taker.stop = 1;
	pthread_join(thread, NULL);
	swapped = swapped_since(before);
	ok(!err && !wrong, "%u calls, and each page is as it was left",
	   taker.calls);
	note("%d, %llu wrong", err, wrong);
	ok(within, "some of them within the view");
	note("%llu", within);
	ok(taker.taken > 2 && swapped.out > PAGES && swapped.in > PAGES,
	   "while it is taken");
	note("%u times, %llu pages out, %llu in", taker.taken, swapped.out,
	     swapped.in);
	ok(taker.collapsed, "and made of huge pages");
	note("%u times, %s", taker.collapsed, strerror(taker.err));
	close(way.link);
	close(conn);
	view_detach(&caller);
	end_process(server);
	if (swapoff(DISK))
		give_up("swapoff");
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
