/* SPDX-License-Identifier: MIT */
/*
 * handler_syscalls_test.c - system calls that handlers make, blocking ones, too
 *
 * Each does what it does on any thread of the server, whoever's thread the call
 * has come on. Over vmfunc each of them moves its call to the server, once.
 */
#include "testlib.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is not so, by its line; 0: all was. */
#define EXPECT(cond)                                                           \
	do {                                                                   \
		if (!(cond))                                                   \
			return __LINE__;                                       \
	} while (0)

/* ---- those that do not wait ------------------------------------------------
 */

static char dir[64];
static pid_t server_pid;
static int file = -1, old_dir = -1;

/* By number: what libraries keep of some of them is not asked. */
static int who(void)
{
	EXPECT(syscall(SYS_getpid) == server_pid);
	EXPECT(syscall(SYS_gettid) > 0);
	EXPECT(syscall(SYS_getppid) == getppid());
	EXPECT(syscall(SYS_getuid) == (long)getuid());
	EXPECT(syscall(SYS_geteuid) == (long)geteuid());
	EXPECT(syscall(SYS_getgid) == (long)getgid());
	EXPECT(syscall(SYS_getsid, 0) == getsid(0));
	EXPECT(syscall(SYS_getpgid, 0) == getpgid(server_pid));
	return 0;
}

static int files(void)
{
	char text[8] = "", other[64], back[64];
	struct stat st;

	file = open("data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	EXPECT(file >= 0);
	EXPECT(write(file, "abcdefg", 7) == 7);
	EXPECT(lseek(file, 2, SEEK_SET) == 2);
	EXPECT(read(file, text, 3) == 3 && !memcmp(text, "cde", 3));
	EXPECT(pwrite(file, "X", 1, 0) == 1);
	EXPECT(pread(file, text, 7, 0) == 7 && !memcmp(text, "Xbcdefg", 7));
	EXPECT(fstat(file, &st) == 0 && st.st_size == 7);
	EXPECT(ftruncate(file, 4) == 0);
	EXPECT(stat("data", &st) == 0 && st.st_size == 4);
	EXPECT(fsync(file) == 0);
	EXPECT(access("data", R_OK) == 0 && access("none", F_OK) < 0);
	EXPECT(symlink("data", "link") == 0);
	EXPECT(readlink("link", back, sizeof(back)) == 4);
	EXPECT(rename("link", "linked") == 0 && unlink("linked") == 0);
	EXPECT(link("data", "more") == 0 && unlink("more") == 0);
	EXPECT(chmod("data", 0400) == 0 && fchmod(file, 0600) == 0);
	EXPECT(getcwd(other, sizeof(other)) && !strcmp(other, dir));
	EXPECT(umask(022) == 022 || umask(022) == 022);
	return 0;
}

static int directories(void)
{
	struct dirent *e;
	int n = 0;
	DIR *d;

	EXPECT(mkdir("sub", 0700) == 0);
	d = opendir(".");
	EXPECT(d);
	while ((e = readdir(d)))
		n += !strcmp(e->d_name, "sub");
	EXPECT(closedir(d) == 0 && n == 1);
	EXPECT(rmdir("sub") == 0);
	return 0;
}

static int descriptors(void)
{
	int fd = dup(file), other = fcntl(file, F_DUPFD_CLOEXEC, 100), n;
	struct iovec v[2];
	char a, b[3];

	EXPECT(fd >= 0 && other >= 100);
	EXPECT(dup3(fd, other, O_CLOEXEC) == other);
	EXPECT(fcntl(other, F_GETFD) == FD_CLOEXEC);
	v[0] = (struct iovec){ &a, 1 };
	v[1] = (struct iovec){ b, 3 };
	EXPECT(preadv(other, v, 2, 0) == 4 && a == 'X' && b[2] == 'd');
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	EXPECT(ioctl(fd, FIONREAD, &n) == 0 && n == 4);
	EXPECT(flock(fd, LOCK_EX | LOCK_NB) == 0 && flock(fd, LOCK_UN) == 0);
	EXPECT(close(fd) == 0 && close(other) == 0);
	EXPECT(close(other) < 0 && errno == EBADF);
	return 0;
}

static int memory(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char in[4];
	int fd;

	EXPECT(p != MAP_FAILED);
	p[0] = p[3 * page] = 1;
	EXPECT(mincore(p, 4 * page, in) == 0 && in[0] & 1);
	EXPECT(mprotect(p, page, PROT_READ) == 0 && p[0] == 1);
	EXPECT(mprotect(p, page, PROT_READ | PROT_WRITE) == 0);
	EXPECT(madvise(p + 3 * page, page, MADV_DONTNEED) == 0);
	EXPECT(p[3 * page] == 0);
	p = mremap(p, 4 * page, 8 * page, MREMAP_MAYMOVE);
	EXPECT(p != MAP_FAILED && p[0] == 1 && p[7 * page] == 0);
	EXPECT(munmap(p, 8 * page) == 0);
	fd = memfd_create("skyipc-test", MFD_CLOEXEC);
	EXPECT(fd >= 0 && ftruncate(fd, (off_t)page) == 0);
	p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(p != MAP_FAILED);
	p[5] = 'q';
	EXPECT(pread(fd, in, 1, 5) == 1 && in[0] == 'q');
	EXPECT(munmap(p, page) == 0 && close(fd) == 0);
	EXPECT(sbrk(0) != (void *)-1);
	return 0;
}

static int times(void)
{
	struct timespec a, b, shortly = { 0, 1000000 };
	struct rusage use;
	struct timeval tv;

	EXPECT(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a) == 0);
	EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &shortly, NULL) == 0);
	EXPECT(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b) == 0);
	EXPECT((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >=
	       1000000);
	EXPECT(syscall(SYS_gettimeofday, &tv, NULL) == 0 && tv.tv_sec > 0);
	EXPECT(clock_getres(CLOCK_REALTIME, &a) == 0);
	EXPECT(getrusage(RUSAGE_THREAD, &use) == 0);
	return 0;
}

static int machine(void)
{
	struct rlimit limit;
	struct utsname name;
	struct sysinfo info;
	char some[16];
	cpu_set_t set;
	unsigned cpu;

	EXPECT(uname(&name) == 0 && !strcmp(name.sysname, "Linux"));
	EXPECT(sysinfo(&info) == 0 && info.totalram > 0);
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 0);
	EXPECT(getrandom(some, sizeof(some), 0) == sizeof(some));
	EXPECT(sched_getaffinity(0, sizeof(set), &set) == 0);
	EXPECT(sched_yield() == 0);
	EXPECT(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 &&
	       CPU_ISSET(cpu, &set));
	EXPECT(getpriority(PRIO_PROCESS, 0) >= -20);
	EXPECT(prctl(PR_GET_DUMPABLE) >= 0);
	return 0;
}

static volatile sig_atomic_t got;

static void take(int sig)
{
	got = sig;
}

static int signals(void)
{
	struct sigaction act = { .sa_handler = take }, old;
	sigset_t one, before, now;

	got = 0;
	sigemptyset(&one);
	sigaddset(&one, SIGUSR2);
	EXPECT(sigaction(SIGUSR2, &act, &old) == 0);
	EXPECT(pthread_sigmask(SIG_BLOCK, &one, &before) == 0);
	EXPECT(raise(SIGUSR2) == 0 && !got);
	EXPECT(sigpending(&now) == 0 && sigismember(&now, SIGUSR2));
	EXPECT(pthread_sigmask(SIG_UNBLOCK, &one, NULL) == 0);
	EXPECT(got == SIGUSR2);
	EXPECT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	EXPECT(sigaction(SIGUSR2, &old, NULL) == 0);
	EXPECT(kill(server_pid, 0) == 0);
	return 0;
}

static int processes(void)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(getppid() == server_pid ? 23 : 24);
	EXPECT(pid > 0);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 23);
	EXPECT(waitpid(pid, &status, 0) < 0 && errno == ECHILD);
	return 0;
}

static int sockets(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s[2], l, c, a, on = 0;
	socklen_t len = sizeof(on);
	char text[4];

	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s) == 0);
	EXPECT(send(s[0], "xyz", 3, 0) == 3 && recv(s[1], text, 4, 0) == 3);
	EXPECT(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &on, &len) == 0 &&
	       on == SOCK_DGRAM);
	EXPECT(shutdown(s[0], SHUT_WR) == 0 && !close(s[0]) && !close(s[1]));
	l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* No name: the kernel chooses one. */
	len = sizeof(sa_family_t);
	EXPECT(l >= 0 && c >= 0 && bind(l, (void *)&to, len) == 0);
	len = sizeof(to);
	EXPECT(getsockname(l, (void *)&to, &len) == 0 && !listen(l, 1));
	EXPECT(connect(c, (void *)&to, len) == 0);
	a = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	EXPECT(a >= 0 && write(c, "k", 1) == 1 && read(a, text, 1) == 1);
	EXPECT(!close(a) && !close(c) && !close(l));
	return 0;
}

/* ---- those that wait until another handler lets them go on ------------------
 */

static int ends[2] = { -1, -1 };
static _Atomic uint32_t word;

static int feed_pipe(void)
{
	EXPECT(write(ends[1], "!", 1) == 1);
	return 0;
}

static int wait_read(void)
{
	char c = 0;

	EXPECT(read(ends[0], &c, 1) == 1 && c == '!');
	return 0;
}

static int wait_poll(void)
{
	struct pollfd p = { ends[0], POLLIN, 0 };

	EXPECT(poll(&p, 1, -1) == 1 && p.revents == POLLIN);
	return wait_read();
}

static int wait_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	EXPECT(select(ends[0] + 1, &set, NULL, NULL, NULL) == 1);
	return wait_read();
}

static int wait_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	EXPECT(ep >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e));
	EXPECT(epoll_wait(ep, &e, 1, -1) == 1 && e.events == EPOLLIN);
	EXPECT(close(ep) == 0);
	return wait_read();
}

static int feed_word(void)
{
	atomic_store(&word, 1);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX);
	return 0;
}

static int wait_futex(void)
{
	while (!atomic_load(&word))
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
	atomic_store(&word, 0);
	return 0;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int condition;

static int feed_condition(void)
{
	pthread_mutex_lock(&mutex);
	condition = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	return 0;
}

static int wait_condition(void)
{
	pthread_mutex_lock(&mutex);
	while (!condition)
		pthread_cond_wait(&cond, &mutex);
	condition = 0;
	pthread_mutex_unlock(&mutex);
	return 0;
}

static int event = -1;

static int feed_event(void)
{
	uint64_t one = 1;

	EXPECT(write(event, &one, sizeof(one)) == sizeof(one));
	return 0;
}

static int wait_event(void)
{
	uint64_t n;

	EXPECT(read(event, &n, sizeof(n)) == sizeof(n) && n == 1);
	return 0;
}

static int wait_timer(void)
{
	const struct itimerspec soon = { .it_value = { 0, 1000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t n;

	EXPECT(fd >= 0 && !timerfd_settime(fd, 0, &soon, NULL));
	EXPECT(read(fd, &n, sizeof(n)) == sizeof(n) && n == 1);
	EXPECT(close(fd) == 0);
	return 0;
}

static int wait_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(wait_read() ? 1 : 0);
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	return 0;
}

static int wait_lock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	/* A child has it, and ends when it is told. */
	EXPECT(wait_child() == 0);
	EXPECT(fcntl(file, F_SETLKW, &l) == 0);
	l.l_type = F_UNLCK;
	EXPECT(fcntl(file, F_SETLKW, &l) == 0);
	return 0;
}

/* -----------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	int (*fn)(void);
	int (*feed)(void); /* lets it go on; NULL: it does not wait */
} calls[] = {
	{ "who", who, NULL },
	{ "files", files, NULL },
	{ "directories", directories, NULL },
	{ "descriptors", descriptors, NULL },
	{ "memory", memory, NULL },
	{ "times", times, NULL },
	{ "machine", machine, NULL },
	{ "signals", signals, NULL },
	{ "processes", processes, NULL },
	{ "sockets", sockets, NULL },
	{ "read", wait_read, feed_pipe },
	{ "poll", wait_poll, feed_pipe },
	{ "select", wait_select, feed_pipe },
	{ "epoll_wait", wait_epoll, feed_pipe },
	{ "futex", wait_futex, feed_word },
	{ "pthread_cond_wait", wait_condition, feed_condition },
	{ "eventfd", wait_event, feed_event },
	{ "timerfd", wait_timer, NULL },
	{ "waitpid", wait_child, feed_pipe },
	{ "fcntl", wait_lock, feed_pipe },
};

enum { START = 100, FEED, END };

static int32_t handle(const struct skyipc_call *call)
{
	switch (call->op) {
	case START:
		server_pid = (pid_t)syscall(SYS_getpid);
		strcpy(dir, "/tmp/skyipc-syscalls-XXXXXX");
		event = eventfd(0, EFD_CLOEXEC);
		old_dir = open(".", O_PATH | O_CLOEXEC);
		return event < 0 || old_dir < 0 || pipe2(ends, O_CLOEXEC) ||
		       !mkdtemp(dir) || chdir(dir);
	case FEED:
		return calls[call->in[0]].feed();
	case END:
		unlink("data");
		close(file);
		return close(event) || close(ends[0]) || close(ends[1]) ||
		       fchdir(old_dir) || close(old_dir) || rmdir(dir);
	}
	return calls[call->op].fn();
}

/* That the client makes one call after another TSan does not see. */
static int32_t handler(struct skyipc_call *call, void *arg)
{
	static _Atomic int order;
	int32_t status;

	(void)arg;
	atomic_fetch_add(&order, 1);
	status = handle(call);
	atomic_fetch_add(&order, 1);
	return status;
}

struct waiter {
	struct skyipc_conn *conn;
	uint32_t op;
	int err;
	int32_t status;
};

static void *wait_there(void *arg)
{
	struct waiter *w = arg;
	uint64_t in[SKYIPC_WORDS] = { 0 };

	w->err = skyipc_call(w->conn, w->op, in, NULL, &w->status, LIMIT);
	return NULL;
}

static int32_t say(struct skyipc_conn *conn, uint32_t op, uint64_t what)
{
	uint64_t in[SKYIPC_WORDS] = { what };
	int32_t status;
	int err = skyipc_call(conn, op, in, NULL, &status, LIMIT);

	if (err)
		fail_msg("%u: %s (%s)", op, strerror(-err), skyipc_errmsg());
	return status;
}

static void all(void **state)
{
	const struct skyipc_server_attr attr = { .size = sizeof(attr),
						 .handler = handler,
						 .workers = 2 };
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	assert_int_equal(say(f.conn, START, 0), 0);
	for (uint32_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct waiter w = { .conn = f.conn, .op = i };
		pthread_t thread;

		pthread_create(&thread, NULL, wait_there, &w);
		if (calls[i].feed)
			assert_int_equal(say(f.conn, FEED, i), 0);
		pthread_join(thread, NULL);
		if (w.err || w.status)
			fail_msg("%s: %s, line %d", calls[i].name,
				 strerror(-w.err), (int)w.status);
	}
	assert_int_equal(say(f.conn, END, 0), 0);
	fixture_down(&f);
}

/* Over vmfunc, a call that has moved goes on where it is. */
static void moves_once(void **state)
{
	const struct skyipc_server_attr attr = { .size = sizeof(attr),
						 .handler = handler,
						 .workers = 2 };
	struct skyipc_stats before, after;
	struct fixture f;

	fixture_up(&f, state, &attr, NULL);
	if (strcmp(skyipc_conn_transport(f.conn), "vmfunc")) {
		fixture_down(&f);
		skip();
	}
	assert_int_equal(say(f.conn, START, 0), 0);
	for (uint32_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (calls[i].feed)
			continue;
		conn_stats_of(f.conn, &before);
		assert_int_equal(say(f.conn, i, 0), 0);
		conn_stats_of(f.conn, &after);
		assert_int_equal(after.parks - before.parks, 1);
	}
	assert_int_equal(say(f.conn, END, 0), 0);
	fixture_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all),
		cmocka_unit_test(moves_once),
	};

	return run_variants("system calls of handlers", tests, ARRAY_LEN(tests),
			    BY_PLACE);
}
