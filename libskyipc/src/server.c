/* SPDX-License-Identifier: MIT */
/* A server's life: start, run, shut down, stop, dispatch. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "clock.h"
#include "err.h"
#include "kcall_server.h"
#include "point.h"
#include "server.h"

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
		/* Locked: whoever joins it must see that it is there. */
		pthread_mutex_lock(&s->lock);
		err = -pthread_create(&s->control, NULL, control, s);
		s->has_control = !err;
		pthread_mutex_unlock(&s->lock);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	if (err) {
		/* No control thread runs: do what it would have done. */
		control_drain(s);
		pthread_mutex_lock(&s->lock);
		s->seats_done = s->attr.workers;
		pthread_cond_broadcast(&s->changed);
		pthread_cond_broadcast(&s->seat_free);
		pthread_mutex_unlock(&s->lock);
		seats_join(s);
		control_close_all(s);
		pthread_mutex_lock(&s->lock);
		s->state = SERVER_STOPPED;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		return fail(err, "cannot start a thread: %s", strerror(-err));
	}
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
	while ((s->state != SERVER_STOPPED || s->dispatching) && !err) {
		if (deadline == DEADLINE_NONE)
			pthread_cond_wait(&s->changed, &s->lock);
		else
			err = -pthread_cond_timedwait(&s->changed, &s->lock,
						      &ts);
	}
	err = s->state == SERVER_STOPPED && !s->dispatching ? 0 : -ETIMEDOUT;
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

	if (err == -EALREADY) {
		fail_clear();
		err = 0;
	}
	return err ? err : await_stopped(s, DEADLINE_NONE);
}

/*
 * This thread serves @s for a while. It may be a worker of another server, in a
 * handler: that is put aside, and comes back.
 */
struct aside {
	struct seat *seat;
	struct skyipc_server *server;
	const struct block_hooks *hooks;
	struct kcall_worker *kcall_worker;
};

static struct aside sit_down(struct skyipc_server *s)
{
	struct aside aside = { my_seat, my_server, block_hooks,
			       my_kcall_worker };

	my_seat = &s->seats[0];
	my_server = s;
	block_hooks = NULL;
	kcall_worker_sit(s);
	return aside;
}

static void stand_up(struct aside aside)
{
	my_seat = aside.seat;
	my_server = aside.server;
	block_hooks = aside.hooks;
	my_kcall_worker = aside.kcall_worker;
}

/* Everything that a control thread does at the end, without one. */
static void stop_alone(struct skyipc_server *s)
{
	struct aside aside = sit_down(s);

	control_drain(s);
	seat_drain(my_seat);
	stand_up(aside);
	control_close_all(s);
	pthread_mutex_lock(&s->lock);
	s->state = SERVER_STOPPED;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void dispatch_end(struct skyipc_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->dispatching = 0;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

SKY_PUBLIC int skyipc_server_stop(struct skyipc_server *s, skyipc_time t)
{
	enum server_state state;
	int alone;

	fail_clear();
	pthread_mutex_lock(&s->lock);
	state = s->state;
	/* A thread in dispatch stops it: it uses what stopping takes apart. */
	alone = !s->dispatching &&
		(state == SERVER_NEW || state == SERVER_DISPATCH);
	if (alone) {
		/* Nobody starts it any more, or dispatches beside us. */
		s->state = SERVER_DISPATCH;
		s->dispatching = 1;
	}
	pthread_mutex_unlock(&s->lock);
	if (state == SERVER_FORKED)
		return fail(-ECHILD, "the server belongs to the parent");
	if (alone) {
		stop_alone(s);
		dispatch_end(s);
		return 0;
	}
	if (seat_is_mine(s))
		return fail(-EDEADLK, "a handler cannot wait for its own end");
	if (state != SERVER_STOPPED)
		skyipc_server_shutdown(s);
	return await_stopped(s, deadline_of(t, 0));
}

/* ---- without threads ----------------------------------------------------- */

static int to_dispatch_locked(struct skyipc_server *s)
{
	int err;

	switch (s->state) {
	case SERVER_NEW:
		err = server_watch_fd(s->ctl_ep, s->bell_ep, EVENT_BELLS);
		if (!err && s->kcall >= 0)
			err = server_watch_fd(s->ctl_ep, s->kcall, EVENT_KCALL);
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
	struct aside aside;
	int err, stop, rung;

	err = skyipc_server_fd(s);
	if (err < 0)
		return err;
	pthread_mutex_lock(&s->lock);
	err = s->dispatching
		      ? fail(-EBUSY, "another thread dispatches or stops it")
		      : 0;
	s->dispatching = 1;
	pthread_mutex_unlock(&s->lock);
	if (err)
		return err;

	aside = sit_down(s);
	do {
		rung = 0;
		stop = control_step(s, deadline_ms(deadline), &rung);
		if (rung)
			served += seat_dispatch(seat);
	} while (!served && !stop && now_ns() < deadline);
	stand_up(aside);
	if (stop)
		stop_alone(s);
	dispatch_end(s);
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
	int err = 0;

	fail_clear();
	if (user->size < sizeof(user->size))
		return fail(-EINVAL, "stats->size is not set");
	stats = calloc(1, sizeof(*stats));
	if (!stats)
		return -ENOMEM;
	pthread_mutex_lock(&s->lock);
	if (s->state == SERVER_FORKED)
		err = fail(-ECHILD, "the server belongs to the parent");
	else
		info_stats_locked(s, stats);
	pthread_mutex_unlock(&s->lock);
	if (!err)
		sized_copy(user, user->size, stats, sizeof(*stats));
	free(stats);
	return err;
}
