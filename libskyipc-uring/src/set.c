/* SPDX-License-Identifier: MIT */
/* set.c - sets of rings: making and freeing them, counters, fork() */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fork.h"
#include "uring.h"

/* ---- fork() -------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct skyipc_uring *sets; /* under lock */

static void close_files(struct skyipc_uring *u)
{
	while (u->nfiles)
		close(u->files[--u->nfiles]);
}

static void prepare(void)
{
	pthread_mutex_lock(&lock);
}

/* A child lets go of rings and files at once, or they would outlive the set. */
static void forked(int child)
{
	for (struct skyipc_uring *u = child ? sets : NULL; u; u = u->next) {
		if (u->forked)
			continue;
		u->forked = 1;
		for (uint32_t i = 0; i < u->nrings; i++)
			ring_leave(u->rings[i]);
		close_files(u);
	}
	pthread_mutex_unlock(&lock);
}

static void add_hook(void)
{
	static struct fork_hook hook = { .prepare = prepare, .done = forked };

	fork_hook_add(&hook);
}

static void add_set(struct skyipc_uring *u)
{
	u->next = sets;
	u->at = &sets;
	if (sets)
		sets->at = &u->next;
	sets = u;
}

static void remove_set(struct skyipc_uring *u)
{
	*u->at = u->next;
	if (u->next)
		u->next->at = u->at;
}

/* ---- making one ---------------------------------------------------------- */

enum { DEPTH = 32, IDLE_MS = 10, POLL_NS = 50000 };

static int take_attr(struct skyipc_uring_attr *a,
		     const struct skyipc_uring_attr *user)
{
	const uint32_t flags = SKYIPC_URING_REQUIRED | SKYIPC_URING_DIRECT;

	*a = (struct skyipc_uring_attr){ .size = sizeof(*a) };
	if (user) {
		if (user->size < sizeof(a->size) || user->size > 4096)
			return -EINVAL;
		memcpy(a, user, min_u64(user->size, sizeof(*a)));
	}
	if ((a->flags & ~flags) || a->flags == flags)
		return -EINVAL;
	if ((a->nfiles && !a->files) || (a->nbuffers && !a->buffers))
		return -EINVAL;
	if (!a->rings)
		a->rings = 1;
	if (!a->depth)
		a->depth = DEPTH;
	if (!a->idle_ms)
		a->idle_ms = IDLE_MS;
	if (!a->poll_ns)
		a->poll_ns = POLL_NS;
	return 0;
}

static int copy_buffers(struct skyipc_uring *u,
			const struct skyipc_uring_attr *a)
{
	if (!a->nbuffers)
		return 0;
	u->buffers = calloc(a->nbuffers, sizeof(*u->buffers));
	if (!u->buffers)
		return -ENOMEM;
	memcpy(u->buffers, a->buffers, a->nbuffers * sizeof(*u->buffers));
	u->nbuffers = a->nbuffers;
	return 0;
}

static int copy_files(struct skyipc_uring *u, const struct skyipc_uring_attr *a)
{
	if (!a->nfiles)
		return 0;
	u->files = calloc(a->nfiles, sizeof(*u->files));
	if (!u->files)
		return -ENOMEM;
	for (; u->nfiles < a->nfiles; u->nfiles++) {
		int fd = fcntl(a->files[u->nfiles], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		u->files[u->nfiles] = fd;
	}
	return 0;
}

/* As many as there can be; none is an error only if one is required. */
static int make_rings(struct skyipc_uring *u, const struct skyipc_uring_attr *a)
{
	int required = a->flags & SKYIPC_URING_REQUIRED, err = 0;

	/* The poller could run only while nobody waits for it. */
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1 && !required) {
		snprintf(u->why, sizeof(u->why), "there is only one CPU");
		return 0;
	}
	u->rings = calloc(a->rings, sizeof(struct ring *));
	if (!u->rings)
		return -ENOMEM;
	while (!err && u->nrings < a->rings) {
		err = ring_make(u, a, u->nrings ? u->rings[0] : NULL,
				&u->rings[u->nrings]);
		if (!err) {
			u->nrings++;
			u->rings[u->nrings - 1]->number = u->nrings;
		}
	}
	if (err)
		snprintf(u->why, sizeof(u->why), "ring %u: %s%s",
			 (unsigned)u->nrings + 1, strerror(-err),
			 err == -EPERM || err == -ENOSYS
				 ? " (kernel.io_uring_disabled, seccomp?)"
				 : "");
	return required && !u->nrings ? err : 0;
}

static void free_set(struct skyipc_uring *u)
{
	/* (Their poller is the first one's.) */
	while (u->nrings) {
		struct ring *r = u->rings[--u->nrings];

		if (u->forked)
			free(r);
		else
			ring_free(r);
	}
	close_files(u);
	free(u->rings);
	free(u->files);
	free(u->buffers);
	free(u);
}

SKY_PUBLIC int skyipc_uring_create(const struct skyipc_uring_attr *attr,
				   struct skyipc_uring **out)
{
	struct skyipc_uring_attr a;
	struct skyipc_uring *u;
	int err;

	err = take_attr(&a, attr);
	if (err)
		return err;
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	pthread_once(&once, add_hook);
	/* A child that is made meanwhile has none of it, or knows all of it. */
	pthread_mutex_lock(&lock);
	err = copy_buffers(u, &a);
	if (!err)
		err = copy_files(u, &a);
	if (!err && !(a.flags & SKYIPC_URING_DIRECT))
		err = make_rings(u, &a);
	if (err) {
		free_set(u);
	} else {
		add_set(u);
		*out = u;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

SKY_PUBLIC void skyipc_uring_destroy(struct skyipc_uring *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&lock);
	remove_set(u);
	free_set(u);
	pthread_mutex_unlock(&lock);
}

/* ---- counters ------------------------------------------------------------ */

SKY_PUBLIC int skyipc_uring_stats(struct skyipc_uring *u,
				  struct skyipc_uring_stats *stats)
{
	struct skyipc_uring_stats s = { .rings = u->nrings };

	if (stats->size < sizeof(stats->size))
		return -EINVAL;
	for (uint32_t i = 0; i < u->nrings; i++) {
		const struct ring *r = u->rings[i];

		s.files += (uint32_t)r->has_files;
		s.buffers += (uint32_t)r->has_buffers;
		s.done += stat_read(r->done);
		s.wakes += stat_read(r->wakes);
		s.waits += stat_read(r->waits);
	}
	s.direct = atomic_load_explicit(&u->direct, memory_order_relaxed);
	s.busy = atomic_load_explicit(&u->busy, memory_order_relaxed);
	memcpy(s.why, u->why, sizeof(s.why));
	sized_copy(stats, stats->size, &s, sizeof(s));
	return 0;
}

SKY_PUBLIC const char *skyipc_uring_version(void)
{
	return SKYIPC_VERSION;
}
