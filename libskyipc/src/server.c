/* SPDX-License-Identifier: MIT */
/* A server's life: create, start, run, shut down, stop, dispatch, destroy. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fork.h"
#include "server.h"
#include "point.h"

#define SPIN_NS 50000u
#define HANDSHAKE_NS UINT64_C(5000000000)
#define CONNS_PER_UID 16384u
#define MEM_PER_UID (UINT64_C(4) << 30)
#define BUF_SIZE (UINT64_C(64) << 20)
#define EXTRA_THREADS 256u
/* While a worker is busy, how often it looks who else has rung. */
#define BELLS_EVERY_NS 20000u

/* All servers of the process. Lock order: this, then a server's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct skyipc_server *servers;
static pthread_once_t once = PTHREAD_ONCE_INIT;

void server_say(struct skyipc_server *server, enum skyipc_log_level level,
		const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!server->attr.log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	server->attr.log(level, line, server->attr.log_arg);
}

/* ---- fork ---------------------------------------------------------------- */

static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
	for (struct skyipc_server *s = servers; s; s = s->next)
		pthread_mutex_lock(&s->lock);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all_fds(struct skyipc_server *s)
{
	close_fd(&s->listen_fd);
	close_fd(&s->ctl_ep);
	close_fd(&s->bell_ep);
	close_fd(&s->shutdown_fd);
	close_fd(&s->drain_fd);
	close_fd(&s->timer_fd);
	close_fd(&s->spare_fd);
}

/*
 * The child has no threads of the server and no right to the name; it must not
 * keep the clients' sockets open when the parent dies.
 */
static void forget(struct skyipc_server *s)
{
	s->state = SERVER_FORKED;
	close_all_fds(s);
	name_forget(&s->name);
	for (uint32_t i = 0; i < s->conns_size; i++) {
		if (!s->conns[i])
			continue;
		close_fd(&s->conns[i]->sock);
		close_fd(&s->conns[i]->bell);
	}
}

static void fork_done(int child)
{
	for (struct skyipc_server *s = servers; s; s = s->next) {
		if (child)
			forget(s);
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&lock);
}

static void init(void)
{
	static struct fork_hook hook = { fork_prepare, fork_done, NULL };

	fork_hook_add(&hook);
}

/* ---- create -------------------------------------------------------------- */

/* A private copy of the attributes, with the defaults filled in. */
static int take_attr(struct skyipc_server *s,
		     const struct skyipc_server_attr *user)
{
	struct skyipc_server_attr *a = &s->attr;

	if (!user || user->size < sizeof(a->size) || user->size > 4096)
		return fail(-EINVAL, "attr->size is not set");
	memcpy(a, user, min_u64(user->size, sizeof(*a)));
	a->size = sizeof(*a);
	if (!a->handler && !(a->ops && a->nops))
		return fail(-EINVAL, "no handler");
	if (a->mode != SKYIPC_ADAPTIVE && a->mode != SKYIPC_BLOCKING &&
	    a->mode != SKYIPC_POLLING)
		return fail(-EINVAL, "no such mode");
	if (!a->workers)
		a->workers = 1;
	if (!a->max_threads)
		a->max_threads = a->workers + EXTRA_THREADS;
	if (a->max_threads < a->workers)
		return fail(-EINVAL, "max_threads is less than workers");
	if (!a->spin_ns)
		a->spin_ns = SPIN_NS;
	if (!a->depth)
		a->depth = SHM_DEPTH_MAX;
	if (a->depth > SHM_DEPTH_MAX)
		return fail(-EINVAL, "depth is at most %u", SHM_DEPTH_MAX);
	if (!a->buf_size)
		a->buf_size = BUF_SIZE;
	if (a->buf_size > SHM_BUF_MAX)
		return fail(-EINVAL, "buf_size is at most %llu",
			    (unsigned long long)SHM_BUF_MAX);
	a->buf_size = align_up(a->buf_size, 4096);
	if (!a->max_conns_per_uid)
		a->max_conns_per_uid = CONNS_PER_UID;
	if (!a->max_mem_per_uid)
		a->max_mem_per_uid = MEM_PER_UID;
	if (!a->handshake_ns)
		a->handshake_ns = HANDSHAKE_NS;
	if (!a->ops)
		a->nops = 0;
	if (a->nops) {
		s->ops = calloc(a->nops, sizeof(*s->ops));
		if (!s->ops)
			return -ENOMEM;
		memcpy(s->ops, a->ops, a->nops * sizeof(*s->ops));
	}
	if (a->cpus) {
		if (!a->cpus_size || !CPU_COUNT_S(a->cpus_size, a->cpus))
			return fail(-EINVAL, "an empty set of CPUs");
		s->cpus = malloc(a->cpus_size);
		if (!s->cpus)
			return -ENOMEM;
		memcpy(s->cpus, a->cpus, a->cpus_size);
	}
	s->spin_max = ns_to_ticks(a->spin_ns);
	s->bells_every = ns_to_ticks(BELLS_EVERY_NS);
	return 0;
}

static int watch_fd(int ep, int fd, uint64_t event)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = event };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int make_fds(struct skyipc_server *s)
{
	int err;

	s->ctl_ep = epoll_create1(EPOLL_CLOEXEC);
	s->bell_ep = epoll_create1(EPOLL_CLOEXEC);
	s->shutdown_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->listen_fd = socket(AF_UNIX,
			      SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->ctl_ep < 0 || s->bell_ep < 0 || s->shutdown_fd < 0 ||
	    s->drain_fd < 0 || s->timer_fd < 0 || s->spare_fd < 0 ||
	    s->listen_fd < 0)
		return fail(-errno, "cannot make descriptors: %s",
			    strerror(errno));
	err = watch_fd(s->ctl_ep, s->shutdown_fd, EVENT_SHUTDOWN);
	if (!err)
		err = watch_fd(s->ctl_ep, s->timer_fd, EVENT_TIMER);
	if (!err)
		err = watch_fd(s->bell_ep, s->drain_fd, EVENT_SHUTDOWN);
	return err;
}

static int bind_name(struct skyipc_server *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct skyipc_server_attr *a = &s->attr;
	mode_t mode = a->sock_mode & 07777;
	int err;

	if (!a->sock_mode)
		mode = s->name.system ? 0666 : 0600;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->name.path);
	/*
	 * Nobody can connect before listen(2): until then the permissions can
	 * be changed in place. We own the name, so nobody else does.
	 */
	if (bind(s->listen_fd, (void *)&addr, sizeof(addr)) < 0)
		return fail(-errno, "cannot bind %s: %s", s->name.path,
			    strerror(errno));
	point("server-bound");
	if (chmod(s->name.path, mode) < 0 ||
	    ((a->set_owner || a->set_group) &&
	     lchown(s->name.path, a->set_owner ? a->owner : (uid_t)-1,
		    a->set_group ? a->group : (gid_t)-1) < 0)) {
		err = fail(-errno, "cannot set mode or owner of %s: %s",
			   s->name.path, strerror(errno));
		unlink(s->name.path);
		return err;
	}
	if (listen(s->listen_fd, SOMAXCONN) < 0)
		return -errno;
	return watch_fd(s->ctl_ep, s->listen_fd, EVENT_LISTEN);
}

static void server_free(struct skyipc_server *s)
{
	close_all_fds(s);
	seats_free(s);
	for (uint32_t i = 0; i < s->conns_size; i++)
		if (s->conns[i]) /* only in a child's copy */
			sconn_put(s->conns[i]);
	free(s->conns);
	free(s->ops);
	free(s->cpus);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

SKY_PUBLIC int skyipc_server_create(const char *name,
				    const struct skyipc_server_attr *attr,
				    struct skyipc_server **out)
{
	struct skyipc_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t monotonic;
	int err;

	fail_clear();
	if (!s)
		return -ENOMEM;
	pthread_once(&once, init);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	s->listen_fd = s->ctl_ep = s->bell_ep = s->shutdown_fd = -1;
	s->drain_fd = s->timer_fd = s->spare_fd = -1;
	s->name.lock = -1;

	err = take_attr(s, attr);
	if (!err)
		err = make_fds(s);
	if (!err)
		err = seats_make(s);
	if (!err)
		err = name_for_server(name, &s->name);
	if (!err)
		err = name_own(&s->name);
	if (!err) {
		err = bind_name(s);
		if (err)
			name_disown(&s->name);
	}
	if (err) {
		server_free(s);
		return err;
	}
	point("server-created");
	s->started_ns = now_ns();
	pthread_mutex_lock(&lock);
	s->next = servers;
	servers = s;
	pthread_mutex_unlock(&lock);
	*out = s;
	return 0;
}

/* ---- run ----------------------------------------------------------------- */

static void *control(void *arg)
{
	pthread_setname_np(pthread_self(), "skyipc-control");
	control_run(arg);
	return NULL;
}

/* Can workers run where they should? */
static int check_cpus(struct skyipc_server *s)
{
	cpu_set_t old;
	int err = 0;

	if (!s->cpus || sched_getaffinity(0, sizeof(old), &old) < 0)
		return 0;
	for (uint32_t i = 0; i < s->attr.workers && !err; i++) {
		size_t size = CPU_ALLOC_SIZE(s->seats[i].cpu + 1);
		cpu_set_t *set = CPU_ALLOC(s->seats[i].cpu + 1);

		if (!set)
			return -ENOMEM;
		CPU_ZERO_S(size, set);
		CPU_SET_S((size_t)s->seats[i].cpu, size, set);
		if (sched_setaffinity(0, size, set) < 0)
			err = fail(-EINVAL, "cannot run on CPU %d",
				   s->seats[i].cpu);
		CPU_FREE(set);
	}
	sched_setaffinity(0, sizeof(old), &old);
	return err;
}

SKY_PUBLIC int skyipc_server_start(struct skyipc_server *s)
{
	sigset_t all, old;
	int err = 0;

	fail_clear();
	pthread_mutex_lock(&s->lock);
	if (s->state == SERVER_DISPATCH)
		err = fail(-EBUSY, "the server is used with dispatch");
	else if (s->state == SERVER_FORKED)
		err = fail(-ECHILD, "the server belongs to the parent");
	else if (s->state != SERVER_NEW)
		err = fail(-EALREADY, "the server has been started");
	else
		err = check_cpus(s);
	if (!err)
		s->state = SERVER_RUNNING;
	pthread_mutex_unlock(&s->lock);
	if (err)
		return err;

	point("server-start");
	err = seats_start(s);
	if (!err) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		err = -pthread_create(&s->control, NULL, control, s);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (err) {
		/* No control thread runs: do what it would have done. */
		control_drain(s);
		pthread_mutex_lock(&s->lock);
		s->seats_done = s->attr.workers;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		seats_join(s);
		control_close_all(s);
		s->state = SERVER_STOPPED;
		return fail(err, "cannot start a thread: %s", strerror(-err));
	}
	s->has_control = 1;
	return 0;
}

SKY_PUBLIC void skyipc_server_shutdown(struct skyipc_server *s)
{
	uint64_t one = 1;
	int saved = errno;

	/* Only write(2): this may run in a signal handler. */
	if (write(s->shutdown_fd, &one, sizeof(one)) < 0)
		errno = saved;
	errno = saved;
}

/* Until the control thread is through. 0; -ETIMEDOUT. */
static int await_stopped(struct skyipc_server *s, uint64_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / 1000000000u),
			       .tv_nsec = (long)(deadline % 1000000000u) };
	int err = 0;

	pthread_mutex_lock(&s->lock);
	while (s->state != SERVER_STOPPED && !err) {
		if (deadline == DEADLINE_NONE)
			pthread_cond_wait(&s->changed, &s->lock);
		else
			err = -pthread_cond_timedwait(&s->changed, &s->lock,
						      &ts);
	}
	err = s->state == SERVER_STOPPED ? 0 : -ETIMEDOUT;
	if (!err && s->has_control) {
		s->has_control = 0;
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->control, NULL);
		return 0;
	}
	pthread_mutex_unlock(&s->lock);
	return err ? fail(err, "handlers are still running") : 0;
}

SKY_PUBLIC int skyipc_server_run(struct skyipc_server *s)
{
	int err = skyipc_server_start(s);

	return err ? err : await_stopped(s, DEADLINE_NONE);
}

/* Everything that a control thread does at the end, without one. */
static void stop_alone(struct skyipc_server *s)
{
	control_drain(s);
	my_seat = &s->seats[0];
	seat_drain(my_seat);
	my_seat = NULL;
	control_close_all(s);
	pthread_mutex_lock(&s->lock);
	s->state = SERVER_STOPPED;
	pthread_mutex_unlock(&s->lock);
}

SKY_PUBLIC int skyipc_server_stop(struct skyipc_server *s, skyipc_time t)
{
	enum server_state state;

	fail_clear();
	pthread_mutex_lock(&s->lock);
	state = s->state;
	pthread_mutex_unlock(&s->lock);
	if (state == SERVER_FORKED)
		return fail(-ECHILD, "the server belongs to the parent");
	if (seat_is_mine(s))
		return fail(-EDEADLK, "a handler cannot wait for its own end");
	if (state == SERVER_NEW || state == SERVER_DISPATCH) {
		stop_alone(s);
		return 0;
	}
	skyipc_server_shutdown(s);
	return await_stopped(s, deadline_of(t, 0));
}

SKY_PUBLIC void skyipc_server_destroy(struct skyipc_server *s)
{
	if (!s)
		return;
	if (s->state != SERVER_STOPPED && s->state != SERVER_FORKED)
		skyipc_server_stop(s, SKYIPC_FOREVER);
	pthread_mutex_lock(&lock);
	for (struct skyipc_server **at = &servers; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	server_free(s);
}

/* ---- without threads ----------------------------------------------------- */

static int to_dispatch_locked(struct skyipc_server *s)
{
	int err;

	switch (s->state) {
	case SERVER_NEW:
		err = watch_fd(s->ctl_ep, s->bell_ep, EVENT_BELLS);
		if (!err)
			s->state = SERVER_DISPATCH;
		return err;
	case SERVER_DISPATCH:
		return 0;
	case SERVER_STOPPED:
		return fail(-ESHUTDOWN, "the server has been shut down");
	case SERVER_FORKED:
		return fail(-ECHILD, "the server belongs to the parent");
	default:
		return fail(-EBUSY, "the server has been started");
	}
}

SKY_PUBLIC int skyipc_server_fd(struct skyipc_server *s)
{
	int err;

	fail_clear();
	if (s->attr.mode == SKYIPC_POLLING)
		return fail(-EINVAL, "a polling server has threads");
	pthread_mutex_lock(&s->lock);
	err = to_dispatch_locked(s);
	pthread_mutex_unlock(&s->lock);
	return err ? err : s->ctl_ep;
}

SKY_PUBLIC int skyipc_server_dispatch(struct skyipc_server *s, skyipc_time t)
{
	uint64_t deadline = deadline_of(t, 0);
	struct seat *seat = &s->seats[0];
	unsigned served = 0;
	int err, stop, rung;

	err = skyipc_server_fd(s);
	if (err < 0)
		return err;
	pthread_mutex_lock(&s->lock);
	err = s->dispatching ? fail(-EBUSY, "another thread dispatches") : 0;
	s->dispatching = 1;
	pthread_mutex_unlock(&s->lock);
	if (err)
		return err;

	my_seat = seat;
	my_server = s;
	do {
		rung = 0;
		stop = control_step(s, deadline_ms(deadline), &rung);
		if (rung)
			served += seat_dispatch(seat);
	} while (!served && !stop && now_ns() < deadline);
	my_seat = NULL;
	my_server = NULL;
	if (stop)
		stop_alone(s);
	pthread_mutex_lock(&s->lock);
	s->dispatching = 0;
	pthread_mutex_unlock(&s->lock);
	if (stop && !served)
		return fail(-ESHUTDOWN, "the server has been shut down");
	return served > INT32_MAX ? INT32_MAX : (int)served;
}

SKY_PUBLIC const char *skyipc_server_path(const struct skyipc_server *s)
{
	return s->name.path;
}

SKY_PUBLIC int skyipc_server_stats(struct skyipc_server *s,
				   struct skyipc_stats *user)
{
	struct skyipc_stats *stats;

	fail_clear();
	if (user->size < sizeof(user->size))
		return fail(-EINVAL, "stats->size is not set");
	stats = calloc(1, sizeof(*stats));
	if (!stats)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	info_stats_locked(s, stats);
	pthread_mutex_unlock(&s->lock);
	sized_copy(user, user->size, stats, sizeof(*stats));
	free(stats);
	return 0;
}
