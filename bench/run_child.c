/* SPDX-License-Identifier: MIT */
/* What runs in servers and clients, and what peers may call there. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "run_priv.h"
#include "util.h"

#define WARM_UP_NS UINT64_C(200000000)

static volatile sig_atomic_t stopping;

static void on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

int run_stopping(const struct run *run)
{
	(void)run;
	return stopping;
}

static int say_why(struct run *run, int state, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static int say_why(struct run *run, int state, const char *fmt, va_list ap)
{
	struct run_ctl *ctl = run->priv->ctl;
	int none = WHY_NOTHING;

	/* What others say afterwards is mostly the consequence. */
	if (atomic_compare_exchange_strong(&ctl->why_state, &none,
					   WHY_WRITING)) {
		vsnprintf(ctl->why, sizeof(ctl->why), fmt, ap);
		atomic_store(&ctl->why_state,
			     state == PEER_SKIPPED ? WHY_SKIPPED : WHY_FAILED);
	}
	return state;
}

int run_fail(struct run *run, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_why(run, PEER_FAILED, fmt, ap);
	va_end(ap);
	return PEER_FAILED;
}

int run_skip(struct run *run, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_why(run, PEER_SKIPPED, fmt, ap);
	va_end(ap);
	return PEER_SKIPPED;
}

int run_failed(const struct run *run)
{
	return atomic_load(&run->priv->ctl->why_state) != WHY_NOTHING;
}

void *run_map(struct run *run, size_t len, int flags)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		run_fail(run, "no memory for %zu bytes: %s", len,
			 strerror(errno));
		return NULL;
	}
	/* A private page is the zero page until it is written. */
	if (flags & MAP_PRIVATE)
		memset(p, 1, len);
	return p;
}

void *run_shared(struct run *run, size_t len)
{
	run->mem = run_map(run, len, MAP_SHARED);
	run->mem_len = len;
	return run->mem;
}

void *run_alloc(struct run *run, size_t len)
{
	void *p = calloc(1, len);

	if (!p)
		run_fail(run, "out of memory");
	return p;
}

void *run_private(struct run *run, size_t len)
{
	return run_map(run, len, MAP_PRIVATE);
}

static void step(struct run *run, char what)
{
	while (write(run->priv->up[1], &what, 1) < 0 && errno == EINTR)
		;
}

void run_ready(struct run *run)
{
	step(run, STEP_SERVING);
}

void run_child_start(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN); /* ^C is the parent's to handle */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &run_unblocked, NULL);
}

/* A row that is not where it says it is would be worse than none. */
static void bind_to(struct run *run, const cpu_set_t *set)
{
	if (!sched_setaffinity(0, sizeof(*set), set))
		return;
	run_fail(run, "sched_setaffinity: %s", strerror(errno));
	_exit(1);
}

static void bind_to_cpu(struct run *run, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	bind_to(run, &set);
}

static void float_free(struct run *run)
{
	const struct placement *p = run->priv->place;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < p->nclient; i++)
		CPU_SET(p->client[i], &set);
	for (unsigned i = 0; i < p->nserver; i++)
		CPU_SET(p->server[i], &set);
	bind_to(run, &set);
}

/* Which of the two server processes this is. */
struct role {
	struct run *run;
	int (*serve)(struct run *run, unsigned client);
	const int *cpus;
	unsigned ncpus;
};

struct server_thread {
	const struct role *role;
	unsigned client;
};

static void *server_thread(void *arg)
{
	struct server_thread *t = arg;
	const struct role *r = t->role;

	if (!(r->run->peer->flags & PEER_FLOATS))
		bind_to_cpu(r->run, r->cpus[t->client % r->ncpus]);
	r->serve(r->run, t->client);
	/* A server thread that has ended leaves its client without answer. */
	_exit(r->run->priv->ctl->why_state ? 1 : 0);
}

/* The first client's thread is this one. */
static int serve_threaded(const struct role *r)
{
	unsigned n = r->run->cfg.clients;
	struct server_thread *t = xcalloc(n, sizeof(*t));

	for (unsigned i = n; i-- > 0;) {
		pthread_t thread;
		int err;

		t[i] = (struct server_thread){ r, i };
		if (!i)
			break;
		err = pthread_create(&thread, NULL, server_thread, &t[i]);
		if (err)
			return run_fail(r->run, "pthread_create: %s",
					strerror(err));
	}
	server_thread(&t[0]);
	return PEER_OK;
}

void run_server(struct run *run, int backend)
{
	const struct placement *p = run->priv->place;
	struct role r = { run, run->peer->serve, p->server, p->nserver };
	int state;

	if (backend)
		r = (struct role){ run, run->peer->backend, p->backend,
				   p->nbackend };
	if (run->peer->flags & PEER_GRACEFUL) {
		struct sigaction sa = { .sa_handler = on_stop };

		sigaction(SIGTERM, &sa, NULL);
	}
	CPU_ZERO(&run->server_cpus);
	for (unsigned i = 0; i < r.ncpus; i++)
		CPU_SET(r.cpus[i], &run->server_cpus);
	if (run->peer->flags & PEER_FLOATS)
		float_free(run);
	else
		bind_to(run, &run->server_cpus);
	if (run->peer->flags & PEER_THREADED)
		state = serve_threaded(&r);
	else
		state = r.serve(run, 0);
	exit(state == PEER_OK ? 0 : 1);
}

static int warm_up(struct run *run, void *conn, uint64_t calls)
{
	uint64_t until = clock_ns() + WARM_UP_NS;

	for (uint64_t i = 0; i < calls; i++) {
		if (run->peer->call(conn))
			return -1;
		if (i % 64 == 63 && clock_ns() > until)
			break;
	}
	return 0;
}

void run_client(struct run *run, unsigned i)
{
	struct run_priv *priv = run->priv;
	ssize_t got;
	void *conn;
	char c;

	prctl(PR_SET_TIMERSLACK, 1);
	if (run->peer->flags & PEER_FLOATS)
		float_free(run);
	else
		bind_to_cpu(run, priv->place->client[i % priv->place->nclient]);
	conn = run->peer->open(run, i);
	if (!conn)
		_exit(1);
	if (warm_up(run, conn, priv->work->warm_up))
		_exit(1);
	step(run, STEP_READY);
	while ((got = read(priv->go[0], &c, 1)) < 0 && errno == EINTR)
		;
	if (got != 1) /* the others did not get this far */
		_exit(1);
	if (priv->work->client(run, i, conn, &priv->samples[i],
			       priv->work->arg))
		_exit(1);
	step(run, STEP_DONE);
	while (read(priv->end[0], &c, 1) < 0 && errno == EINTR)
		;
	run->peer->close(conn);
	exit(0);
}
