/* SPDX-License-Identifier: MIT */
/*
 * The parent talks with its children through three pipes: `up` (one byte of
 * each child for each step), `go` (one byte for each client starts the
 * measurement) and `end` (closed when the clients shall leave). Pidfds tell
 * when a child ends, so nothing here waits for a dead process.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "run.h"
#include "util.h"

#define STEP_SERVING 'S'
#define STEP_READY 'R'
#define STEP_DONE 'D'

#define START_NS UINT64_C(20000000000)
#define END_NS UINT64_C(5000000000)
#define WARM_UP_NS UINT64_C(200000000)

enum { WHY_NOTHING, WHY_WRITING, WHY_FAILED, WHY_SKIPPED };

struct child {
	pid_t pid;
	int pidfd;
	int gone;
	int status;
};

/* Shared with the children. */
struct run_ctl {
	atomic_int why_state; /* one of the WHY_ values */
	char why[RUN_WHY_MAX];
};

struct run_priv {
	struct run_ctl *ctl;
	const struct placement *place;
	const struct work *work;
	int up[2], go[2], end[2];
	struct child server;
	struct child *clients;
	unsigned nclients; /* forked so far */
	struct samples *samples;
	uint64_t steps[128];
};

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t stopping;
static sigset_t unblocked;

static void on_interrupt(int sig)
{
	interrupted = sig;
}

static void on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

void run_signals(void)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t block;

	/* Seen only inside ppoll(), so that none comes just before it. */
	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		struct sigaction old;

		sigaction(sigs[i], NULL, &old);
		if (old.sa_handler == SIG_IGN)
			continue; /* nohup */
		sigaction(sigs[i], &sa, NULL);
		sigaddset(&block, sigs[i]);
	}
	sigprocmask(SIG_BLOCK, &block, &unblocked);
	sigdelset(&unblocked, SIGINT);
	sigdelset(&unblocked, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
}

int run_interrupted(void)
{
	return interrupted != 0;
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

static void *map(struct run *run, size_t len, int flags)
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
	run->mem = map(run, len, MAP_SHARED);
	run->mem_len = len;
	return run->mem;
}

void *run_private(struct run *run, size_t len)
{
	return map(run, len, MAP_PRIVATE);
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

/* ------------------------------------------------------------ children -- */

static void child_start(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	signal(SIGINT, SIG_IGN); /* ^C is the parent's to handle */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &unblocked, NULL);
}

struct server_thread {
	struct run *run;
	unsigned client;
};

static void *server_thread(void *arg)
{
	struct server_thread *t = arg;
	const struct placement *p = t->run->priv->place;

	place_pin(p->server[t->client % p->nserver]);
	t->run->peer->serve(t->run, t->client);
	/* A server thread that has ended leaves its client without answer. */
	_exit(t->run->priv->ctl->why_state ? 1 : 0);
}

static int serve_threaded(struct run *run)
{
	unsigned n = run->cfg.clients;
	struct server_thread *t = xcalloc(n, sizeof(*t));

	for (unsigned i = 0; i < n; i++) {
		pthread_t thread;
		int err;

		t[i] = (struct server_thread){ run, i };
		if (i == n - 1)
			break;
		err = pthread_create(&thread, NULL, server_thread, &t[i]);
		if (err)
			return run_fail(run, "pthread_create: %s",
					strerror(err));
	}
	server_thread(&t[n - 1]);
	return PEER_OK;
}

static void server_main(struct run *run)
{
	const struct placement *p = run->priv->place;
	int state;

	if (run->peer->flags & PEER_GRACEFUL) {
		struct sigaction sa = { .sa_handler = on_stop };

		sigaction(SIGTERM, &sa, NULL);
	}
	CPU_ZERO(&run->server_cpus);
	for (unsigned i = 0; i < p->nserver; i++)
		CPU_SET(p->server[i], &run->server_cpus);
	sched_setaffinity(0, sizeof(run->server_cpus), &run->server_cpus);
	if (run->peer->flags & PEER_THREADED)
		state = serve_threaded(run);
	else
		state = run->peer->serve(run, 0);
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

static void client_main(struct run *run, unsigned i)
{
	struct run_priv *priv = run->priv;
	void *conn;
	char c;

	prctl(PR_SET_TIMERSLACK, 1);
	place_pin(priv->place->client[i % priv->place->nclient]);
	conn = run->peer->open(run, i);
	if (!conn)
		_exit(1);
	if (warm_up(run, conn, priv->work->warm_up))
		_exit(1);
	step(run, STEP_READY);
	while (read(priv->go[0], &c, 1) < 0 && errno == EINTR)
		;
	if (priv->work->client(run, i, conn, &priv->samples[i],
			       priv->work->arg))
		_exit(1);
	step(run, STEP_DONE);
	while (read(priv->end[0], &c, 1) < 0 && errno == EINTR)
		;
	run->peer->close(conn);
	exit(0);
}

static pid_t spawn(struct run *run, struct child *child, int client)
{
	struct run_priv *priv = run->priv;
	pid_t self = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		run_fail(run, "fork: %s", strerror(errno));
		return -1;
	}
	if (!pid) {
		child_start(self);
		close(priv->up[0]);
		close(priv->go[1]);
		close(priv->end[1]);
		if (client < 0)
			server_main(run);
		else
			client_main(run, (unsigned)client);
		_exit(1);
	}
	child->pid = pid;
	child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (child->pidfd < 0)
		run_fail(run, "pidfd_open: %s", strerror(errno));
	return child->pidfd < 0 ? -1 : pid;
}

/* -------------------------------------------------------------- parent -- */

static int reap(struct child *c)
{
	if (c->pid > 0 && !c->gone &&
	    waitpid(c->pid, &c->status, WNOHANG) == c->pid)
		c->gone = 1;
	return c->gone;
}

static void blame(struct run *run, const char *who, const struct child *c)
{
	if (WIFSIGNALED(c->status))
		run_fail(run, "%s was killed: %s", who,
			 strsignal(WTERMSIG(c->status)));
	else
		run_fail(run, "%s ended with status %d", who,
			 WEXITSTATUS(c->status));
}

static int check_children(struct run *run)
{
	struct run_priv *priv = run->priv;

	if (reap(&priv->server)) {
		blame(run, "the server", &priv->server);
		return -1;
	}
	for (unsigned i = 0; i < priv->nclients; i++) {
		if (reap(&priv->clients[i])) {
			blame(run, "a client", &priv->clients[i]);
			return -1;
		}
	}
	return 0;
}

/* Wait for something to happen, at most until @until; -1: give up. */
static int wait_event(struct run *run, uint64_t until)
{
	struct run_priv *priv = run->priv;
	unsigned n = priv->nclients + 2;
	struct pollfd *fds = xcalloc(n, sizeof(*fds));
	uint64_t now = clock_ns(), left = until > now ? until - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / 1000000000),
			       .tv_nsec = (long)(left % 1000000000) };
	char buf[256];
	ssize_t got;
	int rc;

	fds[0] = (struct pollfd){ priv->up[0], POLLIN, 0 };
	fds[1] = (struct pollfd){ priv->server.pidfd, POLLIN, 0 };
	for (unsigned i = 0; i < priv->nclients; i++)
		fds[2 + i] =
			(struct pollfd){ priv->clients[i].pidfd, POLLIN, 0 };
	rc = ppoll(fds, n, &ts, &unblocked);
	free(fds);
	if (rc < 0 && interrupted) {
		run_fail(run, "interrupted");
		return -1;
	}
	got = read(priv->up[0], buf, sizeof(buf));
	for (ssize_t i = 0; i < got; i++)
		priv->steps[(unsigned char)buf[i] & 127]++;
	return check_children(run);
}

static int wait_step(struct run *run, char what, unsigned n, uint64_t ns,
		     const char *while_)
{
	uint64_t until = clock_ns() + ns;
	uint64_t *seen = &run->priv->steps[(unsigned char)what & 127];

	while (*seen < n) {
		if (wait_event(run, until))
			return -1;
		if (*seen < n && clock_ns() >= until) {
			run_fail(run, "hung while %s (%.0f s)", while_,
				 (double)ns * 1e-9);
			return -1;
		}
	}
	return 0;
}

int run_pause(struct run *run, uint64_t ns)
{
	uint64_t until = clock_ns() + ns;

	while (clock_ns() < until)
		if (wait_event(run, until))
			return -1;
	return 0;
}

static double cpu_ns(const struct run *run)
{
	const struct run_priv *priv = run->priv;
	double sum = 0;

	for (unsigned i = 0; i <= priv->nclients; i++) {
		pid_t pid = i ? priv->clients[i - 1].pid : priv->server.pid;
		struct timespec t;
		clockid_t clock;

		/* Nanoseconds, where getrusage() may count ticks. */
		if (pid > 0 && !clock_getcpuclockid(pid, &clock) &&
		    !clock_gettime(clock, &t))
			sum += (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
	}
	return sum;
}

static void finish(struct child *c, uint64_t ns, int sig)
{
	uint64_t until = clock_ns() + ns;

	if (c->pid <= 0 || reap(c))
		return;
	if (sig)
		kill(c->pid, sig);
	while (!reap(c)) {
		uint64_t now = clock_ns();
		struct pollfd fd = { c->pidfd, POLLIN, 0 };

		if (now >= until) {
			kill(c->pid, SIGKILL);
			until = UINT64_MAX;
		}
		poll(&fd, 1,
		     until == UINT64_MAX ? -1
					 : (int)((until - now) / 1000000) + 1);
	}
}

static void end_all(struct run *run, int failed)
{
	struct run_priv *priv = run->priv;
	uint64_t grace = failed ? END_NS / 10 : END_NS;
	int graceful = run->peer->flags & PEER_GRACEFUL;

	close(priv->go[1]);
	close(priv->end[1]);
	for (unsigned i = 0; i < priv->nclients; i++) {
		finish(&priv->clients[i], failed ? 0 : grace, 0);
		if (!failed && WIFSIGNALED(priv->clients[i].status))
			blame(run, "a client, when closing,",
			      &priv->clients[i]);
		close(priv->clients[i].pidfd);
	}
	finish(&priv->server, graceful ? grace : 0, graceful ? SIGTERM : 0);
	if (!failed && graceful && priv->server.status)
		blame(run, "the server, when told to stop,", &priv->server);
	if (priv->server.pid > 0)
		close(priv->server.pidfd);
	close(priv->up[0]);
	close(priv->up[1]);
	close(priv->go[0]);
	close(priv->end[0]);
}

static int measure(struct run *run, struct outcome *into)
{
	struct run_priv *priv = run->priv;
	unsigned n = run->cfg.clients;
	unsigned servers = run->peer->flags & PEER_THREADED ? n : 1;
	double cpu;

	if (!(run->peer->flags & PEER_LOCAL)) {
		run->server = spawn(run, &priv->server, -1);
		if (run->server < 0 ||
		    wait_step(run, STEP_SERVING, servers, START_NS,
			      "the server started"))
			return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		if (spawn(run, &priv->clients[i], (int)i) < 0)
			return -1;
		priv->nclients++;
	}
	if (wait_step(run, STEP_READY, n, START_NS, "clients connected"))
		return -1;
	cpu = cpu_ns(run);
	for (unsigned i = 0; i < n; i++)
		if (write(priv->go[1], "g", 1) != 1)
			return run_fail(run, "go: %s", strerror(errno));
	if (priv->work->watch && priv->work->watch(run, priv->work->arg))
		return -1;
	if (wait_step(run, STEP_DONE, n, priv->work->limit_ns,
		      "clients were calling"))
		return -1;
	into->cpu_ns += cpu_ns(run) - cpu;
	return 0;
}

static void collect(const struct run *run, struct outcome *into)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned i = 0; i < run->cfg.clients; i++) {
		const struct samples *s = &run->priv->samples[i];

		into->calls += s->calls;
		hist_merge(&into->hist, &s->hist);
		start = s->start < start ? s->start : start;
		end = s->end > end ? s->end : end;
	}
	into->wall_ns += (double)(end - start) * clock_tick_ns;
}

static void run_with(struct run *run, struct outcome *into)
{
	struct run_priv *priv = run->priv;
	size_t len = sizeof(struct samples) * run->cfg.clients;
	int rc = PEER_FAILED;

	priv->samples = map(run, len, MAP_SHARED);
	if (!priv->samples)
		return;
	for (unsigned i = 0; i < run->cfg.clients; i++)
		hist_clear(&priv->samples[i].hist);
	if (pipe2(priv->up, O_CLOEXEC | O_NONBLOCK) ||
	    pipe2(priv->go, O_CLOEXEC) || pipe2(priv->end, O_CLOEXEC)) {
		run_fail(run, "pipe: %s", strerror(errno));
		return;
	}
	if (run->peer->setup)
		rc = run->peer->setup(run);
	else
		rc = PEER_OK;
	if (rc == PEER_OK)
		rc = measure(run, into);
	if (rc == PEER_OK)
		collect(run, into);
	end_all(run, rc != PEER_OK);
	if (run->peer->teardown)
		run->peer->teardown(run);
	if (run->mem)
		munmap(run->mem, run->mem_len);
	munmap(priv->samples, len);
}

void run_once(const struct peer *peer, const struct peer_cfg *cfg,
	      const struct placement *place, const struct work *work,
	      struct outcome *into)
{
	static unsigned serial;
	struct run_priv priv = { .place = place, .work = work };
	struct run run = { .peer = peer, .cfg = *cfg, .priv = &priv };
	int state;

	run.cfg.same_cpu = place->same_cpu;
	snprintf(run.tag, sizeof(run.tag), "skybench-%d-%u", (int)getpid(),
		 serial++);
	priv.server.pidfd = -1;
	priv.clients = xcalloc(cfg->clients, sizeof(*priv.clients));
	priv.ctl = mmap(NULL, sizeof(*priv.ctl), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (priv.ctl == MAP_FAILED)
		dief(1, "out of memory");
	if ((peer->flags & PEER_SPINS) && place->same_cpu)
		run_skip(&run, "it spins; both sides on one CPU would only "
			       "measure the scheduler's slice");
	else if ((peer->flags & PEER_SPINS) && (peer->flags & PEER_THREADED) &&
		 place->nserver < cfg->clients)
		run_skip(&run, "it spins; %u clients need %u CPUs",
			 cfg->clients, 2 * cfg->clients);
	else
		run_with(&run, into);
	state = atomic_load(&priv.ctl->why_state);
	if (state) {
		into->state = state == WHY_SKIPPED ? PEER_SKIPPED : PEER_FAILED;
		snprintf(into->why, sizeof(into->why), "%s", priv.ctl->why);
	}
	munmap(priv.ctl, sizeof(*priv.ctl));
	free(priv.clients);
}
