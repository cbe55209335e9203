/* SPDX-License-Identifier: MIT */
/*
 * stress - a server, many clients that do everything at random, and somebody
 * who kills them
 *
 *   stress [--seconds N | --calls N] [--procs N] [--conns N] [--threads N]
 *          [--kills N] [--mode adaptive|blocking|polling] [--seed N]
 *
 * Every reply is verified. In the end the server must have no connection, and
 * its descriptors, mappings and memory must be what they were at the start.
 */
#include <dirent.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
/* sanitizer/allocator_interface.h, which gcc's packages lack */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

struct options opt = {
	.seconds = 20,
	.procs = 8,
	.conns = 32,
	.threads = 2,
	.kills = 100,
	.seed = 1,
};
struct shared *shared;

static pid_t parent;

static void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(99);
}

/* ---- the server --------------------------------------------------------- */

/* Bytes */
static uint64_t heap_in_use(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	return __sanitizer_get_current_allocated_bytes();
#else
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
#endif
}

static pid_t start_server(void)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_server *server;
	struct rlimit rl;
	pid_t pid = fork();

	if (pid)
		return pid;
	die_with_parent();
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	attr.handler = stress_handler;
	attr.mode = (enum skyipc_mode)opt.mode;
	attr.workers = 2;
	if (skyipc_server_create(shared->name, &attr, &server) ||
	    skyipc_server_start(server)) {
		fprintf(stderr, "server: %s\n", skyipc_errmsg());
		_exit(98);
	}
	shared->up = 1;
	while (!shared->server_ends) {
		if (shared->weigh) {
			shared->heap = heap_in_use();
			shared->weigh = 0;
		}
		pause_us(1000);
	}
	skyipc_server_destroy(server);
	_exit(0);
}

struct memory {
	long heap, shmem; /* KiB */
	int fds, maps;
};

static int fds_of(pid_t pid)
{
	char path[64];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static struct memory memory_of(pid_t pid)
{
	struct memory m = { 0, 0, 0, 0 };
	char path[64], line[512];
	FILE *f;

	shared->weigh = 1;
	while (shared->weigh && !kill(pid, 0))
		pause_us(100);
	m.heap = (long)(shared->heap / 1024);

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "RssShmem: %ld", &m.shmem);
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		m.maps += strstr(line, "memfd:skyipc") != NULL;
	if (f)
		fclose(f);
	m.fds = fds_of(pid);
	return m;
}

/* ---- those who start, kill and judge ------------------------------------ */

static pid_t start_client(unsigned i, uint64_t generation)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	die_with_parent();
	_exit(stress_client(opt.seed * 1000003 + generation * 1009 + i));
}

static int finished(uint64_t t0)
{
	return shared->failed ||
	       (opt.calls ? shared->calls >= opt.calls
			  : now() - t0 >= opt.seconds * UINT64_C(1000000000));
}

/* How many should have been killed by now. */
static uint64_t kills_due(uint64_t t0)
{
	uint64_t part = opt.calls ? shared->calls : (now() - t0) / 1000;
	uint64_t whole = opt.calls ? opt.calls : opt.seconds * 1000000;

	return opt.kills * part / whole;
}

static int judge(int status, unsigned i)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	fprintf(stderr, "client %u: status %#x\n", i, (unsigned)status);
	return 1;
}

static int run(pid_t *pids, uint64_t *killed)
{
	uint64_t t0 = now(), x = opt.seed, last = 0, t_last = t0;
	int failed = 0, status;

	while (!finished(t0)) {
		pause_us(2000);
		/* Nobody is waited for longer than this. */
		if (shared->calls != last) {
			last = shared->calls;
			t_last = now();
		} else if (now() - t_last > UINT64_C(60000000000)) {
			fprintf(stderr, "nothing goes on any more\n");
			return 1;
		}
		if (*killed < kills_due(t0)) {
			unsigned i = (unsigned)(rnd(&x) % opt.procs);

			kill(pids[i], SIGKILL);
			waitpid(pids[i], &status, 0);
			if (!WIFSIGNALED(status))
				failed |= judge(status, i);
			pids[i] = start_client(i, ++*killed);
		}
	}
	shared->clients_end = 1;
	for (unsigned i = 0; i < opt.procs; i++) {
		waitpid(pids[i], &status, 0);
		failed |= judge(status, i);
	}
	return failed || shared->failed;
}

static uint64_t conns_now(void)
{
	struct skyipc_server_info info = { .size = sizeof(info) };

	return skyipc_query(shared->name, &info, NULL, NULL, SKYIPC_SEC(10))
		       ? UINT64_MAX
		       : info.stats.conns;
}

static int as_before(pid_t server, const struct memory *was)
{
	uint64_t until = now() + UINT64_C(10000000000), conns = 1;
	struct memory m = *was;

	while (now() < until) {
		conns = conns_now();
		m = memory_of(server);
		if (!conns && m.fds == was->fds && m.maps == was->maps &&
		    m.shmem <= was->shmem + 64 &&
		    m.heap <= was->heap + HEAP_KIB)
			break;
		pause_us(10000);
	}
	printf("server: connections %llu; descriptors %d, before %d; mappings "
	       "%d, before %d; heap %ld KiB, before %ld; shared %ld KiB, "
	       "before %ld\n",
	       (unsigned long long)conns, m.fds, was->fds, m.maps, was->maps,
	       m.heap, was->heap, m.shmem, was->shmem);
	return now() < until;
}

static void take_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seconds", 1, NULL, 's' }, { "calls", 1, NULL, 'c' },
		{ "procs", 1, NULL, 'p' },   { "conns", 1, NULL, 'n' },
		{ "threads", 1, NULL, 't' }, { "kills", 1, NULL, 'k' },
		{ "mode", 1, NULL, 'm' },    { "seed", 1, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		uint64_t v = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 's':
			opt.seconds = v;
			break;
		case 'c':
			opt.calls = v;
			break;
		case 'p':
			opt.procs = (unsigned)v;
			break;
		case 'n':
			opt.conns = (unsigned)v;
			break;
		case 't':
			opt.threads = (unsigned)v;
			break;
		case 'k':
			opt.kills = v;
			break;
		case 'm':
			opt.mode = *optarg == 'b'   ? SKYIPC_BLOCKING
				   : *optarg == 'p' ? SKYIPC_POLLING
						    : SKYIPC_ADAPTIVE;
			break;
		case 'r':
			opt.seed = v;
			break;
		default:
			exit(2);
		}
	}
	if (!opt.procs || opt.conns < opt.procs || !opt.threads)
		exit(2);
}

int main(int argc, char **argv)
{
	uint64_t t0 = now(), killed = 0;
	struct memory was;
	pid_t server, *pids;
	int failed, status;

	take_options(argc, argv);
	parent = getpid();
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pids = calloc(opt.procs, sizeof(*pids));
	if (shared == MAP_FAILED || !pids)
		return 1;
	snprintf(shared->name, sizeof(shared->name), "stress-%d",
		 (int)getpid());
	server = start_server();
	while (!shared->up && !waitpid(server, &status, WNOHANG))
		pause_us(1000);
	if (!shared->up)
		return 1;
	was = memory_of(server);
	for (unsigned i = 0; i < opt.procs; i++)
		pids[i] = start_client(i, 0);
	failed = run(pids, &killed);
	if (!failed)
		failed = !as_before(server, &was);
	shared->server_ends = 1;
	if (failed)
		kill(server, SIGTERM);
	waitpid(server, &status, 0);
	printf("%llu calls, %llu connections made, %llu clients killed, %.1f "
	       "s: %s\n",
	       (unsigned long long)shared->calls,
	       (unsigned long long)shared->connects, (unsigned long long)killed,
	       (double)(now() - t0) / 1e9, failed ? "FAILED" : "all well");
	free(pids);
	return failed || status;
}
