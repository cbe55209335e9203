/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the threads that sit on seats
 *
 * As many threads run handlers as there are seats. A thread that sleeps in a
 * nested call leaves its seat to another one, made if there is none: handlers
 * that wait for handlers, even of their own server, do not stop it. (What I/O
 * completion ports do for threads that block.)
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "clock.h"
#include "kcall_server.h"
#include "seat.h"
#include "vmfunc_server.h"

__thread struct seat *my_seat;
__thread struct skyipc_server *my_server;

int seat_is_mine(struct skyipc_server *server)
{
	return my_server == server;
}

static void *worker(void *arg);

static void pin(struct seat *seat)
{
	size_t size = CPU_ALLOC_SIZE(seat->cpu + 1);
	cpu_set_t *set;

	if (seat->cpu < 0)
		return;
	set = CPU_ALLOC(seat->cpu + 1);
	if (!set)
		return;
	CPU_ZERO_S(size, set);
	CPU_SET_S(seat->cpu, size, set);
	if (sched_setaffinity(0, size, set) < 0)
		server_say(seat->server, SKYIPC_LOG_WARNING,
			   "cannot run on CPU %d: %s", seat->cpu,
			   strerror(errno));
	CPU_FREE(set);
}

/* One more thread; the server's lock is held. */
static int thread_add_locked(struct skyipc_server *server)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	if (server->nthreads == server->threads_room) {
		uint32_t room = server->threads_room * 2 + 4;
		pthread_t *p = realloc(server->threads, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		server->threads = p;
		server->threads_room = room;
	}
	pthread_attr_init(&attr);
	if (server->attr.stack_size)
		pthread_attr_setstacksize(&attr, server->attr.stack_size);
	/* Signals are for the application's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&server->threads[server->nthreads], &attr, worker,
			      server);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		server->nthreads++;
	return err;
}

/*
 * The connection whose call this thread is in, while it has no seat: the list
 * whose reference kept it alive is another thread's now.
 */
static __thread struct sconn *kept;

/*
 * This thread sleeps in a nested call, and nobody is there to take its seat:
 * who comes to be takes it away. Under the server's lock.
 */
struct stuck {
	struct sconn *kept; /* of the thread whose seat was taken */
	int taken;
};

static __thread struct stuck stuck;

static void seat_free_locked(struct seat *seat)
{
	struct skyipc_server *server = seat->server;

	seat->next_free = server->free_seats;
	server->free_seats = seat;
	server->nfree_seats++;
}

/* @seat is somebody else's from now on: what its call refers to is kept. */
static struct sconn *take_away_locked(struct seat *seat)
{
	struct sconn *conn = NULL;

	seat->server->in_calls++;
	/* It was in a handler. */
	if (seat->server->has_views)
		permit_put(&seat->server->permits);
	if (seat->current) {
		conn = seat->current->conn;
		atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
		seat->current = NULL;
	}
	seat->stuck = NULL;
	seat_free_locked(seat);
	return conn;
}

/* Has it been taken away? Then we know now. */
static int settle_locked(void)
{
	if (!stuck.taken)
		return 0;
	my_seat = NULL;
	kept = stuck.kept;
	stuck.taken = 0;
	return 1;
}

/*
 * A handler of this thread is about to sleep in a nested call (see block.h):
 * leave the seat to a thread that can serve meanwhile. Without one the seat is
 * kept, and the calls on it wait, until a thread comes back from its handler.
 */
static int leave_seat(void)
{
	struct seat *seat = my_seat;
	struct skyipc_server *server = my_server;

	if (!seat)
		return 0;
	pthread_mutex_lock(&server->lock);
	if (settle_locked()) {
		/* Somebody was quicker. */
	} else if (server->idle_threads > server->nfree_seats ||
		   (server->nthreads < server->attr.max_threads &&
		    !thread_add_locked(server))) {
		/* Each idle thread takes one seat, and some may be promised
		 * already. */
		kept = take_away_locked(seat);
		my_seat = NULL;
		pthread_cond_signal(&server->seat_free);
	} else {
		seat->stuck = &stuck;
	}
	pthread_mutex_unlock(&server->lock);
	return my_seat != NULL;
}

static void keep_seat(void)
{
	if (!my_seat)
		return;
	pthread_mutex_lock(&my_server->lock);
	if (!settle_locked())
		my_seat->stuck = NULL;
	pthread_mutex_unlock(&my_server->lock);
}

static const struct block_hooks hooks = { leave_seat, keep_seat };

/* This thread has nothing to do: take the seat of one that is stuck on it. */
static int relieve_locked(struct skyipc_server *server)
{
	for (uint32_t i = 0; i < server->attr.workers; i++) {
		struct seat *seat = &server->seats[i];
		struct stuck *other = seat->stuck;

		if (!other)
			continue;
		other->kept = take_away_locked(seat);
		other->taken = 1;
		return 1;
	}
	return 0;
}

/* Do handlers run on threads that have no seat? */
static int others_run(struct skyipc_server *server)
{
#ifdef __x86_64__
	if (vmfunc_server_busy(server))
		return 1;
#endif
	return server->in_calls != 0;
}

/*
 * Serve what has been submitted. While handlers still run on threads that have
 * left their seats, or in views, those may call this server again: look until
 * they are through. Their rings wake nobody (drain_fd is readable for good), so
 * look again every millisecond; this lasts as long as a handler at the end.
 */
static void drain(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	uint64_t until;
	struct timespec ts;
	int busy;

	for (;;) {
		/* Before: what the last of them leaves is served, too. */
		pthread_mutex_lock(&server->lock);
		busy = others_run(server);
		pthread_mutex_unlock(&server->lock);
		seat_drain(seat);
		if (my_seat != seat || !busy)
			return;
		until = now_ns() + 1000000;
		ts.tv_sec = (time_t)(until / 1000000000u);
		ts.tv_nsec = (long)(until % 1000000000u);
		pthread_mutex_lock(&server->lock);
		if (others_run(server))
			pthread_cond_timedwait(&server->changed, &server->lock,
					       &ts);
		pthread_mutex_unlock(&server->lock);
	}
}

void worker_forget(void)
{
	my_seat = NULL;
	my_server = NULL;
	my_kcall_worker = NULL;
	block_hooks = NULL;
	kept = NULL;
}

static void *worker(void *arg)
{
	struct skyipc_server *server = arg;
	struct seat *seat;

	pthread_setname_np(pthread_self(), "skyipc-worker");
	my_server = server;
	my_kcall_worker = kcall_worker_new(server, server->bell_ep);
	block_hooks = &hooks;
	pthread_mutex_lock(&server->lock);
	while (server->seats_done < server->attr.workers) {
		seat = server->free_seats;
		if (!seat && relieve_locked(server))
			continue;
		if (!seat) {
			server->idle_threads++;
			pthread_cond_wait(&server->seat_free, &server->lock);
			server->idle_threads--;
			continue;
		}
		server->free_seats = seat->next_free;
		server->nfree_seats--;
		pthread_mutex_unlock(&server->lock);
		my_seat = seat;
		pin(seat);
		if (server->attr.mode == SKYIPC_POLLING)
			seat_poll(seat);
		else
			seat_serve(seat);
		control_drain_next(server);
		if (my_seat == seat)
			drain(seat);
		if (kept) {
			sconn_put(kept);
			kept = NULL;
		}
		pthread_mutex_lock(&server->lock);
		if (my_seat == seat) {
			my_seat = NULL;
			if (++server->seats_done == server->attr.workers) {
				pthread_cond_broadcast(&server->seat_free);
				/* Pairs with answer_until_served(). */
				skyipc_server_shutdown(server);
			}
		} else {
			server->in_calls--;
		}
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
	kcall_worker_free(my_kcall_worker);
	return NULL;
}

int seats_are_done(struct skyipc_server *server)
{
	int done;

	pthread_mutex_lock(&server->lock);
	done = server->seats_done == server->attr.workers;
	pthread_mutex_unlock(&server->lock);
	return done;
}

void seats_join(struct skyipc_server *server)
{
	/* No thread is added once all seats are done. */
	pthread_mutex_lock(&server->lock);
	while (server->seats_done < server->attr.workers)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	for (uint32_t i = 0; i < server->nthreads; i++)
		pthread_join(server->threads[i], NULL);
	server->nthreads = 0;
}

/* The @i-th CPU of the attribute's set, or of ours from the last down. */
static int choose_cpu(struct skyipc_server *server, uint32_t i)
{
	size_t size = server->attr.cpus_size;
	cpu_set_t mine, *set = server->cpus;
	int count, down = 0;

	if (!set) {
		if (server->attr.mode != SKYIPC_POLLING)
			return -1;
		if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
			return -1;
		set = &mine;
		size = sizeof(mine);
		down = 1;
	}
	count = CPU_COUNT_S(size, set);
	i %= (uint32_t)count;
	if (down)
		i = (uint32_t)count - 1 - i;
	for (int cpu = 0;; cpu++)
		if (CPU_ISSET_S((size_t)cpu, size, set) && !i--)
			return cpu;
}

int seats_make(struct skyipc_server *server)
{
	size_t size = server->attr.workers * sizeof(struct seat);

	/* Aligned: workers do not write each other's lines. */
	server->seats = aligned_alloc(_Alignof(struct seat), size);
	if (!server->seats)
		return -ENOMEM;
	memset(server->seats, 0, size);
	for (uint32_t i = server->attr.workers; i-- > 0;) {
		struct seat *seat = &server->seats[i];

		seat->server = server;
		seat->index = (int)i;
		seat->cpu = choose_cpu(server, i);
		seat->here = -1;
		seat_free_locked(seat);
	}
	return 0;
}

int seats_start(struct skyipc_server *server)
{
	int err = 0;

	pthread_mutex_lock(&server->lock);
	for (uint32_t i = 0; i < server->attr.workers && !err; i++)
		err = thread_add_locked(server);
	pthread_mutex_unlock(&server->lock);
	return err;
}

void seats_free(struct skyipc_server *server)
{
	for (uint32_t i = 0; server->seats && i < server->attr.workers; i++)
		free(server->seats[i].list);
	free(server->seats);
	free(server->threads);
}
