/* SPDX-License-Identifier: MIT */
#include "testlib.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "kcall_worker.h"
#include "server.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

unsigned slowness = 1;

const char *transport;

int under_tsan(void)
{
#ifdef __SANITIZE_THREAD__
	return 1;
#else
	return 0;
#endif
}

int under_asan(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 1;
#else
	return 0;
#endif
}

int under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

__attribute__((constructor)) static void how_slow(void)
{
	const char *emulated = getenv("SKY_EMULATED");

	slowness = under_tsan()	      ? 10
		   : under_valgrind() ? 20
		   : emulated	      ? 10
		   : under_asan()     ? 4
				      : 1;
}

/* ---- time --------------------------------------------------------------- */

uint64_t time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void moment(void)
{
	struct timespec ts = { 0, 100000 };

	nanosleep(&ts, NULL);
}

/* ---- processes ---------------------------------------------------------- */

static int others_sleep(void)
{
	struct dirent *e;
	int all = 1;
	DIR *dir = opendir("/proc/self/task");

	if (!dir)
		return 1;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != gettid() &&
		    state_of(getpid(), atoi(e->d_name)) != 'S')
			all = 0;
	closedir(dir);
	return all;
}

void child_start(struct child *c, int (*fn)(struct child *me, void *arg),
		 void *arg)
{
	int to[2], from[2];
	struct child me;
	pid_t parent = getpid();
	/* Leaks are looked for on the stacks of threads that exist. */
	int alone = threads_of(parent) == 1;

	/* Towards the child a socket, for it may be gone: no SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) ||
	    pipe2(from, O_CLOEXEC))
		fail_msg("pipe: %s", strerror(errno));
	fflush(NULL);
	/* The sanitizers' allocators do not know fork(): nobody may be in. */
	if (!alone && (under_asan() || under_tsan()))
		WAIT_FOR_MS(others_sleep(), 50);
	c->pid = fork();
	if (c->pid < 0)
		fail_msg("fork: %s", strerror(errno));
	if (!c->pid) {
		int status;

		/* An assert that fails must not go on with the next test. */
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
		close(to[1]);
		close(from[0]);
		me.pid = getpid();
		me.to = from[1];
		me.from = to[0];
		status = fn(&me, arg);
		fflush(NULL);
		if (under_asan() && alone)
			exit(status); /* looks for leaks */
		_exit(status);
	}
	close(to[0]);
	close(from[1]);
	c->to = to[1];
	c->from = from[0];
}

void child_say(struct child *c, int64_t value)
{
	ssize_t n;

	do {
		n = write(c->to, &value, sizeof(value));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(value))
		fail_msg("nobody listens: %s", strerror(errno));
}

int64_t child_hear(struct child *c)
{
	struct pollfd pfd = { .fd = c->from, .events = POLLIN };
	int64_t value = 0;
	ssize_t n = -1;
	int ret;

	do {
		ret = poll(&pfd, 1, (int)(LIMIT_MS * slowness));
	} while (ret < 0 && errno == EINTR);
	if (ret > 0)
		n = read(c->from, &value, sizeof(value));
	if (n != sizeof(value))
		fail_msg("process %d said nothing", (int)c->pid);
	return value;
}

void child_await_end(struct child *me)
{
	char byte;
	ssize_t n;

	do {
		n = read(me->from, &byte, 1);
	} while (n < 0 && errno == EINTR);
}

int wait_exit(pid_t pid)
{
	pid_t got = 0;
	int status = 0;

	WAIT_FOR_MS((got = waitpid(pid, &status, WNOHANG)) != 0,
		    LIMIT_MS * slowness);
	if (!got) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		fail_msg("process %d did not end", (int)pid);
	}
	if (got < 0)
		fail_msg("no child %d", (int)pid);
	if (WIFSIGNALED(status))
		return 1000 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

static void child_close(struct child *c)
{
	if (c->to >= 0)
		close(c->to);
	if (c->from >= 0)
		close(c->from);
	c->to = c->from = -1;
}

int child_end(struct child *c)
{
	int status;

	/* A byte, for younger children have the pipe open, too. */
	if (send(c->to, "", 1, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		fail_msg("cannot tell process %d to end", (int)c->pid);
	status = wait_exit(c->pid);
	child_close(c);
	return status;
}

void child_kill(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	child_close(c);
}

static int entries_of(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!dir)
		return -1;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

int fds_open(pid_t pid)
{
	char path[64];
	int n;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	n = entries_of(path);
	/* opendir() itself had one */
	return pid == getpid() ? n - 1 : n;
}

uint64_t cpu_ns_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t set_limit(int resource, uint64_t n)
{
	struct rlimit rl;
	uint64_t was;

	CHECK(getrlimit(resource, &rl) == 0);
	was = rl.rlim_cur;
	rl.rlim_cur = n;
	CHECK(setrlimit(resource, &rl) == 0);
	return was;
}

int threads_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	return entries_of(path);
}

int state_of(pid_t pid, pid_t tid)
{
	char path[64], line[512], *p;
	int n = -1, fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
		 (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = (int)read(fd, line, sizeof(line) - 1);
		close(fd);
	}
	if (n <= 0)
		return -1;
	line[n] = '\0';
	p = strrchr(line, ')');
	return p && p[1] ? p[2] : -1;
}

int all_sleep(pid_t pid)
{
	struct dirent *e;
	char path[64];
	int all = 1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' &&
		    state_of(pid, atoi(e->d_name)) != 'S')
			all = 0;
	closedir(dir);
	return all;
}

static cpu_set_t *allowed(void)
{
	static cpu_set_t set;
	static int known;

	if (!known)
		sched_getaffinity(0, sizeof(set), &set);
	known = 1;
	return &set;
}

int cpus_allowed(void)
{
	return CPU_COUNT(allowed());
}

int pin_to(int i)
{
	cpu_set_t set;
	int n = cpus_allowed();

	if (i < 0) /* anywhere again */
		return sched_setaffinity(0, sizeof(set), allowed()) ? -errno
								    : 0;
	i %= n;
	CPU_ZERO(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed()) && !i--) {
			CPU_SET(cpu, &set);
			break;
		}
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* ---- servers and connections -------------------------------------------- */

const char *new_name(void)
{
	static char names[8][64];
	static unsigned n;
	char *name = names[n % 8];

	snprintf(name, 64, "t%d-%u", (int)getpid(), n);
	n++;
	return name;
}

struct spawn {
	const char *name;
	const struct skyipc_server_attr *attr;
};

/* Each of its threads has what it needs from the module, too. */
static int is_whole(struct skyipc_server *server)
{
	struct kcall_worker *w;
	uint32_t n = 0;

	pthread_mutex_lock(&server->lock);
	LIST_FOREACH(w, &server->kcall_workers, entry)
	n++;
	n -= server->kcall < 0 ? 0 : server->nthreads;
	pthread_mutex_unlock(&server->lock);
	return !n;
}

static int spawned(struct child *me, void *arg)
{
	const struct spawn *s = arg;
	struct skyipc_server *server;
	int err = skyipc_server_create(s->name, s->attr, &server);

	if (!err) {
		err = skyipc_server_start(server);
		if (err)
			skyipc_server_destroy(server);
	}
	CHECK(err || WAIT_FOR(is_whole(server)));
	child_say(me, err);
	if (err)
		return 98;
	child_await_end(me);
	err = skyipc_server_stop(server, LIMIT);
	if (err)
		return 97;
	skyipc_server_destroy(server);
	return 0;
}

int server_try_spawn(struct child *c, const char *name,
		     const struct skyipc_server_attr *attr)
{
	struct spawn s = { name, attr };
	int err;

	child_start(c, spawned, &s);
	err = (int)child_hear(c);
	if (err)
		child_end(c);
	return err;
}

void server_spawn(struct child *c, const char *name,
		  const struct skyipc_server_attr *attr)
{
	int err = server_try_spawn(c, name, attr);

	if (err)
		fail_msg("server %s: %s", name, strerror(-err));
}

struct skyipc_server *server_here(const char *name,
				  const struct skyipc_server_attr *attr)
{
	struct skyipc_server *server;
	int err = skyipc_server_create(name, attr, &server);

	if (!err)
		err = skyipc_server_start(server);
	if (err)
		fail_msg("server %s: %s (%s)", name, strerror(-err),
			 skyipc_errmsg());
	if (!WAIT_FOR(is_whole(server)))
		fail_msg("server %s: a worker is missing", name);
	return server;
}

struct skyipc_conn *connect_to(const char *name,
			       const struct skyipc_connect_attr *attr)
{
	struct skyipc_connect_attr a = SKYIPC_CONNECT_ATTR_INIT;
	struct skyipc_conn *conn;
	int err;

	if (attr)
		a = *attr;
	if (!a.transport)
		a.transport = transport;
	err = skyipc_connect(name, &a, &conn);
	if (err)
		fail_msg("connect %s: %s (%s)", name, strerror(-err),
			 skyipc_errmsg());
	return conn;
}

void conn_stats_of(struct skyipc_conn *conn, struct skyipc_stats *stats)
{
	stats->size = sizeof(*stats);
	assert_int_equal(skyipc_conn_stats(conn, stats), 0);
}

void server_stats_of(struct skyipc_server *server, struct skyipc_stats *stats)
{
	stats->size = sizeof(*stats);
	assert_int_equal(skyipc_server_stats(server, stats), 0);
}

void query_of(const char *name, struct skyipc_server_info *info)
{
	int err;

	info->size = sizeof(*info);
	err = skyipc_query(name, info, NULL, NULL, LIMIT);
	if (err)
		fail_msg("query %s: %s (%s)", name, strerror(-err),
			 skyipc_errmsg());
}

/* ---- variants ----------------------------------------------------------- */

static const char *const mode_names[] = { "adaptive", "blocking", "polling" };

static int variant_setup(void **state)
{
	const struct variant *v = *state;

	transport = v->transport;
	return 0;
}

void not_in_views(void)
{
	if (!strcmp(transport, "vmfunc"))
		transport = "kcall";
}

void over_shm_only(void)
{
	if (strcmp(transport, "shm"))
		skip();
}

/* How many there are, usable or not */
static unsigned transports(void)
{
	struct skyipc_transport_info t = { .size = sizeof(t) };
	unsigned i = 0;

	while (!skyipc_transport(i, &t))
		i++;
	return i;
}

/* Can this machine, and a server of that mode? And is it asked for? */
static int usable(const struct skyipc_transport_info *t, enum skyipc_mode mode)
{
	const char *only = getenv("SKY_TRANSPORT");
	const char *modes = getenv("SKY_MODE");

	if (!t->available || (only && strcmp(only, t->name)) ||
	    (modes && strcmp(modes, mode_names[mode])))
		return 0;
	/* Who polls does not enter the kernel. */
	return !strcmp(t->name, "shm") || mode != SKYIPC_POLLING;
}

int run_variants(const char *group, const struct CMUnitTest *tests, size_t n,
		 unsigned by)
{
	/* Valgrind runs one thread at a time; if that polls, nobody gets on. */
	size_t most = under_valgrind() ? SKYIPC_POLLING : ARRAY_LEN(mode_names);
	size_t modes = by & BY_MODE ? most : 1;
	size_t places = by & BY_PLACE ? 4 : 1;
	size_t count = transports() * modes * places, k = 0;
	struct skyipc_transport_info t = { .size = sizeof(t) };
	struct CMUnitTest *all = calloc(n * count, sizeof(*all));
	struct variant *v = calloc(count, sizeof(*v));
	char(*names)[96] = calloc(n * count, sizeof(*names));
	int failed = 1;

	for (size_t i = 0; all && v && names && i < count; i++) {
		size_t place = i % places, mode = i / places % modes;

		skyipc_transport((unsigned)(i / places / modes), &t);
		if (!usable(&t, (enum skyipc_mode)mode))
			continue;
		snprintf(v[i].transport, sizeof(v[i].transport), "%s", t.name);
		v[i].mode = (enum skyipc_mode)mode;
		v[i].here = (int)(place & 1);
		v[i].same_cpu = (int)(place >> 1);
		for (size_t j = 0; j < n; j++, k++) {
			snprintf(names[k], sizeof(names[k]), "%s, %s, %s%s%s",
				 tests[j].name, v[i].transport,
				 mode_names[mode],
				 v[i].here ? ", one process" : "",
				 v[i].same_cpu ? ", one CPU" : "");
			all[k] = tests[j];
			all[k].name = names[k];
			all[k].initial_state = &v[i];
			all[k].setup_func = variant_setup;
		}
	}
	if (k)
		failed = _cmocka_run_group_tests(group, all, k, NULL, NULL);
	free(all);
	free(v);
	free(names);
	return failed;
}

void fixture_up(struct fixture *f, void **state,
		const struct skyipc_server_attr *attr,
		const struct skyipc_connect_attr *cattr)
{
	struct skyipc_server_attr a = SKYIPC_SERVER_ATTR_INIT;

	memset(f, 0, sizeof(*f));
	f->v = *state;
	if (attr)
		a = *attr;
	if (!a.handler && !a.ops)
		a.handler = test_handler;
	if (!a.mode)
		a.mode = f->v->mode;
	f->name = new_name();
	pin_to(0);
	if (f->v->here)
		f->server = server_here(f->name, &a);
	else
		server_spawn(&f->child, f->name, &a);
	pin_to(f->v->same_cpu ? 0 : 1);
	f->conn = connect_to(f->name, cattr);
}

void fixture_down(struct fixture *f)
{
	skyipc_close(f->conn);
	if (f->server) {
		assert_int_equal(skyipc_server_stop(f->server, LIMIT), 0);
		skyipc_server_destroy(f->server);
	} else {
		assert_int_equal(child_end(&f->child), 0);
	}
	pin_to(-1);
}

pid_t fixture_pid(const struct fixture *f)
{
	return f->server ? getpid() : f->child.pid;
}

uint64_t ask(struct skyipc_conn *conn, uint32_t op, uint64_t in0, uint64_t in1)
{
	uint64_t in[SKYIPC_WORDS] = { in0, in1 }, out[SKYIPC_WORDS];
	int err = skyipc_call(conn, op, in, out, NULL, LIMIT * slowness);

	if (err)
		fail_msg("call %u: %s (%s)", op, strerror(-err),
			 skyipc_errmsg());
	return out[0];
}

/* ---- the handler -------------------------------------------------------- */

void pattern_fill(void *to, size_t len, uint64_t seed)
{
	uint8_t *p = to;

	for (size_t i = 0; i < len; i++)
		p[i] = pattern(seed, i);
}

int pattern_is(const void *at, size_t len, uint64_t seed)
{
	const uint8_t *p = at;

	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern(seed, i))
			return 0;
	return 1;
}

static _Atomic int blocked, permits, counted, kept_n;
static int kept[4 * SKYIPC_MAX_FDS];

static void block_here(void)
{
	int n;

	blocked++;
	do {
		moment();
		n = permits;
	} while (n <= 0 ||
		 !atomic_compare_exchange_strong(&permits, &n, n - 1));
	blocked--;
}

void test_unblock(int n)
{
	permits += n;
}

int test_blocked(void)
{
	return blocked;
}

int test_counted(void)
{
	return counted;
}

static int32_t fds_in(struct skyipc_call *call)
{
	struct stat st;

	call->out[0] = call->nfds;
	for (uint32_t i = 0; i < call->nfds; i++) {
		if (fstat(call->fds[i], &st))
			return -errno;
		call->out[1] += st.st_ino;
	}
	return 0;
}

static int32_t fds_keep(struct skyipc_call *call)
{
	for (uint32_t i = 0; i < call->nfds - call->in[0]; i++) {
		kept[kept_n++] = call->fds[i];
		call->fds[i] = -1;
	}
	call->out[0] = (uint64_t)kept_n;
	return 0;
}

static int32_t fds_make(struct skyipc_call *call)
{
	static __thread int own[SKYIPC_MAX_FDS + 1];
	static __thread int null = -1;
	uint32_t n = (uint32_t)call->in[0];
	int *fds = own;

	if (null < 0)
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (!call->in[1]) {
		fds = skyipc_call_fds(call, n);
		if (!fds)
			return -ENOBUFS;
	}
	for (uint32_t i = 0; i < n && i < ARRAY_LEN(own); i++)
		fds[i] = call->in[2] ? fcntl(null, F_DUPFD_CLOEXEC, 0) : null;
	if (call->in[2])
		call->flags = SKYIPC_CLOSE_FDS;
	call->reply_fds = fds;
	call->reply_nfds = n;
	return 0;
}

static int32_t peer(struct skyipc_call *call)
{
	char path[64], line[128];
	int fd = skyipc_call_pidfd(call);
	FILE *f;

	call->out[0] = (uint64_t)call->peer->pid;
	call->out[1] = call->peer->uid;
	call->out[2] = call->peer->gid;
	call->out[3] = (uint64_t)(int64_t)fd;
	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "Pid:", 4))
			call->out[4] = strtoull(line + 4, NULL, 10);
	if (f)
		fclose(f);
	close(fd);
	return 0;
}

static void spin_for(uint64_t ns)
{
	uint64_t until = time_ns() + ns;

	while (time_ns() < until)
		;
}

/*
 * Memory of the handler's own, which stays until its thread's next call. In
 * each thread that needs it only: a server may have many.
 */
#define OWN_SIZE (1u << 20)

static pthread_key_t own_key;

static void own_init(void)
{
	pthread_key_create(&own_key, free);
}

static uint8_t *own_memory(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	uint8_t *own;

	pthread_once(&once, own_init);
	own = pthread_getspecific(own_key);
	if (!own) {
		own = malloc(OWN_SIZE);
		CHECK(own && !pthread_setspecific(own_key, own));
	}
	return own;
}

static int32_t long_ones(struct skyipc_call *call)
{
	uint8_t *own;

	switch (call->op) {
	case OP_ECHO:
		for (int i = 0; i < SKYIPC_WORDS; i++)
			call->out[i] = call->in[i] + 1;
		if (call->len)
			memcpy(call->reply, call->data, call->len);
		call->reply_len = call->len;
		break;
	case OP_INPLACE:
		call->reply = (void *)call->data;
		call->reply_len = call->len;
		break;
	case OP_OFFSET:
		call->reply = (char *)call->data + call->in[0];
		call->reply_len = call->in[1];
		break;
	case OP_OWN:
		own = own_memory();
		pattern_fill(own, call->in[0], call->in[1]);
		call->reply = own;
		call->reply_len = call->in[0];
		break;
	case OP_FILL:
		call->out[0] = call->reply_cap;
		if (call->in[0] > call->reply_cap)
			return -ENOBUFS;
		pattern_fill(call->reply, call->in[0], call->in[1]);
		call->reply_len = call->in[0];
		break;
	case OP_TOO_LONG:
		call->reply_len = call->reply_cap + 1 + call->in[0];
		break;
	case OP_SUM:
		call->out[0] = call->len;
		for (size_t i = 0; i < call->len; i++)
			call->out[1] += ((const uint8_t *)call->data)[i];
		break;
	}
	return 0;
}

int32_t test_handler(struct skyipc_call *call, void *arg)
{
	(void)arg;
	switch (call->op) {
	case OP_STATUS:
		return (int32_t)call->in[0];
	case OP_FDS_IN:
		return fds_in(call);
	case OP_FDS_BACK:
		call->reply_fds = call->fds;
		call->reply_nfds = call->nfds;
		return 0;
	case OP_FDS_KEEP:
		return fds_keep(call);
	case OP_FDS_DROP:
		while (kept_n)
			close(kept[--kept_n]);
		return 0;
	case OP_FDS_MAKE:
		return fds_make(call);
	case OP_PEER:
		return peer(call);
	case OP_BLOCK:
		block_here();
		call->out[0] = 1;
		return 0;
	case OP_UNBLOCK:
		permits += (int)call->in[0];
		return 0;
	case OP_BLOCKED:
		call->out[0] = (uint64_t)blocked;
		return 0;
	case OP_COUNT:
		call->out[0] = (uint64_t)++counted;
		return 0;
	case OP_COUNTED:
		call->out[0] = (uint64_t)counted;
		return 0;
	case OP_PID:
		call->out[0] = (uint64_t)getpid();
		call->out[1] = (uint64_t)syscall(SYS_gettid);
		call->out[2] = (uint64_t)sched_getcpu();
		return 0;
	case OP_FDS_OPEN:
		call->out[0] = (uint64_t)fds_open(getpid());
		return 0;
	case OP_SPIN:
		spin_for(call->in[0]);
		return 0;
	case OP_ECHO:
	case OP_INPLACE:
	case OP_OFFSET:
	case OP_OWN:
	case OP_FILL:
	case OP_TOO_LONG:
	case OP_SUM:
		return long_ones(call);
	default:
		return -ENOTSUP;
	}
}
