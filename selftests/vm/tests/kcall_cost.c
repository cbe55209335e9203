/* SPDX-License-Identifier: MIT */
/*
 * What a call through the module costs: counted by the kernel's own tracepoints
 * (system calls, switches, allocations, locks, bytes copied), and its time
 *beside that of futexes and pipes, in one run on one CPU. Times of a guest mean
 *nothing by themselves: only their ratios are looked at.
 *
 *	kcall_cost [counts|ratios]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

#define TRACING "/sys/kernel/tracing/"

enum {
	CALLS = 10000,
	ROUNDS = 15,
	PER_ROUND = 1000,
	LONG = 1 << 20,
	LONGS = 8
};

/* ------------------------------------------------------------ counters -- */

static int perf(uint32_t type, uint64_t config, pid_t pid)
{
	struct perf_event_attr a = {
		.size = sizeof(a), .type = type, .config = config, .disabled = 1
	};
	int fd = (int)syscall(SYS_perf_event_open, &a, pid, -1, -1,
			      PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		give_up("perf_event_open");
	return fd;
}

/* Of one thread; @filter may be NULL. -1: this kernel has no such thing. */
static int tracepoint(const char *name, const char *filter, pid_t pid)
{
	char path[256], *id;
	int fd;

	snprintf(path, sizeof(path), TRACING "events/%s/id", name);
	if (access(path, F_OK))
		return -1;
	id = read_line(path);
	fd = perf(PERF_TYPE_TRACEPOINT, strtoull(id, NULL, 10), pid);
	free(id);
	if (filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter))
		give_up("PERF_EVENT_IOC_SET_FILTER");
	return fd;
}

enum { SYSCALLS, SWITCHES, KMALLOC, CACHE_ALLOC, TIMERS, OUR_LOCKS, COUNTERS };

struct counters {
	int fd[2 * COUNTERS]; /* of client and server */
	uint64_t n[COUNTERS]; /* the sum of both */
};

static void counters_open(struct counters *c, pid_t client, pid_t server)
{
	const char *locks = "name == \"&link->lock\" || "
			    "name == \"&server->lock\" || "
			    "name == \"&xa->xa_lock\" || "
			    "name == \"users_lock\"";

	for (int i = 0; i < 2; i++) {
		pid_t pid = i ? server : client;
		int *fd = c->fd + i * COUNTERS;

		fd[SYSCALLS] = tracepoint("raw_syscalls/sys_enter", NULL, pid);
		fd[SWITCHES] = perf(PERF_TYPE_SOFTWARE,
				    PERF_COUNT_SW_CONTEXT_SWITCHES, pid);
		fd[KMALLOC] = tracepoint("kmem/kmalloc", NULL, pid);
		fd[CACHE_ALLOC] =
			tracepoint("kmem/kmem_cache_alloc", NULL, pid);
		/* (Ticks are started, but never cancelled.) */
		fd[TIMERS] = tracepoint("timer/hrtimer_cancel", NULL, pid);
		fd[OUR_LOCKS] = tracepoint("lock/lock_acquire", locks, pid);
	}
}

static void each(const struct counters *c, unsigned long what)
{
	for (int i = 0; i < 2 * COUNTERS; i++)
		if (c->fd[i] >= 0)
			ioctl(c->fd[i], what, 0);
}

static void counters_close(struct counters *c)
{
	uint64_t n;

	memset(c->n, 0, sizeof(c->n));
	for (int i = 0; i < 2 * COUNTERS; i++) {
		if (c->fd[i] < 0)
			continue;
		if (read(c->fd[i], &n, sizeof(n)) != sizeof(n))
			give_up("read");
		c->n[i % COUNTERS] += n;
		close(c->fd[i]);
	}
}

/* ------------------------------------------------------- the other sides -- */

enum { NULL_CALL, TAKE, WHERE };

/* As plain as the others: the reply is the request's block. */
static int reply_and_wait(int worker, void *buf)
{
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = SKYIPC_SERVE_WAIT,
				      .deadline = SKYIPC_DEV_FOREVER,
				      .buf = (uintptr_t)buf,
				      .buf_size = LONG };

	for (;;) {
		int err = lean(worker, &s);

		if (err)
			return err;
		if (s.msg.op == TAKE)
			s.msg.status = s.msg.len == LONG ? 0 : -1;
		if (s.msg.op == WHERE)
			s.msg.words[0] = (uint64_t)sched_getcpu();
		s.msg.len = 0;
		s.flags = SKYIPC_SERVE_REPLY | SKYIPC_SERVE_WAIT;
	}
}

/* One thread, the first one: its pid is what is counted by. */
static pid_t kcall_server(int *conn)
{
	int socks[2], server;
	pid_t pid = server_fork(socks, conn);
	void *buf;

	if (pid)
		return pid;
	buf = malloc(LONG);
	server = new_server();
	server_give(socks, new_conn(server, 0));
	_exit(reply_and_wait(new_worker(server), buf) == -EPIPE ? 0 : 1);
}

static struct ping {
	_Atomic uint32_t to, from;
	uint32_t pad[14];
} * ping;

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	while (*word == value)
		syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void futex_set(_Atomic uint32_t *word, uint32_t value)
{
	*word = value;
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_on(0);
	}
	return pid;
}

static pid_t futex_server(void)
{
	pid_t pid = child();

	if (pid)
		return pid;
	for (uint32_t n = 0;; n++) {
		futex_wait(&ping->to, n);
		futex_set(&ping->from, n + 1);
	}
}

static int to[2], from[2];

/* Takes @size bytes, and sends eight. */
static pid_t pipe_server(size_t size)
{
	char *buf = malloc(size);
	pid_t pid = child();

	if (pid) {
		free(buf);
		return pid;
	}
	for (;;) {
		for (size_t n = 0; n < size;) {
			ssize_t got = read(to[0], buf + n, size - n);

			if (got <= 0)
				_exit(1);
			n += (size_t)got;
		}
		if (write(from[1], buf, 8) != 8)
			_exit(1);
	}
}

static void pipes(void)
{
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		give_up("pipe2");
	fcntl(to[1], F_SETPIPE_SZ, LONG);
}

/* ---------------------------------------------------------------- times -- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *t)
{
	qsort(t, ROUNDS, sizeof(*t), compare);
	return t[ROUNDS / 2];
}

static int link_;
static char *data;

static uint64_t time_kcall(void)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = SKYIPC_DEV_FOREVER,
				     .msg.op = NULL_CALL };
	uint64_t t0 = now();

	for (int i = 0; i < PER_ROUND; i++)
		if (lean(link_, &c))
			give_up("call");
	return now() - t0;
}

static void run_anywhere(pid_t pid)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	if (sched_setaffinity(pid, sizeof(all), &all))
		give_up("sched_setaffinity");
}

static uint64_t time_futex(void)
{
	static uint32_t n;
	uint64_t t0 = now();

	for (int i = 0; i < PER_ROUND; i++, n++) {
		futex_set(&ping->to, n + 1);
		futex_wait(&ping->from, n);
	}
	return now() - t0;
}

static uint64_t time_pipe(size_t size, int times)
{
	uint64_t t0 = now();
	char buf[8];

	for (int i = 0; i < times; i++)
		if (write(to[1], data, size) != (ssize_t)size ||
		    read(from[0], buf, 8) != 8)
			give_up("pipe");
	return now() - t0;
}

static uint64_t time_long(void)
{
	uint64_t t0 = now();

	for (int i = 0; i < LONGS; i++) {
		struct skyipc_dev_call c = { .flags = SKYIPC_CALL_LONG,
					     .msg.data = (uintptr_t)data,
					     .msg.len = LONG };

		if (call(link_, &c, TAKE, 0) || c.msg.status)
			give_up("call");
	}
	return now() - t0;
}

/* The same memory, of another process, and nobody who waits */
static uint64_t time_readv(pid_t pid, char *buf)
{
	struct iovec mine = { buf, LONG }, other = { data, LONG };
	uint64_t t0 = now();

	for (int i = 0; i < LONGS; i++)
		if (process_vm_readv(pid, &mine, 1, &other, 1, 0) != LONG)
			give_up("process_vm_readv");
	return now() - t0;
}

/* ---------------------------------------------------------------- tests -- */

static uint64_t copied(void)
{
	char *line = read_line(DEBUG "copied");
	uint64_t n = strtoull(line, NULL, 10);

	free(line);
	return n;
}

static void counts(pid_t server)
{
	struct skyipc_dev_call c = { .flags = 0 };
	struct counters n;
	uint64_t before;

	for (int i = 0; i < 1000; i++)
		call(link_, &c, NULL_CALL, 0);
	counters_open(&n, getpid(), server);
	each(&n, PERF_EVENT_IOC_ENABLE);
	/* Deadlines that never come */
	for (int i = 0; i < CALLS; i++)
		if (call(link_, &c, NULL_CALL, 5000))
			give_up("call");
	each(&n, PERF_EVENT_IOC_DISABLE);
	counters_close(&n);
	/* Ours that turn the counters on and off are among them. */
	ok(n.n[SYSCALLS] >= 2 * CALLS &&
		   n.n[SYSCALLS] <= 2 * CALLS + 2 * 2 * COUNTERS,
	   "%.4f system calls for a call", (double)n.n[SYSCALLS] / CALLS);
	/* A tick may take the CPU away at times. */
	ok(n.n[SWITCHES] >= 2 * CALLS - 2 &&
		   n.n[SWITCHES] <= 2 * CALLS + CALLS / 50,
	   "%.4f context switches", (double)n.n[SWITCHES] / CALLS);
	ok(n.n[KMALLOC] + n.n[CACHE_ALLOC] <= CALLS / 100, "%.4f allocations",
	   (double)(n.n[KMALLOC] + n.n[CACHE_ALLOC]) / CALLS);
	/* (The tick's, when the other CPUs idle: more where a call is slow.) */
	ok(n.n[TIMERS] <= CALLS / 10, "%.4f timers disarmed",
	   (double)n.n[TIMERS] / CALLS);
	if (n.fd[OUR_LOCKS] < 0)
		ok(true, "locks # SKIP this kernel has no lockdep");
	else
		ok(!n.n[OUR_LOCKS], "%llu locks of ours",
		   (unsigned long long)n.n[OUR_LOCKS]);

	before = copied();
	time_long();
	ok(copied() - before == LONGS * (uint64_t)LONG,
	   "a long message is copied %.4f times",
	   (double)(copied() - before) / LONGS / LONG);
}

/*
 * Neither side bound to a CPU: how often does the worker run where its client
 * has stopped? Told, and how long that took, beside two that are bound.
 */
static void free_ratio(pid_t server)
{
	struct skyipc_dev_call c = { .flags = 0 };
	uint64_t bound[ROUNDS], loose[ROUNDS];
	unsigned here = 0;

	for (int r = 0; r < ROUNDS; r++)
		bound[r] = time_kcall();
	run_anywhere(0);
	run_anywhere(server);
	for (int r = 0; r < ROUNDS; r++) {
		loose[r] = time_kcall();
		for (int i = 0; i < PER_ROUND / 10; i++) {
			if (call(link_, &c, WHERE, 0))
				give_up("call");
			here += c.msg.words[0] == (uint64_t)sched_getcpu();
		}
	}
	run_on(0);
	note("not bound, of %d CPUs: %.3f of the calls on one, %.2f of the "
	     "time",
	     cpus(), here / (ROUNDS * PER_ROUND / 10.0),
	     (double)median(loose) / (double)median(bound));
}

static void ratios(void)
{
	uint64_t kcall[ROUNDS], futex[ROUNDS], pipe[ROUNDS];
	pid_t f = futex_server(), p;
	double r;

	pipes();
	p = pipe_server(8);
	for (int i = 0; i < ROUNDS; i++) {
		kcall[i] = time_kcall();
		futex[i] = time_futex();
		pipe[i] = time_pipe(8, PER_ROUND);
	}
	end_process(f);
	end_process(p);
	r = (double)median(kcall) / (double)median(futex);
	ok(r <= 0.8, "a null call takes %.2f of a futex's there and back", r);
	r = (double)median(kcall) / (double)median(pipe);
	ok(r <= 0.6, "and %.2f of a pipe's", r);
}

static void long_ratios(void)
{
	uint64_t kcall[ROUNDS], pipe[ROUNDS], readv[ROUNDS];
	char *buf = malloc(LONG);
	pid_t p = pipe_server(LONG);
	double r;

	memset(buf, 1, LONG);
	for (int i = 0; i < ROUNDS; i++) {
		kcall[i] = time_long();
		pipe[i] = time_pipe(LONG, LONGS);
		readv[i] = time_readv(p, buf);
	}
	end_process(p);
	free(buf);
	r = (double)median(pipe) / (double)median(kcall);
	ok(r >= 1.5, "1 MiB moves %.2f times as fast as through a pipe", r);
	r = (double)median(kcall) / (double)median(readv);
	ok(r <= 1.2, "and takes %.2f of process_vm_readv()'s time", r);
}

int main(int argc, char **argv)
{
	int conn;
	pid_t server;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	/* It may be there already. */
	mount("none", TRACING, "tracefs", 0, NULL);
	ping = mmap(NULL, sizeof(*ping), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	data = malloc(LONG);
	if (ping == MAP_FAILED || !data)
		give_up("no memory");
	memset(data, 2, LONG);
	run_on(0);
	server = kcall_server(&conn);
	link_ = new_link(conn, 0);
	if (argc < 2 || !strcmp(argv[1], "counts"))
		counts(server);
	if (argc == 2 && !strcmp(argv[1], "free"))
		free_ratio(server);
	if (argc < 2 || !strcmp(argv[1], "ratios")) {
		ratios();
		long_ratios();
	}
	close(link_);
	close(conn);
	end_process(server);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
