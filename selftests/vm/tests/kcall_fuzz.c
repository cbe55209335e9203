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
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum { THREADS = 3, FDS = 4, AREA = 1 << 20 };

enum kind { DEV, SERVER, CONN, LINK, WORKER, KINDS };

static unsigned each = 8;

static struct shared {
	_Atomic uint64_t calls;
	/* how often each number was good, and was not */
	_Atomic uint64_t good[24], bad[24];
	_Atomic int end;
} * shared;

/* Of which kind of descriptor, and what kind comes of it */
static const struct {
	unsigned long number;
	enum kind of, makes;
} numbers[] = {
	{ SKYIPC_DEV_INFO, DEV, KINDS },
	{ SKYIPC_DEV_SERVER, DEV, SERVER },
	{ SKYIPC_SERVER_CONNECT, SERVER, CONN },
	{ SKYIPC_SERVER_WORKER, SERVER, WORKER },
	{ SKYIPC_SERVER_REPLY, SERVER, KINDS },
	{ SKYIPC_SERVER_FORWARD, SERVER, KINDS },
	{ SKYIPC_SERVER_GRANT, SERVER, KINDS },
	{ SKYIPC_CONN_LINK, CONN, LINK },
	{ SKYIPC_CONN_KILL, CONN, KINDS },
	{ SKYIPC_LINK_CALL, LINK, KINDS },
	{ SKYIPC_LINK_SUBMIT, LINK, KINDS },
	{ SKYIPC_LINK_REAP, LINK, KINDS },
	{ SKYIPC_LINK_RELEASE, LINK, KINDS },
	{ SKYIPC_LINK_ADOPT, LINK, KINDS },
	{ SKYIPC_LINK_PARK, LINK, KINDS },
	{ SKYIPC_WORKER_SERVE, WORKER, KINDS },
	{ SKYIPC_WORKER_READ, WORKER, KINDS },
};
#define NUMBERS (sizeof(numbers) / sizeof(*numbers))

/* A thread's own */
static __thread uint64_t seed;
/* The process's: what it has open, and memory with holes */
static _Atomic int fds[CONN + 1][FDS];
/* links and workers work for one thread only */
static __thread _Atomic int own_fds[KINDS][FDS];
static char *area;
static int pass[4]; /* the last two: what takes everything, and zeroes */

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? seed % below : seed;
}

static bool one_in(uint64_t n)
{
	return !rnd(n);
}

static uint64_t address(void)
{
	switch (rnd(12)) {
	case 0:
		return rnd(0);
	case 1:
		return 0;
	case 2:
		return UINT64_MAX - rnd(8192);
	case 3:
		return UINT64_C(0xffffffff81000000) + rnd(1 << 24);
	case 4:
		return UINT64_C(0x7ffffffff000) - rnd(100);
	default:
		return (uintptr_t)area + rnd(AREA);
	}
}

static uint64_t size(void)
{
	switch (rnd(10)) {
	case 0:
		return rnd(0);
	case 1:
		return UINT64_C(1) << rnd(64);
	case 2:
		return rnd(AREA * 2);
	case 3:
		return rnd(65536);
	default:
		return rnd(300);
	}
}

static uint64_t deadline(void)
{
	switch (rnd(4)) {
	case 0:
		return rnd(2) ? 0 : rnd(0);
	case 1:
		return now() + rnd(2000000);
	default:
		return now() + rnd(500000);
	}
}

static _Atomic int *slot(enum kind kind)
{
	_Atomic int *all = kind > CONN ? own_fds[kind] : fds[kind];
	uint64_t i = rnd(FDS);

	/* Mostly one in which there is something */
	for (int n = 0; n < FDS && all[i] < 0 && !one_in(20); n++)
		i = (i + 1) % FDS;
	return &all[i];
}

static _Atomic int *empty_slot(enum kind kind)
{
	_Atomic int *all = kind > CONN ? own_fds[kind] : fds[kind];

	for (int n = 0; n < FDS; n++)
		if (all[n] < 0)
			return &all[n];
	return &all[rnd(FDS)];
}

static _Atomic int *any_slot(void)
{
	return slot((enum kind)(1 + rnd(KINDS - 1)));
}

static void put_fd(_Atomic int *where, int fd)
{
	int old;

	if (fd < 0)
		return;
	old = atomic_exchange(where, fd);
	if (old >= 0)
		close(old);
}

static __thread uint64_t token;
static __thread bool resumable;

/* Pages that may go any moment: what reads or writes them is the kernel. */
static void touch(int fd)
{
	size_t len = (rnd(16) + 1) << 12;
	void *m = mmap(NULL, len, PROT_READ | (one_in(2) ? PROT_WRITE : 0),
		       MAP_SHARED, fd, (off_t)(one_in(4) ? rnd(20) << 12 : 0));

	close(fd);
	if (m == MAP_FAILED)
		return;
	if (pwrite(pass[2], m, len, 0) < 0 || read(pass[3], m, len) < 0)
		sched_yield();
	/* Some stay, until the process is killed. */
	if (!one_in(20))
		munmap(m, len);
}

/* Sizes are mostly right, flags mostly those there are. */
static uint32_t sized(size_t right)
{
	return one_in(30) ? (uint32_t)rnd(one_in(2) ? 0 : 300)
			  : (uint32_t)right;
}

static uint32_t flags(uint64_t all)
{
	return one_in(40) ? (uint32_t)rnd(0) : (uint32_t)rnd(all + 1);
}

union argument {
	struct skyipc_dev_info info;
	struct skyipc_dev_server server;
	struct skyipc_dev_connect connect;
	struct skyipc_dev_worker worker;
	struct skyipc_dev_link link;
	struct skyipc_dev_call call;
	struct skyipc_dev_serve serve;
	struct skyipc_dev_forward forward;
	struct skyipc_dev_grant grant;
	struct skyipc_dev_read read;
	struct skyipc_dev_park park;
	char bytes[512];
};

static void random_msg(struct skyipc_dev_msg *m)
{
	m->op = (uint32_t)rnd(10);
	m->status = (int32_t)rnd(0);
	m->words[0] = rnd(0);
	m->data = address();
	m->len = size();
}

static void fill(unsigned long number, union argument *a)
{
	memset(a, 0, sizeof(*a));
	if (one_in(50))
		for (size_t i = 0; i < sizeof(a->bytes) / 8; i++)
			((uint64_t *)a->bytes)[i] = rnd(0);
	switch (number) {
	case SKYIPC_DEV_INFO:
		a->info.size = sized(sizeof(a->info));
		break;
	case SKYIPC_DEV_SERVER:
		a->server.size = sized(sizeof(a->server));
		break;
	case SKYIPC_SERVER_CONNECT:
		a->connect.size = sized(sizeof(a->connect));
		a->connect.cookie = rnd(0);
		break;
	case SKYIPC_SERVER_WORKER:
		a->worker.size = sized(sizeof(a->worker));
		a->worker.flags = flags(1);
		/* Anything: descriptors of ours, of others, and none */
		a->worker.bell = one_in(2) ? -1 : (int32_t)rnd(40);
		break;
	case SKYIPC_CONN_LINK:
		a->link.size = sized(sizeof(a->link));
		a->link.depth = (uint32_t)(one_in(50) ? rnd(0) : rnd(20));
		break;
	case SKYIPC_LINK_CALL:
	case SKYIPC_LINK_SUBMIT:
	case SKYIPC_LINK_REAP:
		a->call.size = sized(sizeof(a->call));
		a->call.flags =
			one_in(40)
				? (uint32_t)rnd(0)
				: (one_in(3) ? SKYIPC_CALL_LONG : 0) |
					  (one_in(6) ? SKYIPC_CALL_RESUME : 0) |
					  (one_in(6) ? SKYIPC_CALL_KEEP : 0);
		a->call.deadline = deadline();
		a->call.patience = one_in(2) ? 0 : deadline();
		random_msg(&a->call.msg);
		a->call.reply = address();
		a->call.reply_size = size();
		break;
	case SKYIPC_SERVER_REPLY:
	case SKYIPC_WORKER_SERVE:
		a->serve.size = sized(sizeof(a->serve));
		a->serve.flags =
			flags(7) | (one_in(9) ? SKYIPC_SERVE_IN_PLACE : 0);
		a->serve.deadline = deadline();
		a->serve.token = one_in(10) ? rnd(0) : one_in(5) ? 0 : token;
		random_msg(&a->serve.msg);
		if (one_in(2))
			a->serve.msg.len = rnd(200);
		a->serve.buf = address();
		a->serve.buf_size = size();
		break;
	case SKYIPC_SERVER_FORWARD:
		a->forward.size = sized(sizeof(a->forward));
		a->forward.token = one_in(10) ? rnd(0) : token;
		a->forward.conn = one_in(10) ? (int32_t)rnd(40) : *slot(CONN);
		a->forward.op = (uint32_t)rnd(10);
		break;
	case SKYIPC_SERVER_GRANT:
		a->grant.size = sized(sizeof(a->grant));
		a->grant.flags = flags(1);
		a->grant.token = one_in(10) ? rnd(0) : token;
		break;
	case SKYIPC_WORKER_READ:
		a->read.size = sized(sizeof(a->read));
		a->read.token = one_in(10) ? rnd(0) : token;
		a->read.offset = one_in(3) ? size() : 0;
		a->read.buf = address();
		a->read.len = size();
		break;
	default:
		a->park.size = sized(sizeof(a->park));
		a->park.call = address();
		a->park.xsave = address();
		a->park.xsave_size = size();
		for (int i = 0; i < 20; i++)
			a->park.regs[i] = one_in(2) ? rnd(0) : address();
	}
}

/* As good as it can be: that of the number @a is for */
static void mend(unsigned long number, union argument *a)
{
	switch (number) {
	case SKYIPC_SERVER_WORKER:
		a->worker.bell = -1;
		break;
	case SKYIPC_WORKER_SERVE:
		a->serve.size = sizeof(a->serve);
		a->serve.flags = SKYIPC_SERVE_WAIT;
		if (token && !one_in(8))
			a->serve.flags |= SKYIPC_SERVE_REPLY;
		a->serve.token = token;
		a->serve.deadline = now() + 2000000;
		a->serve.buf = (uintptr_t)area;
		a->serve.buf_size = AREA / 2;
		token = 0;
		break;
	case SKYIPC_SERVER_FORWARD:
		a->forward.size = sizeof(a->forward);
		a->forward.token = token;
		break;
	case SKYIPC_SERVER_GRANT:
		a->grant.size = sizeof(a->grant);
		a->grant.flags = (uint32_t)rnd(2);
		a->grant.token = token;
		break;
	case SKYIPC_LINK_CALL:
	case SKYIPC_LINK_SUBMIT:
	case SKYIPC_LINK_REAP:
		a->call.size = sizeof(a->call);
		a->call.flags = one_in(3) ? SKYIPC_CALL_LONG : 0;
		if (one_in(3))
			a->call.flags |= SKYIPC_CALL_GRANT;
		if (one_in(4))
			a->call.flags |= SKYIPC_CALL_KEEP;
		if (resumable && number == SKYIPC_LINK_CALL)
			a->call.flags = SKYIPC_CALL_RESUME;
		a->call.deadline = now() + 2000000;
		a->call.msg.data = (uintptr_t)area + (rnd(16) << 12);
		a->call.msg.len = one_in(2) ? rnd(16) << 12 : rnd(300);
		a->call.reply = (uintptr_t)area + AREA / 2;
		a->call.reply_size = rnd(16) << 12;
	}
}

/*
 * What a thread does for most of the time, or nobody would ever be served: some
 * serve, and some call.
 */
static __thread bool serves;

static unsigned usual(void)
{
	static const unsigned long server[] = {
		SKYIPC_WORKER_SERVE, SKYIPC_WORKER_SERVE,   SKYIPC_WORKER_SERVE,
		SKYIPC_WORKER_READ,  SKYIPC_SERVER_FORWARD, SKYIPC_SERVER_GRANT,
	};
	static const unsigned long client[] = {
		SKYIPC_LINK_CALL,
		SKYIPC_LINK_CALL,
		SKYIPC_LINK_SUBMIT,
		SKYIPC_LINK_REAP,
	};
	unsigned long number = serves ? server[rnd(6)] : client[rnd(4)];
	unsigned i = 0;

	while (numbers[i].number != number)
		i++;
	return i;
}

/* @i, or what makes something that it is for if there is none */
static unsigned maker(unsigned i)
{
	enum kind of = numbers[i].of;

	for (int n = 0; n < FDS; n++)
		if ((of > CONN ? own_fds : fds)[of][n] >= 0)
			return i;
	for (unsigned m = 0; m < NUMBERS; m++)
		if (numbers[m].makes == of)
			return maker(m);
	return i;
}

static void drop_fd(_Atomic int *where)
{
	int old = atomic_exchange(where, -1);

	if (old >= 0)
		close(old);
}

static unsigned index_of(unsigned long number)
{
	unsigned i = 0;

	while (numbers[i].number != number)
		i++;
	return i;
}

static void count(unsigned i, int ret)
{
	atomic_fetch_add(ret < 0 ? &shared->bad[i] : &shared->good[i], 1);
	atomic_fetch_add(&shared->calls, 1);
}

static void once(void)
{
	const bool good = !one_in(3);
	unsigned i = good ? usual() : (unsigned)rnd(NUMBERS);
	unsigned long number;
	union argument a;
	_Atomic int *from;
	void *arg = &a;
	int ret;

	if (good)
		i = maker(i);
	number = numbers[i].number;
	from = !good && one_in(7) ? any_slot() : slot(numbers[i].of);
	/* What ends much, rarely; nor is everything always new. */
	if (number == SKYIPC_CONN_KILL && !one_in(20))
		return;
	if (number == SKYIPC_LINK_RELEASE && !one_in(20))
		return;
	if (!good && numbers[i].makes != KINDS &&
	    *slot(numbers[i].makes) >= 0 && !one_in(200))
		return;

	fill(number, &a);
	if (good)
		mend(number, &a);
	if (!good && one_in(20))
		arg = (void *)(uintptr_t)address();
	ret = op(*from, number, arg);
	count(i, ret);
	/* Nobody else has it. */
	if (number == SKYIPC_LINK_RELEASE && !ret && one_in(2))
		count(index_of(SKYIPC_LINK_ADOPT),
		      op(*from, SKYIPC_LINK_ADOPT, NULL));
	if (number == SKYIPC_WORKER_SERVE && !ret && arg == &a)
		token = a.serve.token;
	if (number == SKYIPC_LINK_CALL)
		resumable = ret == -EINPROGRESS || ret == -EBUSY;
	if (number == SKYIPC_SERVER_GRANT && ret > 2)
		touch(ret);
	if (ret > 2 && numbers[i].makes != KINDS)
		put_fd(empty_slot(numbers[i].makes), ret);
	/* Of no use any more, or not what we think */
	if (ret == -EPIPE || ret == -ENOTTY || ret == -EPERM)
		if (one_in(2))
			drop_fd(from);
}

/* A message of one byte and one descriptor */
struct parcel {
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec iov;
	struct msghdr msg;
};

static void wrap(struct parcel *p)
{
	memset(p, 0, sizeof(*p));
	p->iov = (struct iovec){ &p->byte, 1 };
	p->msg = (struct msghdr){ .msg_iov = &p->iov,
				  .msg_iovlen = 1,
				  .msg_control = p->control,
				  .msg_controllen = sizeof(p->control) };
}

/* -1: none came; -2: none was in it, as who sent it had none. */
static int receive_fd(int from)
{
	struct parcel p;
	int fd;

	wrap(&p);
	if (recvmsg(from, &p.msg, MSG_DONTWAIT) != 1)
		return -1;
	if (!CMSG_FIRSTHDR(&p.msg))
		return -2;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&p.msg)), sizeof(fd));
	return fd;
}

static void pass_fd(void)
{
	/* Mostly what is of use to others */
	int fd = *(one_in(50) ? any_slot() : slot(CONN));
	struct cmsghdr *head;
	struct parcel p;

	if (one_in(2)) {
		wrap(&p);
		head = CMSG_FIRSTHDR(&p.msg);
		head->cmsg_len = CMSG_LEN(sizeof(int));
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
		sendmsg(pass[rnd(2)], &p.msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		fd = receive_fd(pass[rnd(2)]);
		if (fd >= 0)
			put_fd(slot(CONN), fd);
	}
}

static void child(void)
{
	pid_t me = getpid(), pid = fork();

	if (!pid) {
		/* It may wait for ever, and nobody be there to end it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != me)
			_exit(0);
		for (int i = 0; i < 20; i++)
			once();
		if (one_in(2))
			execl("/bin/true", "true", NULL);
		_exit(0);
	}
	if (pid > 0) {
		if (one_in(2))
			kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void aside(void)
{
	struct pollfd p = { .fd = *any_slot(), .events = (short)rnd(0) };
	uint64_t at = rnd(AREA / 4096), n = rnd(AREA / 4096 - at) + 1;
	int fd;

	switch (rnd(12)) {
	case 0:
		mprotect(area + at * 4096, n * 4096,
			 (int)rnd(4)); /* none, read, write, both */
		break;
	case 1:
		madvise(area + at * 4096, n * 4096, MADV_DONTNEED);
		break;
	case 2:
		mmap(area + at * 4096, n * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 3:
		munmap(area + at * 4096, 4096);
		mmap(area + at * 4096, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 4:
		fd = one_in(50) ? atomic_exchange(any_slot(), -1) : -1;
		if (fd >= 0)
			close(fd);
		break;
	case 5:
		fd = one_in(50) ? *any_slot() : -1;
		if (fd >= 0)
			put_fd(any_slot(), fcntl(fd, F_DUPFD_CLOEXEC, 3));
		break;
	case 6:
	case 7:
		pass_fd();
		break;
	case 8:
		poll(&p, 1, 0);
		break;
	case 9:
		if (one_in(40))
			child();
		break;
	case 10:
		kill(getpid(), SIGUSR1);
		break;
	case 11:
		sched_yield();
	}
}

/* They would end a process that is not ready for them yet. */
static void signals(int how)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(how, &usr1, NULL);
}

static void *work(void *arg)
{
	/* (Those from outside are for these threads, not for the first.) */
	signals(SIG_UNBLOCK);
	seed = (uintptr_t)arg;
	serves = one_in(2);
	for (int i = 0; i < FDS; i++)
		own_fds[LINK][i] = own_fds[WORKER][i] = -1;
	while (!shared->end) {
		once();
		if (one_in(each))
			aside();
	}
	return NULL;
}

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
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < FDS; i++) {
		fds[SERVER][i] = fds[CONN][i] = -1;
		fds[DEV][i] = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	}
	seed = s * 2654435761 + 1;
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)rnd(0)))
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
 * a signal, thread by thread, as Linux gives them to each in turn. If that does
 * not help, most of them wait for servers that have taken their calls and do
 * not reply, and so will those to whom they pass what they have, until they are
 * killed. (An emulator makes some calls in a millisecond, and takes a good part
 * of 200 for a new process.)
 */
static bool run_for_a_while(const pid_t *pids, unsigned n)
{
	uint64_t seen = shared->calls, next = seen + 20000;
	uint64_t until = in_ms(1000), quiet = in_ms(200), ring = in_ms(25);

	while (shared->calls < next && now() < until && now() < quiet) {
		usleep(1000);
		if (shared->calls - seen >= 100) {
			seen = shared->calls;
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
		while ((fd = receive_fd(pass[i])) != -1)
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
	unsigned killed = 0, stuck = 0;
	pid_t pids[16];
	bool every = true;

	if (argc > 4 && atoi(argv[4]) > 0)
		each = (unsigned)atoi(argv[4]);
	if (n > 16)
		give_up("at most 16 processes");
	signals(SIG_BLOCK);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pass))
		give_up("socketpair");
	/* (What is written to /dev/zero is not even read.) */
	pass[2] = memfd_create("fuzz", MFD_CLOEXEC);
	pass[3] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < n; i++)
		pids[i] = start(s++);
	while (shared->calls < calls) {
		/* In turn, so that none that is stuck stays for long. */
		unsigned i = killed % n;

		if (!run_for_a_while(pids, n))
			take_back();
		if (shared->calls >= tell) {
			note("%llu calls, %u processes killed",
			     (unsigned long long)shared->calls, killed);
			tell += calls / 20 + 1;
		}
		stuck = shared->calls == last ? stuck + 1 : 0;
		if (stuck == 100)
			give_up("nothing goes on any more");
		last = shared->calls;
		let_die(pids[i]);
		killed++;
		pids[i] = start(s++);
		reap(pids, n, &s);
	}
	shared->end = 1;
	for (unsigned i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	/* And theirs, which are ours by now */
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(pass[0]);
	close(pass[1]);
	for (unsigned i = 0; i < NUMBERS; i++) {
		note("%#lx: %llu good, %llu bad", numbers[i].number,
		     (unsigned long long)shared->good[i],
		     (unsigned long long)shared->bad[i]);
		every &= (numbers[i].number == SKYIPC_LINK_PARK ||
			  shared->good[i]) &&
			 shared->bad[i];
	}
	ok(shared->calls >= calls, "%llu calls, %u processes killed",
	   (unsigned long long)shared->calls, killed);
	ok(every, "each was good at times, and bad");
	ok(nobody_has_anything(), "nothing is left");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
