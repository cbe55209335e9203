/* SPDX-License-Identifier: MIT */
/*
 * Everything that programs can do to the module, at random, by processes that
 * know how its arguments are made:
 *
 *	kcall_fuzz CALLS PROCESSES [SEED [EACH]]
 *
 * (EACH: so many calls for one thing that is no call; 8. What that does to
 * their memory takes an emulator longer than all the rest.)
 *
 * They share some descriptors (inherited, and passed over a socket), close,
 * duplicate, fork, execute and unmap at random, and are killed at random. What
 * they leave must be nothing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "guest.h"

enum { THREADS = 3 };

static void nothing(int sig)
{
	(void)sig;
}

static void process(uint64_t s)
{
	pthread_t threads[THREADS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGUSR1, nothing);
	signal(SIGPIPE, SIG_IGN);
	fuzz_area = fuzz_memory(FUZZ_AREA, false);
	for (int i = 0; i < FUZZ_FDS; i++) {
		fuzz_fds[SERVER][i] = fuzz_fds[CONN][i] = -1;
		fuzz_fds[DEV][i] = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	}
	fuzz_me.seed = s * 2654435761 + 1;
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, fuzz_work,
				   (void *)fuzz_rnd(0)))
			_exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

static pid_t start(uint64_t s)
{
	pid_t pid = fork();

	if (!pid)
		process(s);
	if (pid < 0)
		give_up("fork");
	return pid;
}

/*
 * Until they have made many calls, or for a while. Who waits for ever hears of
 * a signal, thread by thread, as Linux gives them to each in turn.
 * If that does not help, most of them wait for servers that have taken their
 * calls and do not reply, and so will those to whom they pass what they have,
 * until they are killed. (An emulator makes some calls in a millisecond, and
 * takes a good part of 200 for a new process.)
 */
static bool run_for_a_while(const pid_t *pids, unsigned n)
{
	uint64_t seen = fuzz_shared->calls, next = seen + 20000;
	uint64_t until = in_ms(1000), quiet = in_ms(200), ring = in_ms(25);

	while (fuzz_shared->calls < next && now() < until && now() < quiet) {
		usleep(1000);
		if (fuzz_shared->calls - seen >= 100) {
			seen = fuzz_shared->calls;
			quiet = in_ms(150);
			ring = in_ms(25);
		} else if (now() >= ring) {
			for (unsigned i = 0; i < n * THREADS; i++)
				kill(pids[i / THREADS], SIGUSR1);
		}
	}
	return now() < quiet;
}

/*
 * What some have passed on and none has taken may keep servers whose workers
 * are all gone: whoever gets that calls, and waits.
 */
static void take_back(void)
{
	for (int i = 0, fd; i < 2; i++)
		while ((fd = fuzz_receive_fd(fuzz_pass[i])) != -1)
			if (fd >= 0)
				close(fd);
}

/* Killed, and perhaps not gone yet: what they had takes its time. */
static pid_t dying[32];

static void let_die(pid_t pid)
{
	static unsigned n;
	pid_t *at = &dying[n++ % (sizeof(dying) / sizeof(dying[0]))];

	kill(pid, SIGKILL);
	if (*at)
		waitpid(*at, NULL, 0);
	*at = pid;
}

/*
 * Children of those that have been killed are ours now. And others may have
 * died of what they do to their own memory.
 */
static void reap(pid_t *pids, unsigned n, uint64_t *s)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		for (unsigned i = 0; i < n; i++)
			if (pids[i] == pid)
				pids[i] = start((*s)++);
		for (unsigned i = 0; i < sizeof(dying) / sizeof(dying[0]); i++)
			if (dying[i] == pid)
				dying[i] = 0;
	}
}

int main(int argc, char **argv)
{
	uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000;
	unsigned n = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
	uint64_t s = argc > 3 ? strtoull(argv[3], NULL, 0) : 1, last = 0;
	uint64_t tell = calls / 20 + 1;
	unsigned killed = 0, stuck = 0, each = 8;
	pid_t pids[16];
	bool every = true;

	if (n > 16)
		give_up("at most 16 processes");
	if (argc > 4 && atoi(argv[4]) > 0)
		each = (unsigned)atoi(argv[4]);
	fuzz_signals(SIG_BLOCK);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	fuzz_shared = fuzz_memory(sizeof(*fuzz_shared), true);
	fuzz_shared->each = each;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fuzz_pass))
		give_up("socketpair");
	/* (What is written to /dev/zero is not even read.) */
	fuzz_sink = memfd_create("fuzz", MFD_CLOEXEC);
	fuzz_zeroes = open("/dev/zero", O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < n; i++)
		pids[i] = start(s++);
	while (fuzz_shared->calls < calls) {
		/* In turn, so that none that is stuck stays for long. */
		unsigned i = killed % n;

		if (!run_for_a_while(pids, n))
			take_back();
		if (fuzz_shared->calls >= tell) {
			note("%llu calls, %u processes killed",
			     (unsigned long long)fuzz_shared->calls, killed);
			tell += calls / 20 + 1;
		}
		stuck = fuzz_shared->calls == last ? stuck + 1 : 0;
		if (stuck == 100)
			give_up("nothing goes on any more");
		last = fuzz_shared->calls;
		let_die(pids[i]);
		killed++;
		pids[i] = start(s++);
		reap(pids, n, &s);
	}
	fuzz_shared->end = 1;
	for (unsigned i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	/* And theirs, which are ours by now */
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(fuzz_pass[0]);
	close(fuzz_pass[1]);
	for (unsigned i = 0; i < fuzz_numbers_n; i++) {
		note("%#lx: %llu good, %llu bad", fuzz_numbers[i].number,
		     (unsigned long long)fuzz_shared->good[i],
		     (unsigned long long)fuzz_shared->bad[i]);
		every &= (fuzz_numbers[i].number == SKYIPC_LINK_PARK ||
			  fuzz_shared->good[i]) &&
			 fuzz_shared->bad[i];
	}
	ok(fuzz_shared->calls >= calls, "%llu calls, %u processes killed",
	   (unsigned long long)fuzz_shared->calls, killed);
	ok(fuzz_shared->each == each,
	   "none has written to what is not its own");
	ok(every, "each was good at times, and bad");
	ok(nobody_has_anything(), "nothing is left");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
