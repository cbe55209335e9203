/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "guest.h"

_Atomic int *fuzz_slot(enum fuzz_kind kind)
{
	_Atomic int *all = kind > CONN ? fuzz_me.fds[kind] : fuzz_fds[kind];
	uint64_t i = fuzz_rnd(FUZZ_FDS);

	/* Mostly one in which there is something */
	for (int n = 0; n < FUZZ_FDS && all[i] < 0 && !fuzz_one_in(20); n++)
		i = (i + 1) % FUZZ_FDS;
	return &all[i];
}

static _Atomic int *empty_slot(enum fuzz_kind kind)
{
	_Atomic int *all = kind > CONN ? fuzz_me.fds[kind] : fuzz_fds[kind];

	for (int n = 0; n < FUZZ_FDS; n++)
		if (all[n] < 0)
			return &all[n];
	return &all[fuzz_rnd(FUZZ_FDS)];
}

static _Atomic int *any_slot(void)
{
	return fuzz_slot((enum fuzz_kind)(1 + fuzz_rnd(KINDS - 1)));
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
/* Pages that may go any moment: what reads or writes them is the kernel. */
static void touch(int fd)
{
	size_t len = (fuzz_rnd(16) + 1) << 12;
	void *m = mmap(NULL, len, PROT_READ | (fuzz_one_in(2) ? PROT_WRITE : 0),
		       MAP_SHARED, fd,
		       (off_t)(fuzz_one_in(4) ? fuzz_rnd(20) << 12 : 0));

	close(fd);
	if (m == MAP_FAILED)
		return;
	if (pwrite(fuzz_sink, m, len, 0) < 0 || read(fuzz_zeroes, m, len) < 0)
		sched_yield();
	/* Some stay, until the process is killed. */
	if (!fuzz_one_in(20))
		munmap(m, len);
}

static unsigned index_of(unsigned long number)
{
	unsigned i = 0;

	while (fuzz_numbers[i].number != number)
		i++;
	return i;
}

/* What this thread does for most of the time: serve, or call */
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

	return index_of(fuzz_me.serves ? server[fuzz_rnd(6)]
				       : client[fuzz_rnd(4)]);
}

/* @i, or what makes something that it is for if there is none */
static unsigned maker(unsigned i)
{
	enum fuzz_kind of = fuzz_numbers[i].of;

	for (int n = 0; n < FUZZ_FDS; n++)
		if ((of > CONN ? fuzz_me.fds : fuzz_fds)[of][n] >= 0)
			return i;
	for (unsigned m = 0; m < fuzz_numbers_n; m++)
		if (fuzz_numbers[m].makes == of)
			return maker(m);
	return i;
}

static void drop_fd(_Atomic int *where)
{
	int old = atomic_exchange(where, -1);

	if (old >= 0)
		close(old);
}

static void count(unsigned i, int ret)
{
	atomic_fetch_add(ret < 0 ? &fuzz_shared->bad[i] : &fuzz_shared->good[i],
			 1);
	atomic_fetch_add(&fuzz_shared->calls, 1);
}

static void once(void)
{
	const bool good = !fuzz_one_in(3);
	unsigned i = good ? usual() : (unsigned)fuzz_rnd(fuzz_numbers_n);
	unsigned long number;
	union fuzz_argument a;
	_Atomic int *from;
	void *arg = &a;
	int ret;

	if (good)
		i = maker(i);
	number = fuzz_numbers[i].number;
	from = !good && fuzz_one_in(7) ? any_slot()
				       : fuzz_slot(fuzz_numbers[i].of);
	/* What ends much, rarely; nor is everything always new. */
	if (number == SKYIPC_CONN_KILL && !fuzz_one_in(20))
		return;
	if (number == SKYIPC_LINK_RELEASE && !fuzz_one_in(20))
		return;
	if (!good && fuzz_numbers[i].makes != KINDS &&
	    *fuzz_slot(fuzz_numbers[i].makes) >= 0 && !fuzz_one_in(200))
		return;

	fuzz_fill(number, &a);
	if (good)
		fuzz_mend(number, &a);
	if (!good && fuzz_one_in(20))
		arg = (void *)(uintptr_t)fuzz_address();
	ret = op(*from, number, arg);
	count(i, ret);
	/* Nobody else has it. */
	if (number == SKYIPC_LINK_RELEASE && !ret && fuzz_one_in(2))
		count(index_of(SKYIPC_LINK_ADOPT),
		      op(*from, SKYIPC_LINK_ADOPT, NULL));
	if (number == SKYIPC_WORKER_SERVE && !ret && arg == &a)
		fuzz_me.token = a.serve.token;
	if (number == SKYIPC_LINK_CALL)
		fuzz_me.resumable = ret == -EINPROGRESS || ret == -EBUSY;
	if (number == SKYIPC_SERVER_GRANT && ret > 2)
		touch(ret);
	if (ret > 2 && fuzz_numbers[i].makes != KINDS)
		put_fd(empty_slot(fuzz_numbers[i].makes), ret);
	/* Of no use any more, or not what we think */
	if (ret == -EPIPE || ret == -ENOTTY || ret == -EPERM)
		if (fuzz_one_in(2))
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

int fuzz_receive_fd(int from)
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
	int fd = *(fuzz_one_in(50) ? any_slot() : fuzz_slot(CONN));
	struct cmsghdr *head;
	struct parcel p;

	if (fuzz_one_in(2)) {
		wrap(&p);
		head = CMSG_FIRSTHDR(&p.msg);
		head->cmsg_len = CMSG_LEN(sizeof(int));
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
		sendmsg(fuzz_pass[fuzz_rnd(2)], &p.msg,
			MSG_DONTWAIT | MSG_NOSIGNAL);
	} else {
		fd = fuzz_receive_fd(fuzz_pass[fuzz_rnd(2)]);
		if (fd >= 0)
			put_fd(fuzz_slot(CONN), fd);
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
		if (fuzz_one_in(2))
			execl("/bin/true", "true", NULL);
		_exit(0);
	}
	if (pid > 0) {
		if (fuzz_one_in(2))
			kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void aside(void)
{
	struct pollfd p = { .fd = *any_slot(), .events = (short)fuzz_rnd(0) };
	uint64_t at = fuzz_rnd(FUZZ_AREA / 4096),
		 n = fuzz_rnd(FUZZ_AREA / 4096 - at) + 1;
	int fd;

	switch (fuzz_rnd(12)) {
	case 0:
		mprotect(fuzz_area + at * 4096, n * 4096,
			 (int)fuzz_rnd(4)); /* none, read, write, both */
		break;
	case 1:
		madvise(fuzz_area + at * 4096, n * 4096, MADV_DONTNEED);
		break;
	case 2:
		mmap(fuzz_area + at * 4096, n * 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 3:
		munmap(fuzz_area + at * 4096, 4096);
		mmap(fuzz_area + at * 4096, 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 4:
		fd = fuzz_one_in(50) ? atomic_exchange(any_slot(), -1) : -1;
		if (fd >= 0)
			close(fd);
		break;
	case 5:
		fd = fuzz_one_in(50) ? *any_slot() : -1;
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
		if (fuzz_one_in(40))
			child();
		break;
	case 10:
		kill(getpid(), SIGUSR1);
		break;
	case 11:
		sched_yield();
	}
}

/* Signals would end a process that is not ready for them yet. */
void fuzz_signals(int how)
{
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(how, &usr1, NULL);
}

void *fuzz_work(void *arg)
{
	/* (Those from outside are for these threads, not for the first.) */
	fuzz_signals(SIG_UNBLOCK);
	fuzz_me.seed = (uintptr_t)arg;
	fuzz_me.serves = fuzz_one_in(2);
	for (int i = 0; i < FUZZ_FDS; i++)
		fuzz_me.fds[LINK][i] = fuzz_me.fds[WORKER][i] = -1;
	while (!fuzz_shared->end) {
		once();
		if (fuzz_one_in(fuzz_shared->each))
			aside();
	}
	return NULL;
}
