/* SPDX-License-Identifier: MIT */
/*
 * Workers that run calls with the class and nice value of their client, as far
 * as their process might.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum { USER = 1000, MAX_CALLS = 4 };

static int own_policy(void)
{
	return sched_getscheduler(0);
}

static int own_rt(void)
{
	struct sched_param p;

	return sched_getparam(0, &p) ? -1 : p.sched_priority;
}

/* What the handler runs with */
static bool handler(struct request *r)
{
	r->msg.words[0] = (uint64_t)own_policy();
	r->msg.words[1] = (uint64_t)own_rt();
	r->msg.words[2] = (uint64_t)getpriority(PRIO_PROCESS, 0);
	return true;
}

/* A server whose one worker has nice 5, and says in the end what it has then.
 */
static pid_t server(uint32_t flags, bool user, int *conn)
{
	int socks[2], fd, worker;
	pid_t pid = server_fork(socks, conn);

	if (pid)
		return pid;
	if (setpriority(PRIO_PROCESS, 0, 5))
		give_up("setpriority");
	fd = new_server();
	/* Made by root, who gives its rights away. */
	if (user && (setgid(USER) || setuid(USER)))
		give_up("setuid");
	worker = new_worker_with(fd, flags);
	server_give(socks, new_conn(fd, 0));
	for (int calls = 0; calls < MAX_CALLS; calls++) {
		struct skyipc_dev_serve s = { .size = sizeof(s),
					      .flags = SKYIPC_SERVE_WAIT,
					      .deadline = SKYIPC_DEV_FOREVER };
		struct request r = { .worker = worker };

		if (op(worker, SKYIPC_WORKER_SERVE, &s))
			_exit(2);
		r.msg = s.msg;
		handler(&r);
		s.flags = SKYIPC_SERVE_REPLY;
		s.msg = r.msg;
		s.msg.len = 0;
		if (op(worker, SKYIPC_WORKER_SERVE, &s))
			_exit(3);
	}
	close(worker);
	_exit(own_policy() == SCHED_OTHER && getpriority(PRIO_PROCESS, 0) == 5
		      ? 0
		      : 1);
}

struct want {
	int policy, rt, nice;
};

static void become(const struct want *w)
{
	struct sched_param p = { .sched_priority = w->rt };

	if (sched_setscheduler(0, w->policy, &p) ||
	    setpriority(PRIO_PROCESS, 0, w->nice))
		give_up("sched_setscheduler");
}

struct try_ {
	int conn;
	struct want client, handler;
	bool good;
};

static void *call_as(void *arg)
{
	struct skyipc_dev_call c = { .flags = 0 };
	struct try_ *t = arg;
	int link;

	become(&t->client);
	link = new_link(t->conn, 0);
	t->good = !call(link, &c, 0, 5000) &&
		  (int)c.msg.words[0] == t->handler.policy &&
		  (int)c.msg.words[1] == t->handler.rt &&
		  (t->handler.policy != SCHED_OTHER ||
		   (int)c.msg.words[2] == t->handler.nice);
	if (!t->good)
		note("policy %d, priority %d, nice %d", (int)c.msg.words[0],
		     (int)c.msg.words[1], (int)c.msg.words[2]);
	close(link);
	return NULL;
}

static void call_with(int conn, struct want client, struct want handler,
		      const char *what)
{
	struct try_ t = { .conn = conn, .client = client, .handler = handler };
	pthread_t thread;

	/* Its class and nice value are a thread's own. */
	if (pthread_create(&thread, NULL, call_as, &t))
		give_up("pthread_create");
	pthread_join(thread, NULL);
	ok(t.good, "%s", what);
}

static void end(pid_t pid, int conn, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		give_up("waitpid");
	ok(!status, "%s: %x", what, (unsigned)status);
	close(conn);
}

/* ------------------------------------------------------------- who is near --
 */

static int near_server;
static _Atomic pid_t near_tid;

static bool where(struct request *r)
{
	r->msg.words[0] = (uint64_t)sched_getcpu();
	return true;
}

static void *pinned_worker(void *arg)
{
	int worker = new_worker(near_server);

	run_on((int)(intptr_t)arg);
	near_tid = (pid_t)syscall(SYS_gettid);
	serve(worker, where, NULL, 0);
	return NULL;
}

/* A worker on every CPU: who calls gets the one on his. */
static void near(void)
{
	int socks[2], conn, n = cpus(), good = 0;
	pid_t pid = server_fork(socks, &conn);
	pthread_t thread;

	if (!pid) {
		near_server = new_server();
		/* The last one is first in the server's list. */
		for (intptr_t cpu = n - 1; cpu >= 0; cpu--) {
			near_tid = 0;
			pthread_create(&thread, NULL, pinned_worker,
				       (void *)cpu);
			until_asleep(&near_tid);
		}
		server_give(socks, new_conn(near_server, 0));
		pthread_join(thread, NULL);
		_exit(0);
	}
	for (int cpu = 0; cpu < n; cpu++) {
		struct skyipc_dev_call c = { .flags = 0 };
		int link;

		run_on(cpu);
		link = new_link(conn, 0);
		good += !call(link, &c, 0, 5000) &&
			c.msg.words[0] == (uint64_t)cpu;
		close(link);
	}
	ok(good == n, "calls go to workers that may run here: %d of %d", good,
	   n);
	close(conn);
	end_process(pid);
}

#define FAIR(n) ((struct want){ SCHED_OTHER, 0, n })
#define BATCH(n) ((struct want){ SCHED_BATCH, 0, n })
#define IDLE ((struct want){ SCHED_IDLE, 0, 0 })
#define FIFO(p) ((struct want){ SCHED_FIFO, p, 0 })
#define RR(p) ((struct want){ SCHED_RR, p, 0 })

int main(void)
{
	int conn;
	pid_t pid;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");

	pid = server(0, false, &conn);
	call_with(conn, FAIR(0), FAIR(5), "a worker keeps its own");
	call_with(conn, FAIR(-10), FAIR(5), "its own, for nice -10");
	call_with(conn, FIFO(3), FAIR(5), "its own, for SCHED_FIFO");
	call_with(conn, IDLE, FAIR(5), "its own, for SCHED_IDLE");
	end(pid, conn, "and has it in the end");

	pid = server(SKYIPC_WORKER_INHERIT, false, &conn);
	call_with(conn, FAIR(-10), FAIR(-10), "inherits nice -10");
	call_with(conn, FAIR(12), FAIR(12), "then nice 12");
	call_with(conn, FIFO(3), FIFO(3), "then SCHED_FIFO 3");
	call_with(conn, BATCH(1), BATCH(1), "then SCHED_BATCH");
	end(pid, conn, "and has its own in the end");

	pid = server(SKYIPC_WORKER_INHERIT, false, &conn);
	call_with(conn, RR(9), RR(9), "SCHED_RR 9");
	call_with(conn, IDLE, IDLE, "SCHED_IDLE");
	call_with(conn, FAIR(5), FAIR(5), "as itself");
	call_with(conn, FIFO(50), FIFO(50), "SCHED_FIFO 50");
	end(pid, conn, "and has its own in the end");

	pid = server(SKYIPC_WORKER_INHERIT, true, &conn);
	call_with(conn, FAIR(12), FAIR(12), "a user's server: nice 12");
	call_with(conn, FAIR(-10), FAIR(5), "but nothing better than it had");
	call_with(conn, FIFO(3), FAIR(5), "nor SCHED_FIFO");
	call_with(conn, IDLE, IDLE, "SCHED_IDLE");
	end(pid, conn, "and has its own in the end");

	near();
	ok(!unload("skyipc"), "rmmod");
	return done();
}
