/* SPDX-License-Identifier: MIT */
/*
 * The calls of one link: in order and one at a time, whoever serves them; those
 * that are kept, continued, and handed to another thread.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum {
	NEXT,  /* words[0] is one more than that of the call before */
	SLEEP, /* words[0] ms */
	GATE,  /* until it is opened */
};

/* Shared with the server */
static struct shared {
	_Atomic uint64_t next;
	_Atomic int inside, wrong, ran, in_gate, open;
} * shared;

static void sleep_ms(uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t))
		;
}

static bool handler(struct request *r)
{
	if (r->flags & SKYIPC_SERVE_CANCELLED) {
		r->msg.status = -ECANCELED;
		return true;
	}
	shared->ran++;
	switch (r->msg.op) {
	case NEXT:
		if (shared->inside++)
			shared->wrong++;
		if (shared->next++ != r->msg.words[0])
			shared->wrong++;
		/* So that others would come in between. */
		if (r->msg.words[0] % 64 == 0)
			sleep_ms(1);
		shared->inside--;
		break;
	case SLEEP:
		sleep_ms(r->msg.words[0]);
		break;
	case GATE:
		shared->in_gate = 1;
		while (!shared->open)
			sleep_ms(1);
		break;
	}
	r->msg.words[1] = r->msg.words[0] + 1;
	return true;
}

static int conn;

static int submit(int link, uint32_t what, uint64_t word, uint64_t tag)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .tag = tag,
				     .msg = { .op = what, .words = { word } } };

	return op(link, SKYIPC_LINK_SUBMIT, &c);
}

/* The tag of the next one, or -errno; @c has the rest. */
static int64_t reap(int link, struct skyipc_dev_call *c, unsigned ms)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->size = sizeof(*c);
	c->deadline = ms ? in_ms(ms) : SKYIPC_DEV_FOREVER;
	err = op(link, SKYIPC_LINK_REAP, c);
	return err ? err : (int64_t)c->tag;
}

/* Until the gate's handler runs */
static void enter_gate(int link)
{
	shared->in_gate = shared->open = 0;
	if (submit(link, GATE, 0, 1000))
		give_up("submit");
	while (!shared->in_gate)
		sleep_ms(1);
}

static bool leave_gate(int link)
{
	struct skyipc_dev_call c;

	shared->open = 1;
	return reap(link, &c, 0) == 1000 && c.msg.words[1] == 1;
}

static void order(void)
{
	int link = new_link(conn, 32), in = 0, out = 0, wrong = 0;
	struct skyipc_dev_call c;
	uint64_t word = 0;

	for (int round = 0; round < 2000; round++) {
		/* Some that do not wait, and one that does, behind them. */
		for (int i = round % 7; i > 0 && in - out < 32; i--, in++)
			wrong += submit(link, NEXT, word++, (uint64_t)in) != 0;
		memset(&c, 0, sizeof(c));
		c.msg.words[0] = word++;
		wrong += call(link, &c, NEXT, 0) != 0;
		while (out < in && (round % 3 || in - out > 16))
			wrong += reap(link, &c, 0) != out++;
	}
	while (out < in)
		wrong += reap(link, &c, 0) != out++;
	ok(!wrong && !shared->wrong && shared->next == word,
	   "%llu calls of one link in order, one at a time, by four workers: "
	   "%d wrong here, %d there",
	   (unsigned long long)word, wrong, shared->wrong);
	close(link);
}

static void kept(void)
{
	struct skyipc_dev_call c = { .flags = SKYIPC_CALL_KEEP, .tag = 7 };
	int link = new_link(conn, 4), ran, err;

	c.msg.words[0] = 200;
	ok(call(link, &c, SLEEP, 20) == -ETIMEDOUT, "a call that takes long");
	ok(reap(link, &c, 0) == 7 && c.msg.words[1] == 201,
	   "is kept, and reaped when it is over");

	enter_gate(link);
	ran = shared->ran;
	c = (struct skyipc_dev_call){ .flags = SKYIPC_CALL_KEEP, .tag = 8 };
	ok(call(link, &c, NEXT, 20) == -ETIMEDOUT, "one that has not begun");
	c = (struct skyipc_dev_call){ .flags = 0 };
	ok(call(link, &c, NEXT, 20) == -ETIMEDOUT, "and one that is not kept");
	ok(leave_gate(link), "the one before them");
	err = (int)reap(link, &c, 0);
	ok(err == 8 && c.msg.status == -ECANCELED && shared->ran == ran,
	   "what had not begun is told as cancelled: %d, status %d", err,
	   c.msg.status);
	ok(reap(link, &c, 0) == -ENOENT, "and there is no more");

	/* As many as there is room for; then one is not kept. */
	enter_gate(link);
	for (uint64_t i = 0; i < 3; i++) {
		c = (struct skyipc_dev_call){ .flags = SKYIPC_CALL_KEEP,
					      .tag = i };
		err = call(link, &c, NEXT, 5);
		if (err != -ETIMEDOUT)
			break;
	}
	ok(err == -ETIMEDOUT && submit(link, NEXT, 0, 0) == -EAGAIN,
	   "kept ones count as outstanding");
	c = (struct skyipc_dev_call){ .flags = SKYIPC_CALL_KEEP, .tag = 99 };
	ok(call(link, &c, NEXT, 5) == -ETIMEDOUT, "without room");
	ok(leave_gate(link) && reap(link, &c, 0) == 0 &&
		   reap(link, &c, 0) == 1 && reap(link, &c, 0) == 2 &&
		   reap(link, &c, 0) == -ENOENT,
	   "they come in order, and the last one not at all");
	close(link);
}

static volatile sig_atomic_t signals;
static _Atomic int interrupted;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void *interrupt(void *arg)
{
	/* The first may come before it is in the kernel. */
	while (!interrupted) {
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
		sleep_ms(1);
	}
	return NULL;
}

static void signalled(void)
{
	struct skyipc_dev_call c = { .flags = SKYIPC_CALL_KEEP };
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t me = pthread_self(), other;
	int link = new_link(conn, 2), err;

	sigaction(SIGUSR1, &sa, NULL);
	enter_gate(link);
	pthread_create(&other, NULL, interrupt, &me);
	c.msg.words[0] = shared->next;
	err = call(link, &c, NEXT, 0);
	interrupted = 1;
	pthread_join(other, NULL);
	ok(err == -EINPROGRESS && signals,
	   "a signal does not withdraw what is kept");
	shared->open = 1;
	c.flags = SKYIPC_CALL_KEEP | SKYIPC_CALL_RESUME;
	ok(!call(link, &c, NEXT, 0), "it goes on");
	ok(leave_gate(link), "after the one before");
	close(link);
}

static void patience(void)
{
	struct skyipc_dev_call c = { .patience = in_ms(20) };
	int link = new_link(conn, 0);

	shared->open = 0;
	c.msg.words[0] = 200;
	ok(call(link, &c, GATE, 0) == -EINPROGRESS,
	   "patience is over before the call is");
	shared->open = 1;
	c.flags = SKYIPC_CALL_RESUME;
	c.patience = 0;
	ok(!call(link, &c, GATE, 0) && c.msg.words[1] == 201, "it goes on");
	shared->open = 0;
	c = (struct skyipc_dev_call){ .patience = in_ms(500000) };
	ok(call(link, &c, GATE, 20) == -ETIMEDOUT,
	   "the deadline counts if it is earlier");
	shared->open = 1;
	close(link);
}

static int handed;

static void *first_owner(void *arg)
{
	struct skyipc_dev_call c = { .flags = 0 };
	bool *well = arg;

	handed = new_link(conn, 2);
	*well = !submit(handed, SLEEP, 100, 5) && !call(handed, &c, SLEEP, 0) &&
		!submit(handed, SLEEP, 100, 6) &&
		!op(handed, SKYIPC_LINK_RELEASE, NULL) &&
		call(handed, &c, SLEEP, 0) == -EPERM;
	return NULL;
}

static void *not_owner(void *arg)
{
	struct skyipc_dev_call c = { .flags = 0 };
	bool *well = arg;

	*well = op(handed, SKYIPC_LINK_ADOPT, NULL) == -EBUSY &&
		call(handed, &c, SLEEP, 0) == -EPERM &&
		op(handed, SKYIPC_LINK_RELEASE, NULL) == -EPERM;
	return NULL;
}

static void hand_on(void)
{
	struct skyipc_dev_call c;
	bool well = false;
	pthread_t thread;
	int status;
	pid_t pid;

	pthread_create(&thread, NULL, first_owner, &well);
	pthread_join(thread, NULL);
	ok(well, "a thread releases its link");
	pid = fork();
	if (!pid)
		_exit(op(handed, SKYIPC_LINK_ADOPT, NULL) == -EPERM ? 0 : 1);
	waitpid(pid, &status, 0);
	ok(!status, "another process cannot have it");
	ok(!op(handed, SKYIPC_LINK_ADOPT, NULL), "another thread can");
	pthread_create(&thread, NULL, not_owner, &well);
	pthread_join(thread, NULL);
	ok(well, "and is the only one");
	ok(reap(handed, &c, 0) == 5 && reap(handed, &c, 0) == 6 &&
		   reap(handed, &c, 0) == -ENOENT,
	   "it has what was outstanding");
	c = (struct skyipc_dev_call){ .flags = 0 };
	ok(!call(handed, &c, SLEEP, 0), "and calls");
	close(handed);
}

/* Last: the connection is dead then. */
static void killed(void)
{
	int link = new_link(conn, 8), ran;
	struct skyipc_dev_call c;

	enter_gate(link);
	for (uint64_t i = 0; i < 5; i++)
		submit(link, SLEEP, 0, i);
	ran = shared->ran;
	ok(!op(conn, SKYIPC_CONN_KILL, NULL), "a client ends its connection");
	ok(reap(link, &c, 0) == -ECONNRESET, "nothing comes any more");
	ok(submit(link, SLEEP, 0, 9) == -EPIPE, "nor goes");
	shared->open = 1;
	sleep_ms(200);
	ok(shared->ran == ran, "what was queued is not served");
	close(link);
}

int main(void)
{
	pid_t server;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	server = server_process(handler, 4, &conn);
	order();
	shared->next = 0;
	kept();
	signalled();
	patience();
	hand_on();
	killed();
	close(conn);
	end_process(server);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
