/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_test.c - the library's calls by VMFUNC: what is theirs alone
 *
 * Where there are no views, everything is skipped.
 */
#include "testlib.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#if defined(__x86_64__)
#include <x86intrin.h>

#include "server.h"
#include "vmfunc_pair.h"

enum { NOTHING, ADD, ALONE, FOREVER, LET_GO, FILE_OF, NO_FILE, KERNEL };

static _Atomic int inside, most_inside, let_go;

static int32_t handler(struct skyipc_call *call, void *arg)
{
	int *fds, n;

	(void)arg;
	switch (call->op) {
	case ADD:
		for (int i = 0; i < SKYIPC_WORDS; i++)
			call->out[i] = call->in[i] + 1;
		return (int32_t)call->in[0];
	case ALONE:
		n = ++inside;
		if (n > most_inside)
			most_inside = n;
		for (volatile uint64_t i = 0; i < call->in[0]; i++)
			;
		inside--;
		call->out[0] = (uint64_t)most_inside;
		return 0;
	case FOREVER:
		while (!let_go)
			;
		let_go = 0;
		return 0;
	case LET_GO:
		let_go = 1;
		return 0;
	case KERNEL:
		syscall(SYS_getppid);
		return 0;
	case NO_FILE:
		return skyipc_call_fds(call, 0) == NULL;
	case FILE_OF:
		fds = skyipc_call_fds(call, 1);
		fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		call->flags = SKYIPC_CLOSE_FDS;
		return 0;
	}
	return 0;
}

static int32_t nothing(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

static void up(struct pair *p, uint32_t workers)
{
	pair_up(p, handler, nothing, workers);
}

/* 10^5 calls, and what comes of each: none needs the module. */
static void words(void **state)
{
	const unsigned n = 100000 / slowness;
	uint64_t in[SKYIPC_WORDS], out[SKYIPC_WORDS];
	struct skyipc_stats s;
	struct pair p;
	int32_t status;

	(void)state;
	up(&p, 1);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < SKYIPC_WORDS; k++)
			in[k] = i * 7 + k;
		assert_int_equal(skyipc_call(p.conn, ADD, in, out, &status, 0),
				 0);
		assert_int_equal(status, (int32_t)(i * 7));
		for (unsigned k = 0; k < SKYIPC_WORDS; k++)
			assert_true(out[k] == i * 7 + k + 1);
	}
	conn_stats_of(p.conn, &s);
	assert_int_equal(s.calls, n);
	assert_int_equal(s.parks, 0);
	assert_int_equal(s.errors, 0);
	pair_down(&p);
}

/* One handler at a time, whoever runs it. */
struct caller {
	struct pair *p;
	pthread_t thread;
	uint64_t most;
};

static void *call_alone(void *arg)
{
	struct caller *c = arg;
	uint64_t in[SKYIPC_WORDS] = { 1000 }, out[SKYIPC_WORDS];

	for (unsigned i = 0; i < 2000 / slowness; i++) {
		CHECK(!skyipc_call(c->p->conn, ALONE, in, out, NULL, 0));
		if (out[0] > c->most)
			c->most = out[0];
	}
	return NULL;
}

static void alone(void **state)
{
	struct caller c[4];
	struct pair p;

	(void)state;
	up(&p, 1);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		c[i] = (struct caller){ .p = &p };
		assert_int_equal(
			pthread_create(&c[i].thread, NULL, call_alone, &c[i]),
			0);
	}
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		pthread_join(c[i].thread, NULL);
		assert_int_equal(c[i].most, 1);
	}
	pair_down(&p);
}

/* What functions preserve, but trampolines do not */
static void modes(void **state)
{
	const uint32_t round_up = 0x5f80;
	const uint16_t short_floats = 0x007f;
	uint64_t in[SKYIPC_WORDS] = { 0 };
	uint16_t fcw, old_fcw;
	struct pair p;

	(void)state;
	up(&p, 1);
	_mm_setcsr(round_up);
	__asm__ volatile("fnstcw %0" : "=m"(old_fcw));
	__asm__ volatile("fldcw %0" : : "m"(short_floats));
	for (int i = 0; i < 100; i++)
		skyipc_call(p.conn, NOTHING, in, NULL, NULL,
			    i & 1 ? LIMIT : SKYIPC_DEFAULT);
	__asm__ volatile("fnstcw %0" : "=m"(fcw));
	__asm__ volatile("fldcw %0" : : "m"(old_fcw));
	assert_int_equal(fcw, short_floats);
	assert_int_equal(_mm_getcsr() & ~0x3fu, round_up);
	_mm_setcsr(0x1f80);
	pair_down(&p);
}

/* A handler that does not come back, and makes no system call */
static void times_out(void **state)
{
	uint64_t in[SKYIPC_WORDS] = { 0 }, t;
	struct skyipc_conn *other;
	struct pair p;

	(void)state;
	up(&p, 2);
	other = connect_to(p.name, NULL);
	/* Each has its end by its own name. */
	for (int i = 0; i < 3; i++) {
		t = time_ns();
		assert_int_equal(skyipc_call(p.conn, FOREVER, in, NULL, NULL,
					     SKYIPC_MS(50)),
				 -ETIMEDOUT);
		t = time_ns() - t;
		assert_in_range(t, 49000000, UINT64_C(1000000000) * slowness);
		/* It goes on; the thread's next call comes after it. */
		assert_int_equal(skyipc_call(p.conn, NOTHING, in, NULL, NULL,
					     SKYIPC_MS(20)),
				 -ETIMEDOUT);
		assert_int_equal(
			skyipc_call(other, LET_GO, in, NULL, NULL, LIMIT), 0);
		assert_int_equal(
			skyipc_call(p.conn, NOTHING, in, NULL, NULL, LIMIT), 0);
	}
	skyipc_close(other);
	pair_down(&p);
}

/* A thread that may not use views any more, with a channel of any number */
static void *barred_thread(void *arg)
{
	uint64_t in[SKYIPC_WORDS] = { 5 }, out[SKYIPC_WORDS];
	struct pair *p = arg;
	int32_t status;

	for (int i = 0; i < 20; i++) {
		if (i == 10 && ioperm(0x80, 1, 1))
			return p;
		CHECK(!skyipc_call(p->conn, ADD, in, out, &status, 0));
		CHECK(out[0] == 6 && status == 5);
	}
	return NULL;
}

static void barred(void **state)
{
	struct skyipc_stats s;
	pthread_t thread;
	struct pair p;
	void *ret;

	(void)state;
	up(&p, 1);
	ask(p.conn, NOTHING, 0, 0);
	/* A thread's rights end with it, its channel is another one's then. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			pthread_create(&thread, NULL, barred_thread, &p), 0);
		pthread_join(thread, &ret);
		if (ret) {
			pair_down(&p);
			skip();
		}
	}
	conn_stats_of(p.conn, &s);
	assert_int_equal(s.calls, 61);
	assert_int_equal(s.parks, 30);
	pair_down(&p);
}

/* Descriptors in the reply of a call that is the usual one otherwise */
static void descriptors(void **state)
{
	struct skyipc_msg req = { .op = FILE_OF }, rep = { .op = 0 };
	uint64_t in[SKYIPC_WORDS] = { 0 };
	struct pair p;
	int fd, before;

	(void)state;
	up(&p, 1);
	/* Whoever has no room for them does not keep them. */
	assert_int_equal(skyipc_call(p.conn, FILE_OF, in, NULL, NULL, 0), 0);
	before = fds_open(getpid());
	for (int i = 0; i < 200; i++)
		assert_int_equal(
			skyipc_call(p.conn, FILE_OF, in, NULL, NULL, 0), 0);
	assert_int_equal(fds_open(getpid()), before);
	rep.fds = &fd;
	rep.nfds = 1;
	assert_int_equal(skyipc_call_msg(p.conn, &req, &rep, LIMIT), 0);
	assert_int_equal(rep.nfds, 1);
	close(fd);
	pair_down(&p);
}

/* ---- in a signal's handler ------------------------------------------------
 */

static struct skyipc_conn *interrupted;
static volatile uint64_t signals_wanted, signals_seen, signals_let,
	signals_refused;

/* It is refused where it would not be safe, and else does what it should. */
static void call_in_signal(int sig)
{
	uint64_t in[SKYIPC_WORDS] = { 1, 2, 3, 4, 5, 6 }, out[SKYIPC_WORDS];
	int32_t status;
	int err;

	(void)sig;
	signals_seen++;
	err = skyipc_call(interrupted, ADD, in, out, &status, 0);
	if (err == -EBUSY) {
		signals_refused++;
		return;
	}
	CHECK(!err && status == 1);
	for (unsigned k = 0; k < SKYIPC_WORDS; k++)
		CHECK(out[k] == in[k] + 1);
	signals_let++;
}

static void in_signals(void **state)
{
	struct itimerval soon = {};
	struct sigaction act = { .sa_handler = call_in_signal }, old;
	uint64_t in[SKYIPC_WORDS], out[SKYIPC_WORDS], n = 0;
	struct skyipc_stats s;
	struct pair p;
	int32_t status;

	(void)state;
	up(&p, 1);
	interrupted = p.conn;
	signals_wanted = signals_seen = signals_let = signals_refused = 0;
	sigaction(SIGALRM, &act, &old);
	while (!signals_let || signals_refused < 30) {
		if (signals_seen == signals_wanted) {
			signals_wanted++;
			soon.it_value.tv_usec = 1 + (long)(n * 7919 % 1000);
			setitimer(ITIMER_REAL, &soon, NULL);
		}
		for (unsigned k = 0; k < SKYIPC_WORDS; k++)
			in[k] = n * 5 + k;
		/* Usual ones, and now and then one that is not. */
		assert_int_equal(skyipc_call(p.conn, ADD, in, out, &status,
					     n % 1000 ? 0 : LIMIT),
				 0);
		assert_int_equal(status, (int32_t)(n * 5));
		for (unsigned k = 0; k < SKYIPC_WORDS; k++)
			assert_true(out[k] == n * 5 + k + 1);
		n++;
		/* So that one is let through, too: between calls. */
		for (volatile int i = 0; i < 100; i++)
			;
	}
	/* The last one */
	while (signals_seen != signals_wanted)
		;
	sigaction(SIGALRM, &old, NULL);
	conn_stats_of(p.conn, &s);
	assert_int_equal(s.calls, n + signals_let);
	assert_int_equal(s.errors, 0);
	pair_down(&p);
}

/* ---- limits
 * ------------------------------------------------------------------ */

/* Links that have views, as the module shows them */
static unsigned views(void)
{
	FILE *f = fopen("/sys/kernel/debug/skyipc/views", "r");
	char line[256], slot[32];
	unsigned n = 0;
	int tid;

	if (!f)
		skip();
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%d %31s", &tid, slot) == 2 &&
		     slot[0] >= '0' && slot[0] <= '9';
	fclose(f);
	return n;
}

static pthread_barrier_t called, counted;

static void *call_and_stay(void *conn)
{
	const uint64_t in[SKYIPC_WORDS] = { 0 };

	CHECK(!skyipc_call(conn, NOTHING, in, NULL, NULL, 0));
	pthread_barrier_wait(&called);
	pthread_barrier_wait(&counted);
	return NULL;
}

/* A user's threads have no more than they leave; the rest call all the same. */
static void max_threads(void **state)
{
	const struct skyipc_server_attr attr = { .size = sizeof(attr),
						 .handler = handler,
						 .max_threads = 8 };
	pthread_t threads[6];
	struct pair p;

	(void)state;
	if (!has_views())
		skip();
	transport = "vmfunc";
	p.name = new_name();
	server_spawn(&p.server, p.name, &attr);
	p.conn = connect_to(p.name, NULL);
	pthread_barrier_init(&called, NULL, 7);
	pthread_barrier_init(&counted, NULL, 7);
	for (int i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, call_and_stay, p.conn);
	pthread_barrier_wait(&called);
	assert_int_equal(views(), 4);
	pthread_barrier_wait(&counted);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&called);
	pthread_barrier_destroy(&counted);
	pair_down(&p);
}

/* 0 or -errno */
static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

#define LIMIT_FILE "/proc/sys/skyipc/user_view_pages"

/* Calls that are right, whichever way; how many of them went by the kernel */
static uint64_t by_kernel(struct pair *p, uint64_t n)
{
	uint64_t in[SKYIPC_WORDS] = { 0 }, out[SKYIPC_WORDS], before;
	struct skyipc_stats s;
	int32_t status;

	conn_stats_of(p->conn, &s);
	before = s.parks;
	for (uint64_t i = 0; i < n; i++) {
		in[0] = i;
		assert_int_equal(skyipc_call(p->conn, ADD, in, out, &status, 0),
				 0);
		assert_true(out[0] == i + 1 && status == (int32_t)i);
	}
	conn_stats_of(p->conn, &s);
	return s.parks - before;
}

/* A user who has all that he may have of the kernel's calls all the same. */
static void no_memory_left(void **state)
{
	char was[32] = { 0 };
	struct pair p;
	int fd;

	(void)state;
	if (!has_views())
		skip();
	fd = open(LIMIT_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, was, sizeof(was) - 1) <= 0 ||
	    write_to(LIMIT_FILE, "0"))
		skip();
	close(fd);
	up(&p, 1);
	assert_int_equal(by_kernel(&p, 20), 20);
	pair_down(&p);
	assert_int_equal(write_to(LIMIT_FILE, was), 0);
	up(&p, 1);
	assert_int_equal(by_kernel(&p, 20), 0);
	pair_down(&p);
}

#define VIEWS "/sys/class/misc/skyipc/views"

/* A root that goes, and another one that comes: nobody has to begin anew. */
static void other_root(void **state)
{
	struct pair p;

	(void)state;
	up(&p, 1);
	assert_int_equal(by_kernel(&p, 20), 0);
	for (int i = 0; i < 3; i++) {
		if (write_to(VIEWS, "off"))
			skip();
		assert_int_equal(by_kernel(&p, 20), 20);
		assert_int_equal(write_to(VIEWS, "on"), 0);
		assert_int_equal(by_kernel(&p, 20), 0);
	}
	pair_down(&p);
}

/* ---- stopping ---------------------------------------------------------------
 */

static struct skyipc_server *me;
static _Atomic int *nests; /* shared with the parent */

/* It has begun in a view when its server stops, and calls that one then. */
static int32_t nest(struct skyipc_call *call, void *arg)
{
	static struct skyipc_conn *conn;
	uint64_t in[SKYIPC_WORDS] = { 7 }, out[SKYIPC_WORDS];
	int32_t status;

	if (call->op == ADD)
		return handler(call, arg);
	/* All that would need the kernel, or the server, for the first time */
	if (!conn) {
		*nests = 0;
		return -(skyipc_connect(arg, NULL, &conn)
				 ?: skyipc_call(conn, ADD, in, out, &status,
						LIMIT));
	}
	*nests = 1;
	while (!atomic_load(&me->draining))
		;
	/* They do not go while we run; if they did, they would by then. */
	for (int i = 0; i < 3000000; i++)
		if (*(volatile uint32_t *)&me->seats_done == 2)
			return ESHUTDOWN;
	for (int i = 0; i < 200; i++) {
		int err = skyipc_call(conn, ADD, in, out, &status, LIMIT);

		if (err || out[0] != 8)
			return err ? -err : 1;
	}
	return 0;
}

static int nesting_server(struct child *c, void *name)
{
	const struct skyipc_server_attr attr = {
		.size = sizeof(attr),
		.handler = nest,
		.arg = name,
		.workers = 2,
	};

	me = server_here(name, &attr);
	child_say(c, 0);
	child_await_end(c);
	CHECK(!skyipc_server_stop(me, LIMIT));
	skyipc_server_destroy(me);
	return 0;
}

static void *end_server(void *arg)
{
	struct pair *p = arg;

	CHECK(!child_end(&p->server));
	return NULL;
}

static void stops(void **state)
{
	uint64_t in[SKYIPC_WORDS] = { 0 };
	struct skyipc_stats s;
	struct pair p;
	pthread_t end;
	int32_t status;

	(void)state;
	if (!has_views())
		skip();
	transport = "vmfunc";
	nests = mmap(NULL, sizeof(*nests), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(nests, MAP_FAILED);
	p.name = new_name();
	child_start(&p.server, nesting_server, (void *)(uintptr_t)p.name);
	child_hear(&p.server);
	p.conn = connect_to(p.name, NULL);
	assert_int_equal(skyipc_call(p.conn, KERNEL, in, NULL, &status, 0), 0);
	assert_int_equal(status, 0);
	pthread_create(&end, NULL, end_server, &p);
	assert_int_equal(skyipc_call(p.conn, KERNEL, in, NULL, &status, 0), 0);
	assert_int_equal(status, 0);
	assert_int_equal(*nests, 1);
	/* They had begun in views. */
	conn_stats_of(p.conn, &s);
	assert_int_equal(s.parks, 2);
	pthread_join(end, NULL);
	munmap(nests, sizeof(*nests));
	skyipc_close(p.conn);
}

/* Usual calls that might be thought to have descriptors */
static void no_descriptors(void **state)
{
	uint64_t in[SKYIPC_WORDS] = { 0 };
	struct pair p;
	int32_t status;

	(void)state;
	up(&p, 1);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(
			skyipc_call(p.conn, NO_FILE, in, NULL, &status, 0), 0);
		assert_int_equal(status, 0);
	}
	pair_down(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(alone),
		cmocka_unit_test(modes),
		cmocka_unit_test(times_out),
		cmocka_unit_test(descriptors),

		cmocka_unit_test(barred),
		cmocka_unit_test(in_signals),
		cmocka_unit_test(no_descriptors),
		cmocka_unit_test(stops),
		cmocka_unit_test(max_threads),
		cmocka_unit_test(no_memory_left),
		cmocka_unit_test(other_root),
	};

	cmocka_set_test_filter(getenv("SKY_TEST"));
	return cmocka_run_group_tests_name("vmfunc", tests, NULL, NULL);
}
#else
int main(void)
{
	return 0;
}
#endif
