/* SPDX-License-Identifier: MIT */
#include "callers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { ECHO, SPIN, SYSCALL, SLEEP, WAYS };

struct caller {
	pthread_t thread;
	pid_t server;
	int conn, cpu;
	_Atomic pid_t tid;
	/* Replies; those from a view, on its own CPU; and calls without a view
	 */
	_Atomic unsigned replies, within, refused;
	_Atomic int wrong;
};

static struct caller *callers;
static int callers_n;
static _Atomic bool stop;

/* Linux has the CPU's number there. */
static unsigned cpu_here(void)
{
	unsigned aux;

	__rdtscp(&aux);
	return aux & 0xfff;
}

static void handler(struct view_msg *m)
{
	switch (m->word[1] % WAYS) {
	case SPIN:
		for (volatile unsigned i = 0; i < m->word[2]; i++)
			;
		break;
	case SYSCALL:
		syscall(SYS_getppid);
		break;
	case SLEEP:
		usleep(1);
		break;
	}
	m->word[1] = m->word[1] * 3 + m->word[2];
	m->word[3] = view_slot_here();
	m->word[4] = cpu_here();
}

static bool one(struct caller *c, const struct view_caller *v,
		const struct view_way *w, uint64_t r)
{
	struct view_msg m = { .word = { 0, r, r % 4 ? 10 : r % 50000, 0, 0, ~r,
					r << 7 } };
	const uint64_t want = m.word[1] * 3 + m.word[2];
	int err;

	/* Now and then for long, so that it is stopped in the middle */
	while ((err = view_call(v, w, &m)) == -EAGAIN && !stop) {
		c->refused++;
		sched_yield();
	}
	if (err == -EAGAIN)
		return true;
	if (err || m.word[1] != want || m.word[5] != ~r ||
	    m.word[6] != r << 7) {
		note("CPU %d: %d, %llx, not %llx", c->cpu, err,
		     (unsigned long long)m.word[1], (unsigned long long)want);
		return false;
	}
	c->replies++;
	c->within += m.word[3] && m.word[4] == (unsigned)c->cpu;
	return true;
}

static void *calls(void *arg)
{
	struct caller *c = arg;
	uint64_t seed = 88172645463325252 + (unsigned)c->cpu * 7919;
	struct view_caller v;
	struct view_way w;

	c->tid = (pid_t)syscall(SYS_gettid);
	view_attach(&v);
	if (view_way(&v, new_link(c->conn, 0), &w))
		give_up("a way in");
	while (!stop && !c->wrong) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		c->wrong = !one(c, &v, &w, seed >> 8);
	}
	close(w.link);
	view_detach(&v);
	return NULL;
}

void callers_start(void)
{
	callers_n = cpus();
	callers = calloc((size_t)callers_n, sizeof(*callers));
	stop = false;
	for (int i = 0; i < callers_n; i++) {
		struct caller *c = &callers[i];

		c->cpu = i;
		c->server = view_server(handler, 1, &c->conn);
	}
	for (int i = 0; i < callers_n; i++) {
		struct caller *c = &callers[i];

		if (pthread_create(&c->thread, NULL, calls, c))
			give_up("pthread_create");
		while (!c->tid)
			sched_yield();
	}
	callers_bind();
}

void callers_bind(void)
{
	for (int i = 0; i < callers_n; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i, &set);
		if (sched_setaffinity(callers[i].tid, sizeof(set), &set))
			give_up("sched_setaffinity");
	}
}

static unsigned replies_of(const struct caller *c)
{
	return c->replies;
}

static unsigned within_of(const struct caller *c)
{
	return c->within;
}

static unsigned refused_of(const struct caller *c)
{
	return c->refused;
}

static bool grows(unsigned (*of)(const struct caller *), unsigned n)
{
	const uint64_t limit = in_ms(60000);

	for (int i = 0; i < callers_n; i++) {
		const unsigned from = of(&callers[i]);

		while (of(&callers[i]) - from < n) {
			if (callers[i].wrong || now() > limit)
				return false;
			sched_yield();
		}
	}
	return true;
}

bool callers_reply(unsigned n)
{
	return grows(replies_of, n);
}

bool callers_reply_within(unsigned n)
{
	return grows(within_of, n);
}

/* One that was there before may still tell of it. */
bool callers_refused(unsigned n)
{
	unsigned within = 0;

	for (int i = 0; i < callers_n; i++)
		within += callers[i].within;
	if (!grows(refused_of, n))
		return false;
	for (int i = 0; i < callers_n; i++)
		within -= callers[i].within;
	return -within <= (unsigned)callers_n;
}

bool callers_stop(void)
{
	unsigned replies = 0, within = 0, refused = 0;
	bool wrong = false;

	stop = true;
	for (int i = 0; i < callers_n; i++) {
		struct caller *c = &callers[i];

		pthread_join(c->thread, NULL);
		close(c->conn);
		end_process(c->server);
		wrong |= c->wrong;
		replies += c->replies;
		within += c->within;
		refused += c->refused;
	}
	note("%u replies, %u within views, %u times none", replies, within,
	     refused);
	free(callers);
	return !wrong;
}
