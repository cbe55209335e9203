/* SPDX-License-Identifier: MIT */
/*
 * Many threads call many servers by VMFUNC, and are moved between CPUs
 *meanwhile.
 *
 *	view_stress THREADS SERVERS CALLS
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { MAX = 64 };
enum { ECHO, SPIN, SYSCALL, FAULT, WAYS };

static int servers, calls;
static int conn[MAX];
static pid_t pid[MAX];
static _Atomic unsigned wrong;

static void handler(struct view_msg *m)
{
	volatile uint8_t *fresh;

	switch (m->word[6]) {
	case SPIN:
		for (volatile unsigned i = 0; i < m->word[1]; i++)
			;
		break;
	case SYSCALL:
		m->word[5] = (uint64_t)getpid();
		break;
	case FAULT:
		fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		m->word[5] = fresh[5]++;
		munmap((void *)fresh, 4096);
		break;
	}
	m->word[0] = m->word[1] * 3 + m->word[2];
}

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static bool one(const struct view_caller *c, const struct view_way *w,
		pid_t server, uint64_t *seed)
{
	const uint64_t r = next(seed);
	struct view_msg m = { .word = { 0, r % 5000, r >> 40, 0, 0, 99 } };
	const uint64_t want = (uint32_t)(m.word[1] * 3 + m.word[2]);
	int err;

	m.word[6] = r % 16 < 4 ? r % 16 : ECHO;
	do
		err = view_call(c, w, &m);
	while (err == -EAGAIN);
	if (err || (uint32_t)m.word[0] != want) {
		note("%d: %llx, not %llx", err, (long long)m.word[0],
		     (long long)want);
		return false;
	}
	switch (m.word[6]) {
	case SYSCALL:
		return m.word[5] == (uint64_t)server;
	case FAULT:
		return m.word[5] == 0;
	default:
		return m.word[5] == 99;
	}
}

static void *caller(void *arg)
{
	uint64_t seed = 88172645463325252 + (uintptr_t)arg * 7919;
	struct view_way way[MAX];
	struct view_caller c;

	view_attach(&c);
	for (int i = 0; i < servers; i++)
		if (view_way(&c, new_link(conn[i], 0), &way[i]))
			give_up("a way in");
	for (int i = 0; i < calls && !wrong; i++) {
		const int s = (int)(next(&seed) % (unsigned)servers);

		if (!one(&c, &way[s], pid[s], &seed))
			wrong++;
		if (i % 64 == 0)
			run_on((int)(next(&seed) % (unsigned)cpus()));
	}
	for (int i = 0; i < servers; i++)
		close(way[i].link);
	view_detach(&c);
	return NULL;
}

int main(int argc, char **argv)
{
	const int n = argc > 3 ? atoi(argv[1]) : 4;
	pthread_t thread[MAX];

	servers = argc > 3 ? atoi(argv[2]) : 2;
	calls = argc > 3 ? atoi(argv[3]) : 1000;
	load("skyipc.ko", "views=required");
	view_map();
	for (int i = 0; i < servers; i++)
		pid[i] = view_server(handler, n, &conn[i]);
	for (int i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, caller,
				   (void *)(uintptr_t)i))
			give_up("pthread_create");
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	ok(!wrong, "%d threads, %d servers, %d calls each", n, servers, calls);
	for (int i = 0; i < servers; i++) {
		close(conn[i]);
		end_process(pid[i]);
	}
	ok(nobody_has_anything(), "nothing is left");
	/* The threads have ended, and so will what was theirs. */
	munmap((void *)VIEW_AT, SKYIPC_DEV_VIEW_SIZE);
	ok(becomes("/sys/module/skyipc/refcnt", "0"), "nobody uses it");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
