/* SPDX-License-Identifier: MIT */
/*
 * Each allocation that the module makes for calls by VMFUNC fails once: for
 * views, for those of handlers, and for a call that goes on in its worker.
 *
 *	view_nomem ROUNDS
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"
#include "nomem.h"
#include "view.h"

/* By the first of two servers: a link to the second, a way there, neither */
enum { LINK = CHAIN_OWN, NEST, DROP };

/* By a server of its own: a system call, that waits or does not */
enum { BLOCK, SYSCALL };

static pid_t any; /* thread */
static struct view_caller caller;
static int dev, conn, link_fd;
static struct view_way way;
static int go[2];

static void handler(struct view_msg *m)
{
	char byte;

	if (m->word[0] == BLOCK)
		m->word[1] = (uint64_t)read(go[0], &byte, 1);
	else
		m->word[1] = (uint64_t)syscall(SYS_getpid);
	m->word[0] = 0;
}

/* ---- threads, and ways ---- */

/* Who has tried it has none, and may try again, in the same thread. */
static void *attaches(void *arg)
{
	int *err = arg, fd;

	/* This thread alone: a user who has nothing yet */
	if (syscall(SYS_setresuid, 1000, -1, -1))
		give_up("setresuid");
	fd = op(dev, SKYIPC_DEV_VIEW, NULL);
	*err = fd < 0 ? fd : 0;
	if (fd == -ENOMEM) {
		fd = op(dev, SKYIPC_DEV_VIEW, NULL);
		if (fd < 0)
			*err = fd;
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* What a thread had is given back a moment after its end. */
static void until_back(const char *before)
{
	const uint64_t limit = in_ms(10000);
	bool same;

	do {
		char *users = read_file(DEBUG "users");

		same = !strcmp(users, before);
		free(users);
		if (!same && now() > limit)
			give_up("a thread's views are there when it has ended");
		sched_yield();
	} while (!same);
}

static int attach(void)
{
	char *before = read_file(DEBUG "users");
	pthread_t thread;
	int err;

	if (pthread_create(&thread, NULL, attaches, &err))
		give_up("pthread_create");
	pthread_join(thread, NULL);
	until_back(before);
	free(before);
	return err;
}

static void *nothing(void *arg)
{
	return arg;
}

/*
 * Linux gives back threads' stacks lazily, when 64 MB of addresses have come
 * together (mm/vmalloc.c, lazy_max_pages(); with two CPUs): until then each new
 * one takes others, and tables for them. Once round, they are all there.
 */
static void all_stacks(void)
{
	pthread_t thread;

	for (int i = 0; i < 4000; i++) {
		if (pthread_create(&thread, NULL, nothing, NULL))
			give_up("pthread_create");
		pthread_join(thread, NULL);
	}
}

static uint8_t *mapped;

static int map_thread(void)
{
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, caller.fd,
		      0);
	return mapped == MAP_FAILED ? -errno : 0;
}

static void unmap_thread(int made)
{
	(void)made;
	munmap(mapped, 4096);
}

static int map_trampoline(void)
{
	void *at = mmap((void *)SKYIPC_DEV_VIEW_AT, SKYIPC_DEV_VIEW_SIZE,
			PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE,
			dev, 0);

	return at == MAP_FAILED ? -errno : 0;
}

static void unmap_trampoline(int made)
{
	(void)made;
	munmap((void *)SKYIPC_DEV_VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
}

static void new_one(void)
{
	link_fd = new_link(conn, 0);
}

static int make_way(void)
{
	struct view_way w;

	return view_way(&caller, link_fd, &w);
}

static void close_link(int made)
{
	(void)made;
	close(link_fd);
}

/* ---- who lends itself ---- */

static int mine, mine_conn, worker;

static void new_one_to_lend(void)
{
	worker = new_worker(mine);
}

static int lend(void)
{
	static char stack[4096] __attribute__((aligned(16)));
	struct skyipc_dev_lend l = { .size = sizeof(l),
				     .conn = mine_conn,
				     .entry = 4096,
				     .sp = (uintptr_t)(stack + sizeof(stack)) };

	return op(worker, SKYIPC_WORKER_LEND, &l);
}

static void close_worker(int made)
{
	(void)made;
	close(worker);
}

/* ---- handlers that call others ---- */

static struct chain chain;

/* In the first server's worker */
static void by_chain(uint64_t what, struct view_msg *m)
{
	static __thread struct view_way w;

	if (what == LINK)
		w.link = new_link(chain_next, 0);
	else if (what == NEST)
		m->word[0] = (uint64_t)(int64_t)view_nest_way(w.link, &w);
	else
		close(w.link);
}

static int by_first(uint64_t what)
{
	struct view_msg m = { .word = { 0 } };
	int err;

	/* It may be at the end of the last one still. */
	while ((err = chain_call(&chain, &caller, what, 0, &m)) == -EAGAIN)
		sched_yield();
	return err;
}

static void nest_link(void)
{
	if (by_first(LINK))
		give_up("a link of a server's");
}

static int nest(void)
{
	return by_first(NEST);
}

static void nest_drop(int made)
{
	(void)made;
	if (by_first(DROP))
		give_up("a server's link");
}

/* ---- a call that goes on in its worker ---- */

static int enter(uint64_t what)
{
	struct view_msg m;
	int err;

	for (;;) {
		m = (struct view_msg){ .word = { what } };
		err = view_enter(&m, way.slot, way.key, caller.page);
		if (err != -EAGAIN)
			return err;
		sched_yield();
	}
}

static int resume(uint64_t deadline)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .flags = SKYIPC_CALL_RESUME,
				     .deadline = deadline };

	return op(way.link, SKYIPC_LINK_CALL, &c);
}

/* Its link's call is the worker's, as nobody waits; and another is parked. */
static void parked(void)
{
	if (enter(BLOCK) != -EINPROGRESS || resume(in_ms(1)) != -ETIMEDOUT)
		give_up("a call that is left");
	if (write(go[1], "", 1) != 1)
		give_up("write");
	if (enter(SYSCALL) != -EINPROGRESS)
		give_up("a call that is parked");
}

static int goes_on(void)
{
	return resume(SKYIPC_DEV_FOREVER);
}

int main(int argc, char **argv)
{
	static const struct nomem threads[] = {
		{
			.name = "a thread's views",
			.does = attach,
			.thread = &any,
			.least = 11,
		},
		{
			.name = "its page",
			.does = map_thread,
			.undo = unmap_thread,
			.least = 1,
		},
	};
	static const struct nomem links[] = {
		{
			.name = "a link's view",
			.prepare = new_one,
			.does = make_way,
			.undo = close_link,
			.least = 10,
		},
		{
			.name = "a worker that lends itself",
			.prepare = new_one_to_lend,
			.does = lend,
			.undo = close_worker,
			.least = 1,
		},
		{
			.name = "a handler's",
			.prepare = nest_link,
			.does = nest,
			.undo = nest_drop,
			.thread = &any,
			.least = 10,
		},
		{
			.name = "a call that goes on in its worker",
			.prepare = parked,
			.does = goes_on,
			.least = 2,
		},
	};
	static const struct nomem trampoline = {
		.name = "the trampoline",
		.does = map_trampoline,
		.undo = unmap_trampoline,
		.least = 2,
	};
	const int rounds = argc > 1 ? atoi(argv[1]) : 30;
	struct view_msg m = { .word = { 0 } };
	pid_t server;
	int err;

	if (pipe(go))
		give_up("pipe");
	nomem_begin();
	if (load("skyipc.ko", "views=required"))
		give_up("insmod");
	dev = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	nomem_each(&trampoline, false);
	view_map();
	view_attach(&caller);
	mine = new_server();
	mine_conn = new_conn(mine, 0);
	/* One is the way's, and one is for others. */
	server = view_server(handler, 2, &conn);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	chain_up(&chain, 2, 1, by_chain);
	if (view_way(&caller, new_link(chain.conn, 0), &chain.way))
		give_up("a way to the chain");
	/* It lends itself, too. Threads of its children have theirs by then. */
	view_no_rseq();
	all_stacks();
	nomem_all(threads, 2, rounds);
	nomem_all(links, sizeof(links) / sizeof(*links), rounds);
	/* Its worker may be at the end of the last one still. */
	do {
		m = (struct view_msg){ .word = { SYSCALL } };
		err = view_call(&caller, &way, &m);
	} while (err == -EAGAIN);
	ok(!err && m.word[1] == (uint64_t)server, "and calls are as before: %s",
	   strerror(-err));
	chain_down(&chain);
	close(way.link);
	close(conn);
	end_process(server);
	close(mine_conn);
	close(mine);
	view_detach(&caller);
	unmap_trampoline(0);
	close(dev);
	ok(nobody_has_anything(), "nothing is left");
	/* (skyipc itself stays with this thread, which has had views.) */
	ok(!unload("skyipc_test"), "rmmod skyipc_test");
	return done();
}
