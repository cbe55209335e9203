/* SPDX-License-Identifier: MIT */
/*
 * Who may make ways for nested calls, with what, and when.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kcall.h"

enum { TRY = CHAIN_OWN };

/* What a worker tries that has been taken; word 2 */
enum {
	SIZE,
	BIG,
	PAD,
	NO_FD,
	NO_LINK,
	NOWHERE,
	ANOTHERS,
	ITSELF,
	CLIENTS,
	AGAIN,
	BY_ANOTHER,
	TRIES,
};

static const struct {
	const char *what;
	int err;
} tries[TRIES] = {
	[SIZE] = { "a structure that is too short", -EINVAL },
	[BIG] = { "one with something unknown in it", -E2BIG },
	[PAD] = { "one with something where nothing is", -EINVAL },
	[NO_FD] = { "no descriptor", -EBADF },
	[NO_LINK] = { "one of something else", -EBADF },
	[NOWHERE] = { "an address where nothing is", -EFAULT },
	[ANOTHERS] = { "a link of another thread's", -EPERM },
	[ITSELF] = { "a server that is its own process", -EOPNOTSUPP },
	[CLIENTS] = { "one that is the client's", -EOPNOTSUPP },
	[AGAIN] = { "a link that has one already", 0 },
	[BY_ANOTHER] = { "a worker of another thread's", -EPERM },
};

/* To a server of the client's own */
static int clients, clients_server;

static void *new_link_by(void *arg)
{
	*(int *)arg = new_link(chain_next, 0);
	return NULL;
}

struct nest_by {
	int worker, link, err;
};

static void *nests_by(void *arg)
{
	struct nest_by *by = arg;
	struct skyipc_dev_nest n = { .size = sizeof(n), .link = by->link };

	by->err = op(by->worker, SKYIPC_WORKER_NEST, &n);
	return NULL;
}

static int link_by_another(void)
{
	pthread_t thread;
	int link = -1;

	pthread_create(&thread, NULL, new_link_by, &link);
	pthread_join(thread, NULL);
	return link;
}

static int nest_by_another(int link)
{
	struct nest_by by = { .worker = view_worker, .link = link };
	pthread_t thread;

	pthread_create(&thread, NULL, nests_by, &by);
	pthread_join(thread, NULL);
	return by.err;
}

/* In the worker */
static int try(uint64_t which)
{
	union {
		struct skyipc_dev_nest n;
		uint8_t bytes[sizeof(struct skyipc_dev_nest) + 8];
	} u = { .bytes = { 0 } };
	struct skyipc_dev_nest *n = &u.n;
	int other = -1, err;

	(void)getppid();
	n->size = sizeof(*n);
	n->link = chain_way.link;
	switch (which) {
	case SIZE:
		n->size = 4;
		break;
	case BIG:
		n->size = sizeof(u);
		u.bytes[sizeof(*n)] = 1;
		break;
	case PAD:
		n->pad = 1;
		break;
	case NO_FD:
		n->link = -1;
		break;
	case NO_LINK:
		n->link = view_worker;
		break;
	case NOWHERE:
		return op(view_worker, SKYIPC_WORKER_NEST, (void *)4096);
	case ANOTHERS:
		n->link = other = link_by_another();
		break;
	case ITSELF:
		n->link = other = new_link(new_conn(new_server(), 0), 0);
		break;
	case CLIENTS:
		n->link = other = new_link(clients, 0);
		break;
	case AGAIN:
		return view_nest_way(chain_way.link, &chain_way);
	case BY_ANOTHER:
		return nest_by_another(chain_way.link);
	}
	err = op(view_worker, SKYIPC_WORKER_NEST, n);
	if (other >= 0)
		close(other);
	return err;
}

static void does(uint64_t what, struct view_msg *m)
{
	if (what == TRY)
		m->word[0] = (uint64_t)(int64_t)try(m->word[2]);
}

/* Until it has begun: its worker may be at the last one still. */
static int call_now(const struct chain *c, const struct view_caller *v,
		    uint64_t what, uint64_t more, uint64_t which)
{
	struct view_msg m;
	int err;

	do {
		m = (struct view_msg){ .word = { 0, 0, which } };
		err = chain_call(c, v, what, more, &m);
		if (err == -EAGAIN)
			usleep(100);
	} while (err == -EAGAIN);
	return err;
}

static void arguments(const struct view_caller *v)
{
	struct chain c;

	chain_up(&c, 2, 2, does);
	if (!chain_prepare(&c, v))
		give_up("a chain");
	for (uint64_t i = 0; i < TRIES; i++) {
		const int err = call_now(&c, v, TRY, 0, i);

		ok(err == tries[i].err, "%s", tries[i].what);
		note("%d", err);
	}
	/* Some that fail have ended the way that there was: it is made anew. */
	ok(!call_now(&c, v, CHAIN_PREPARE, 0, 0) && chain_is_well(&c, v),
	   "and all is well then");
	/* The client's link ends: the worker has none, until there is another.
	 */
	close(c.way.link);
	if (view_way(v, new_link(c.conn, 0), &c.way))
		give_up("a way in");
	ok(!call_now(&c, v, CHAIN_PREPARE, 0, 0) && chain_is_well(&c, v),
	   "another link of the client's");
	/* Its server has ended. */
	end_process(c.server[1]);
	{
		const int err = call_now(&c, v, CHAIN_PREPARE, 0, 0);

		ok(err == -EPIPE, "a server that has ended");
		note("%d", err);
	}
	c.n = 1;
	ok(chain_is_well(&c, v), "who calls it is well");
	chain_down(&c);
}

/* ---- what a worker lends
 * -----------------------------------------------------------
 */

static struct {
	int err[8], nest[3], way;
} * seen;

/* A thread that has lent nothing for it, and one that nobody has taken */
static void by_hand(void)
{
	static const struct {
		uint64_t nest, entry;
	} bad[] = {
		{ 8 + 4096, 4096 }, /* misaligned */
		{ 1, 4096 },
		{ 4096, 0 },
		{ 0, 4096 },
		{ 0xffff888000000000, 4096 },
		{ 4096, 0xffffffff81000000 },
		{ 0x7ffffffff000, 4096 }, /* just beyond */
		{ ~15ull, 4096 },
	};
	const int server = new_server();
	struct skyipc_dev_nest n = { .size = sizeof(n) };
	struct skyipc_dev_lend lend = { .size = sizeof(lend),
					.entry = 4096,
					.sp = 65536 };
	int worker = new_worker(server), other;

	view_no_rseq();
	lend.conn = new_conn(server, 0);
	n.link = new_link(chain_next, 0);
	seen->nest[0] = op(worker, SKYIPC_WORKER_NEST, &n);
	for (unsigned i = 0; i < 8; i++) {
		lend.nest = bad[i].nest;
		lend.nest_entry = bad[i].entry;
		seen->err[i] = op(worker, SKYIPC_WORKER_LEND, &lend);
	}
	lend.nest = lend.nest_entry = 4096;
	if (op(worker, SKYIPC_WORKER_LEND, &lend))
		_exit(1);
	seen->nest[1] = op(worker, SKYIPC_WORKER_NEST, &n);
	other = new_worker(server);
	lend.nest = lend.nest_entry = 0;
	/* As programs have it that know nothing of that */
	lend.size = 24;
	seen->nest[2] = op(other, SKYIPC_WORKER_LEND, &lend);
	_exit(0);
}

static void lends(void)
{
	struct chain c;
	unsigned wrong = 0;
	pid_t pid;

	chain_up(&c, 1, 1, does);
	chain_next = c.conn;
	pid = fork();
	if (!pid)
		by_hand();
	ok(!status_of(pid), "a worker");
	for (unsigned i = 0; i < 8; i++) {
		wrong += seen->err[i] != -EINVAL;
		if (seen->err[i] != -EINVAL)
			note("%u: %d", i, seen->err[i]);
	}
	ok(!wrong, "lends nothing that cannot be");
	ok(seen->nest[0] == -EOPNOTSUPP, "calls nobody if it has lent nothing");
	ok(seen->nest[1] == -ENOENT, "nor before a link has taken it");
	ok(!seen->nest[2], "a structure from before is as good");
	note("%d %d %d", seen->nest[0], seen->nest[1], seen->nest[2]);
	chain_down(&c);
}

int main(void)
{
	struct view_caller caller;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	clients_server = new_server();
	clients = new_conn(clients_server, 0);
	view_attach(&caller);
	arguments(&caller);
	lends();
	view_detach(&caller);
	close(clients);
	close(clients_server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
