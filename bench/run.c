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
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "guard.h"
#include "run_priv.h"
#include "util.h"

#define START_NS UINT64_C(20000000000)
#define END_NS UINT64_C(5000000000)

static volatile sig_atomic_t interrupted;
sigset_t run_unblocked;

static void on_interrupt(int sig)
{
	interrupted = sig;
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
	sigprocmask(SIG_BLOCK, &block, &run_unblocked);
	sigdelset(&run_unblocked, SIGINT);
	sigdelset(&run_unblocked, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
}

int run_interrupted(void)
{
	return (int)interrupted;
}

static pid_t spawn(struct run *run, struct child *child, unsigned client)
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
		run_child_start(self);
		close(priv->up[0]);
		close(priv->go[1]);
		close(priv->end[1]);
		if (child == &priv->server || child == &priv->backend)
			run_server(run, child == &priv->backend);
		run_client(run, client);
	}
	child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (child->pidfd < 0) {
		run_fail(run, "pidfd_open: %s", strerror(errno));
		/* Nobody could wait for it later. */
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -1;
	}
	child->pid = pid;
	return pid;
}

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
	if (reap(&priv->backend)) {
		blame(run, "the backend", &priv->backend);
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
	unsigned n = priv->nclients + 3;
	struct pollfd *fds = xcalloc(n, sizeof(*fds));
	uint64_t now = clock_ns(), left = until > now ? until - now : 0;
	struct timespec ts = { .tv_sec = (time_t)(left / 1000000000),
			       .tv_nsec = (long)(left % 1000000000) };
	char buf[256];
	ssize_t got;
	int rc;

	fds[0] = (struct pollfd){ priv->up[0], POLLIN, 0 };
	fds[1] = (struct pollfd){ priv->server.pidfd, POLLIN, 0 };
	fds[2] = (struct pollfd){ priv->backend.pidfd, POLLIN, 0 };
	for (unsigned i = 0; i < priv->nclients; i++)
		fds[3 + i] =
			(struct pollfd){ priv->clients[i].pidfd, POLLIN, 0 };
	rc = ppoll(fds, n, &ts, &run_unblocked);
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

/* In nanoseconds, where getrusage() may count ticks. */
static double cpu_ns_of(const struct child *c)
{
	struct timespec t;
	clockid_t clock;

	if (c->pid <= 0 || clock_getcpuclockid(c->pid, &clock) ||
	    clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double cpu_ns(const struct run_priv *priv)
{
	double sum = cpu_ns_of(&priv->server) + cpu_ns_of(&priv->backend);

	for (unsigned i = 0; i < priv->nclients; i++)
		sum += cpu_ns_of(&priv->clients[i]);
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

static void end_server(struct run *run, struct child *c, const char *who,
		       int failed)
{
	int graceful = run->peer->flags & PEER_GRACEFUL;
	uint64_t grace = failed ? END_NS / 10 : END_NS;

	if (c->pid <= 0)
		return;
	finish(c, graceful ? grace : 0, graceful ? SIGTERM : 0);
	if (!failed && graceful && c->status) {
		char told[64];

		snprintf(told, sizeof(told), "%s, when told to stop,", who);
		blame(run, told, c);
	}
	close(c->pidfd);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end_all(struct run *run, int failed)
{
	struct run_priv *priv = run->priv;
	uint64_t grace = failed ? END_NS / 10 : END_NS;

	close_end(&priv->go[1]);
	close_end(&priv->end[1]);
	for (unsigned i = 0; i < priv->nclients; i++) {
		finish(&priv->clients[i], failed ? 0 : grace, 0);
		if (!failed && WIFSIGNALED(priv->clients[i].status))
			blame(run, "a client, when closing,",
			      &priv->clients[i]);
		close(priv->clients[i].pidfd);
	}
	end_server(run, &priv->server, "the server", failed);
	end_server(run, &priv->backend, "the backend", failed);
	close_end(&priv->up[0]);
	close_end(&priv->up[1]);
	close_end(&priv->go[0]);
	close_end(&priv->end[0]);
}

static int measure(struct run *run, struct outcome *into)
{
	struct run_priv *priv = run->priv;
	unsigned n = run->cfg.clients;
	unsigned servers = run->peer->flags & PEER_THREADED ? n : 1;
	double cpu;

	if (run->peer->backend && (spawn(run, &priv->backend, 0) < 0 ||
				   wait_step(run, STEP_SERVING, servers,
					     START_NS, "the backend started")))
		return -1;
	priv->steps[STEP_SERVING] = 0;
	if (!(run->peer->flags & PEER_LOCAL)) {
		run->server = spawn(run, &priv->server, 0);
		guard_server(run->server);
		if (run->server < 0 ||
		    wait_step(run, STEP_SERVING, servers, START_NS,
			      "the server started"))
			return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		if (spawn(run, &priv->clients[i], i) < 0)
			return -1;
		priv->nclients++;
	}
	if (wait_step(run, STEP_READY, n, START_NS, "clients connected"))
		return -1;
	cpu = cpu_ns(priv);
	for (unsigned i = 0; i < n; i++)
		if (write(priv->go[1], "g", 1) != 1)
			return run_fail(run, "go: %s", strerror(errno));
	if (priv->work->watch && priv->work->watch(run, priv->work->arg))
		return -1;
	if (wait_step(run, STEP_DONE, n, priv->work->limit_ns,
		      "clients were calling"))
		return -1;
	into->cpu_ns += cpu_ns(priv) - cpu;
	return 0;
}

static void collect(const struct run *run, struct outcome *into)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned i = 0; i < run->cfg.clients; i++) {
		const struct samples *s = &run->priv->samples[i];

		into->calls += s->calls;
		lat_merge(&into->hist, &s->hist);
		start = s->start < start ? s->start : start;
		end = s->end > end ? s->end : end;
	}
	into->rounds++;
	into->wall_ns += (double)(end - start) * clock_tick_ns;
}

static int set_up(struct run *run)
{
	struct run_priv *priv = run->priv;

	if (pipe2(priv->up, O_CLOEXEC | O_NONBLOCK) ||
	    pipe2(priv->go, O_CLOEXEC) || pipe2(priv->end, O_CLOEXEC))
		return run_fail(run, "pipe: %s", strerror(errno));
	return run->peer->setup ? run->peer->setup(run) : PEER_OK;
}

static void run_with(struct run *run, struct outcome *into)
{
	struct run_priv *priv = run->priv;
	size_t len = sizeof(struct samples) * run->cfg.clients;
	int rc;

	priv->samples = run_map(run, len, MAP_SHARED);
	if (!priv->samples)
		return;
	for (unsigned i = 0; i < run->cfg.clients; i++)
		lat_clear(&priv->samples[i].hist);
	rc = set_up(run);
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
	priv.server.pidfd = priv.backend.pidfd = -1;
	for (int i = 0; i < 2; i++)
		priv.up[i] = priv.go[i] = priv.end[i] = -1;
	priv.clients = xcalloc(cfg->clients, sizeof(*priv.clients));
	priv.ctl = mmap(NULL, sizeof(*priv.ctl), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (priv.ctl == MAP_FAILED)
		dief(1, "out of memory");
	if ((peer->flags & PEER_SPINS) && place->same_cpu)
		run_skip(&run, "it spins; both sides on one CPU would only "
			       "measure the scheduler's slice");
	else if ((peer->flags & PEER_SPINS) && place->nclient < cfg->clients)
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
