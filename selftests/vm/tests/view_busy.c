/* SPDX-License-Identifier: MIT */
/*
 * A worker that still has a call on its stack is nobody else's: another link
 * gets it, and is not called before the worker waits again.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { ECHO, STAY };

static struct {
	_Atomic unsigned begun, ended, within;
	_Atomic int go_on;
	_Atomic unsigned wrong;
} * seen;

static void handler(struct view_msg *m)
{
	volatile uint64_t mine[64];

	if (seen->within++)
		seen->wrong++;
	for (unsigned i = 0; i < 64; i++)
		mine[i] = i * m->word[1];
	if (m->word[0] == STAY) {
		seen->begun++;
		/* In the worker from here on */
		getppid();
		while (!seen->go_on)
			usleep(100);
	}
	for (unsigned i = 0; i < 64; i++)
		seen->wrong += mine[i] != i * m->word[1];
	seen->within--;
	seen->ended++;
	m->word[1]++;
}

static int resume_for(const struct view_way *w, unsigned ms)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .flags = SKYIPC_CALL_RESUME,
				     .deadline = in_ms(ms) };

	return op(w->link, SKYIPC_LINK_CALL, &c);
}

static void one(const struct view_caller *c, int conn, unsigned i)
{
	struct view_msg m = { .word = { STAY, 41 + i } };
	struct view_way w[2];
	unsigned again = 0, other = 0;
	int err;

	seen->begun = seen->ended = 0;
	seen->go_on = 0;
	if (view_way(c, new_link(conn, 0), &w[0]))
		give_up("a way in");
	err = view_enter(&m, w[0].slot, w[0].key, c->page);
	if (err == -EINPROGRESS)
		err = resume_for(&w[0], 20);
	if (err != -ETIMEDOUT || !seen->begun)
		give_up("a call that stays");
	close(w[0].link);
	err = view_way(c, new_link(conn, 0), &w[1]);
	if (err)
		give_up("its worker");
	for (unsigned n = 0; n < 100; n++) {
		m = (struct view_msg){ .word = { ECHO, 5 } };
		err = view_enter(&m, w[1].slot, w[1].key, c->page);
		again += err == -EAGAIN;
		if (err != -EAGAIN) {
			note("%u, %u: %d", i, n, err);
			other++;
		}
	}
	seen->go_on = 1;
	if (i == 0) {
		ok(again == 100, "its worker is busy");
		note("%u, %u", again, other);
	} else if (other) {
		seen->wrong++;
	}
	do {
		/* Whoever comes back looks again. */
		usleep(100);
		m = (struct view_msg){ .word = { ECHO, 5 } };
		err = view_enter(&m, w[1].slot, w[1].key, c->page);
		if (err == -EINPROGRESS)
			err = view_resume(&w[1], &m);
	} while (err == -EAGAIN);
	if (i == 0)
		ok(!err && m.word[1] == 6 && seen->ended == 2,
		   "and serves when it is done");
	else if (err || m.word[1] != 6 || seen->ended != 2) {
		note("%u: %d, %llu, %u", i, err, (unsigned long long)m.word[1],
		     seen->ended);
		seen->wrong++;
	}
	close(w[1].link);
}

int main(void)
{
	struct view_caller caller;
	pid_t server;
	int conn;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	for (unsigned i = 0; i < 30; i++)
		one(&caller, conn, i);
	ok(!seen->wrong, "thirty times: one call at a time");
	note("%u", seen->wrong);
	close(conn);
	view_detach(&caller);
	end_process(server);
	ok(nobody_has_anything(), "nothing is left");
	return done();
}
