/* SPDX-License-Identifier: MIT */
/*
 * Hand-over to a worker that is traced. A stop on its way out of the system
 * call leaves its FPU registers in memory, so it takes that way once more; and
 * if it is stopped there each time, the call ends instead of the worker's
 * turning round for ever.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "park_state.h"

/* A hand-over is tried 100 times; each but the first has two stops. */
enum { FEW = 40, MANY = 1 + 2 * 99 };

static _Atomic int *stops;

/* The thread of @pid that is not its first */
static pid_t worker_of(pid_t pid)
{
	struct dirent *e;
	char path[64];
	pid_t tid = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (atoi(e->d_name) > 0 && atoi(e->d_name) != pid)
			tid = atoi(e->d_name);
	if (!tid)
		give_up("no worker");
	closedir(dir);
	return tid;
}

/* At so many of its stops at system calls it goes on to the next. */
static void trace(pid_t tid, int most, int ready)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
		give_up("PTRACE_SEIZE");
	while (waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status)) {
		const int sig = WSTOPSIG(status);
		const bool call = sig == (SIGTRAP | 0x80);
		const bool event = status >> 16;

		if (call)
			++*stops;
		if (ptrace(*stops < most ? PTRACE_SYSCALL : PTRACE_CONT, tid,
			   NULL, call || event ? 0 : (long)sig))
			give_up("ptrace");
		if (event && write(ready, "", 1) != 1)
			give_up("write");
	}
	_exit(0);
}

/* A process that traces the worker, until it is killed */
static pid_t tracer(pid_t tid, int most)
{
	int ready[2];
	pid_t pid;
	char c;

	*stops = 0;
	if (pipe(ready))
		give_up("pipe");
	pid = fork();
	if (!pid)
		trace(tid, most, ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		give_up("the tracer has ended");
	close(ready[0]);
	return pid;
}

static int link_fd;

static int one(void)
{
	uint64_t regs[REGS];
	int err;

	random_xsave();
	random_regs(regs);
	err = park(link_fd, regs);
	if (err)
		return err;
	return same_regs(regs, found->regs, REGS) && same_xsave() ? 0 : -EILSEQ;
}

int main(void)
{
	pid_t pid, worker, t;
	int conn, err;

	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	stops = mmap(NULL, sizeof(*stops), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stops == MAP_FAILED)
		give_up("mmap");
	parked_init();
	park_state_init();
	if (write_file(DEBUG "hand_over", "Y"))
		give_up("hand_over");
	pid = parked_server(&conn);
	link_fd = new_link(conn, 0);
	worker = worker_of(pid);
	ok(!one(), "nobody traces");

	t = tracer(worker, 0);
	err = one();
	ok(!err && !*stops, "traced, but not at system calls: %d", err);
	end_process(t);

	t = tracer(worker, FEW);
	err = one();
	ok(!err && *stops == FEW, "stopped %d times on its way: %d", *stops,
	   err);
	end_process(t);

	t = tracer(worker, INT_MAX);
	err = one();
	ok(err == -ECONNRESET && *stops >= MANY,
	   "stopped each time, %d times: %d", *stops, err);
	end_process(t);
	ok(!one(), "and then it serves as before");

	close(link_fd);
	close(conn);
	end_process(pid);
	ok(!unload("skyipc"), "rmmod");
	return done();
}
