/* SPDX-License-Identifier: MIT */
/*
 * seat.c - worker threads: finding work, and waiting for it
 *
 * A worker looks at the request slots of the channels on its seat's list. A
 * channel that is on no list has its park word set: its client, after writing a
 * request, writes the connection's doorbell, which wakes one worker that sleeps
 * in epoll_wait(2); that worker puts the connection's active channels on its
 * list. When nothing comes for a while, a worker takes everything off its list
 * and sleeps. So a channel is looked at while it is busy and costs nothing
 * while it is not, however many there are.
 *
 * In polling mode channels are assigned to seats for good, nobody rings, and
 * the worker makes no system call but to wake a client that has parked.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "block.h"
#include "clock.h"
#include "server.h"
#include "point.h"

/* Yields in a row, and when one was a bad idea: as in shm_wait.c. */
#define YIELDS 4
#define YIELD_SLOW_NS 200000u
#define YIELD_SKIP 256

/* A busy worker drops channels that were quiet for so many rounds. */
#define QUIET_ROUNDS 4096

/* Rings without a request, in a row, after which a client has to go. */
#define STRIKES_MAX 10000

__thread struct seat *my_seat;
__thread struct skyipc_server *my_server;

int seat_is_mine(struct skyipc_server *server)
{
	return my_server == server;
}

/* ---- the list ----------------------------------------------------------- */

static int pending(struct schan *ch)
{
	uint64_t pos = atomic_load_explicit(&ch->pos, memory_order_relaxed);

	return shm_ready_sc(&ch->req[pos & ch->mask], pos);
}

/* Clients that share our CPU are not to spin: see shm_wait.c. */
static void tell_cpu(struct seat *seat, struct schan *ch)
{
	atomic_store_explicit(&ch->head->server.cpu, (uint32_t)seat->here + 1,
			      memory_order_relaxed);
}

/*
 * Have we moved? Asked while there is time anyway, before waiting, not on the
 * path of a call.
 */
static void look_where(struct seat *seat)
{
	int cpu = cpu_here();

	if (likely(cpu == seat->here))
		return;
	seat->here = cpu;
	for (uint32_t i = 0; i < seat->n; i++)
		tell_cpu(seat, seat->list[i]);
}

static int list_add(struct seat *seat, struct schan *ch)
{
	if (seat->n == seat->room) {
		uint32_t room = seat->room ? seat->room * 2 : 16;
		struct schan **p = realloc(seat->list, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		seat->list = p;
		seat->room = room;
	}
	atomic_fetch_add_explicit(&ch->conn->refs, 1, memory_order_relaxed);
	ch->last_round = seat->round;
	tell_cpu(seat, ch);
	seat->list[seat->n++] = ch;
	return 0;
}

static void list_del(struct seat *seat, uint32_t i)
{
	struct schan *ch = seat->list[i];

	seat->list[i] = seat->list[--seat->n];
	sconn_put(ch->conn);
}

/*
 * Take a channel off the list, so that its client rings next time. It stays
 * (0) if a request has come meanwhile. Pairs with shm_publish() on the client's
 * side: one of us sees the other. If another thread has the channel claimed, it
 * looks again when it is done (see serve()).
 */
static int list_drop(struct seat *seat, uint32_t i)
{
	struct schan *ch = seat->list[i];
	struct seat *none = NULL;

	atomic_store(&ch->owner, NULL);
	atomic_store(&ch->head->server.park, SHM_PARKED);
	point("server-drop");
	if (pending(ch) && !atomic_load(&ch->claim)) {
		if (atomic_compare_exchange_strong(&ch->owner, &none, seat)) {
			atomic_store(&ch->head->server.park, SHM_AWAKE);
			return 0;
		}
	}
	list_del(seat, i);
	return 1;
}

/* A connection's bell has rung: whose channels are to be looked at? */
static void answer_bell(struct seat *seat, uint64_t id)
{
	struct skyipc_server *server = seat->server;
	struct sconn *conn;
	int found = 0;

	pthread_mutex_lock(&server->lock);
	conn = sconn_get_locked(server, id);
	for (struct schan *ch = conn ? conn->chans : NULL; ch; ch = ch->next) {
		struct seat *owner = atomic_load(&ch->owner);
		int work = pending(ch);

		if (work)
			found = 1;
		if (owner == seat || atomic_load(&ch->dead))
			continue;
		/*
		 * Free: the client has rung, or has written without ringing.
		 * On another list, with work and unclaimed: that worker is
		 * busy with something else; take it over.
		 */
		if (owner ? !work || atomic_load(&ch->claim)
			  : !work && atomic_load(&ch->head->server.park) ==
					     SHM_PARKED)
			continue;
		if (atomic_compare_exchange_strong(&ch->owner, &owner, seat)) {
			/* Without memory the client rings again, later. */
			if (list_add(seat, ch))
				atomic_store(&ch->owner, NULL);
			else
				atomic_store(&ch->head->server.park, SHM_AWAKE);
		}
	}
	if (conn)
		conn->strikes = found ? 0 : conn->strikes + 1;
	pthread_mutex_unlock(&server->lock);
	if (conn) {
		if (conn->strikes > STRIKES_MAX) {
			server_say(server, SKYIPC_LOG_WARNING,
				   "pid %d uid %u rings for nothing",
				   (int)conn->peer.pid,
				   (unsigned)conn->peer.uid);
			sconn_kill(conn, "rings for nothing");
		}
		sconn_put(conn);
	}
}

/* Look at the doorbells; sleep (@ms -1) if none has rung. */
static void bells(struct seat *seat, int ms)
{
	struct epoll_event ev[16];
	int n;

	do {
		n = epoll_wait(seat->server->bell_ep, ev, 16, ms);
	} while (n < 0 && errno == EINTR);
	look_where(seat);
	for (int i = 0; i < n; i++)
		if (ev[i].data.u64 >= EVENT_CONN)
			answer_bell(seat, ev[i].data.u64);
	seat->last_bells = ticks();
}

/* New channels of a polling seat. */
static void take_inbox(struct seat *seat)
{
	struct schan *ch, *next;

	if (likely(!atomic_load_explicit(&seat->inbox, memory_order_relaxed)))
		return;
	/* Acquire: pairs with seat_assign(). */
	ch = atomic_exchange_explicit(&seat->inbox, NULL, memory_order_acquire);
	for (; ch; ch = next) {
		struct sconn *conn = ch->conn;

		next = ch->next_inbox;
		if (list_add(seat, ch))
			sconn_kill(conn, "no memory to serve it");
		sconn_put(conn); /* the inbox's */
	}
}

void seat_assign(struct skyipc_server *server, struct schan *ch)
{
	struct seat *best = &server->seats[0];
	struct schan *first;

	for (uint32_t i = 1; i < server->attr.workers; i++)
		if (server->seats[i].load < best->load)
			best = &server->seats[i];
	best->load++;
	atomic_store(&ch->owner, best);
	atomic_store(&ch->head->server.park, SHM_AWAKE);
	atomic_fetch_add_explicit(&ch->conn->refs, 1, memory_order_relaxed);
	first = atomic_load_explicit(&best->inbox, memory_order_relaxed);
	do {
		ch->next_inbox = first;
		/* Release: pairs with take_inbox(). */
	} while (!atomic_compare_exchange_weak_explicit(
		&best->inbox, &first, ch, memory_order_release,
		memory_order_relaxed));
}

/* ---- rounds ------------------------------------------------------------- */

/* Look at every channel once. Return: calls served; stops if the seat is
 * lost.*/
static unsigned round_once(struct seat *seat)
{
	unsigned served = 0, n;

	for (uint32_t i = 0; i < seat->n;) {
		struct schan *ch = seat->list[i];

		if (unlikely(atomic_load_explicit(&ch->dead,
						  memory_order_relaxed) ||
			     atomic_load_explicit(&ch->owner,
						  memory_order_relaxed) !=
				     seat)) {
			if (seat->server->attr.mode == SKYIPC_POLLING)
				seat->load--;
			list_del(seat, i);
			continue;
		}
		n = serve(ch);
		if (n) {
			if (unlikely(my_seat != seat))
				return served + n;
			ch->last_round = seat->round;
			seat->last = ch;
			served += n;
		}
		i++;
	}
	if (served && !(++seat->round & 63) &&
	    seat->server->attr.mode != SKYIPC_POLLING)
		for (uint32_t i = 0; i < seat->n;)
			if (seat->round - seat->list[i]->last_round <
				    QUIET_ROUNDS ||
			    !list_drop(seat, i))
				i++;
	return served;
}

/* Do we share the CPU with the client that called last? */
static int client_is_here(struct seat *seat)
{
	for (uint32_t i = 0; i < seat->n; i++)
		if (seat->list[i] == seat->last)
			return (int)atomic_load_explicit(
				       &seat->last->head->client.cpu,
				       memory_order_relaxed) == seat->here + 1;
	return 0;
}

/*
 * Nothing is there: wait without sleeping as long as it pays. Return: calls
 * served, then go on; 0: sleep.
 */
static unsigned linger(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	uint64_t t0 = ticks(), t = t0, max = server->spin_max;
	unsigned served;
	int yields = 0;

	if (!seat->n || server->attr.mode == SKYIPC_BLOCKING)
		return 0;
	look_where(seat);
	if (client_is_here(seat)) {
		if (seat->yield_skip) {
			seat->yield_skip--;
			return 0;
		}
		while (yields++ < YIELDS) {
			sched_yield();
			served = round_once(seat);
			if (my_seat != seat)
				return served;
			if (served) {
				stat_add(seat->spins, 1);
				return served;
			}
			if (ticks() - t > ns_to_ticks(YIELD_SLOW_NS)) {
				seat->yield_skip = YIELD_SKIP;
				return 0;
			}
			t = ticks();
		}
		return 0;
	}
	if (seat->gap_avg > max && (++seat->waits & 15))
		max /= 16;
	do {
		for (int i = 0; i < 16; i++) {
			served = round_once(seat);
			if (served || my_seat != seat)
				goto out;
			cpu_relax();
		}
		t = ticks();
		if (t - seat->last_bells > server->bells_every)
			bells(seat, 0);
		if (atomic_load_explicit(&server->draining,
					 memory_order_relaxed))
			return 0;
	} while (t - t0 < max);
	served = 0;
out:
	t = ticks() - t0;
	if (served && my_seat == seat) {
		stat_add(seat->spins, 1);
		seat->gap_avg += (t >> 3) - (seat->gap_avg >> 3);
	}
	return served;
}

/* Take everything off the list and sleep until a bell rings. */
static void sleep_until_bell(struct seat *seat)
{
	uint64_t t0 = ticks(), t;

	for (uint32_t i = 0; i < seat->n;)
		if (!list_drop(seat, i))
			i++;
	if (seat->n)
		return;
	stat_add(seat->parks, 1);
	point("server-sleep");
	bells(seat, -1);
	point("server-woken");
	t = ticks() - t0;
	seat->gap_avg += (t >> 3) - (seat->gap_avg >> 3);
}

static void seat_serve(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	unsigned busy = 0;

	while (my_seat == seat &&
	       !atomic_load_explicit(&server->draining, memory_order_relaxed)) {
		if (!round_once(seat) && my_seat == seat && !linger(seat) &&
		    my_seat == seat) {
			sleep_until_bell(seat);
			busy = 0;
		} else if (my_seat == seat && !(++busy & 63) &&
			   ticks() - seat->last_bells > server->bells_every) {
			bells(seat, 0);
		}
	}
}

static void seat_poll(struct seat *seat)
{
	struct skyipc_server *server = seat->server;

	while (my_seat == seat &&
	       !atomic_load_explicit(&server->draining, memory_order_relaxed)) {
		take_inbox(seat);
		look_where(seat);
		for (int i = 0; i < 64 && my_seat == seat; i++)
			if (!round_once(seat))
				cpu_relax();
	}
}

unsigned seat_dispatch(struct seat *seat)
{
	unsigned served = 0, n;

	bells(seat, 0);
	do {
		n = round_once(seat);
		served += n;
	} while (n);
	for (uint32_t i = 0; i < seat->n;) {
		if (!list_drop(seat, i)) {
			served += serve(seat->list[i]);
			i++;
		}
	}
	return served;
}

/*
 * The server stops. Everything that has been submitted is served, by whichever
 * seat comes to it first; a client that goes on submitting is served one
 * channel's worth more.
 */
void seat_drain(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	struct schan *ch;
	struct sconn *conn;

	take_inbox(seat);
	while (seat->n) {
		atomic_store(&seat->list[0]->owner, NULL);
		list_del(seat, 0);
	}
	/* No connection is added any more: the table stays where it is. */
	for (uint32_t i = 0; i < server->conns_size; i++) {
		pthread_mutex_lock(&server->lock);
		conn = server->conns[i];
		if (conn)
			conn = sconn_get_locked(server, conn->id);
		ch = conn ? conn->chans : NULL;
		pthread_mutex_unlock(&server->lock);
		if (!conn)
			continue;
		/* Channels are added in front: the rest stays as it is. */
		for (; ch; ch = ch->next)
			for (uint32_t n = 0; n <= ch->mask && pending(ch);) {
				unsigned got = serve(ch);

				if (!got)
					break; /* claimed: in good hands */
				n += got;
			}
		sconn_put(conn);
	}
}

/* ---- threads ------------------------------------------------------------ */

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

static void seat_free_locked(struct seat *seat)
{
	struct skyipc_server *server = seat->server;

	seat->next_free = server->free_seats;
	server->free_seats = seat;
	server->nfree_seats++;
}

/*
 * A handler of this thread is about to sleep in a nested call (see block.h):
 * leave the seat to a thread that can serve meanwhile. Without one the seat is
 * kept; the calls on it wait.
 */
static void leave_seat(void)
{
	struct seat *seat = my_seat;
	struct skyipc_server *server = my_server;

	if (!seat)
		return;
	pthread_mutex_lock(&server->lock);
	/* Each idle thread takes one seat, and some may be promised already. */
	if (server->idle_threads > server->nfree_seats ||
	    (server->nthreads < server->attr.max_threads &&
	     !thread_add_locked(server))) {
		my_seat = NULL;
		seat_free_locked(seat);
		pthread_cond_broadcast(&server->changed);
	}
	pthread_mutex_unlock(&server->lock);
}

static void *worker(void *arg)
{
	struct skyipc_server *server = arg;
	struct seat *seat;

	pthread_setname_np(pthread_self(), "skyipc-worker");
	my_server = server;
	block_hook = leave_seat;
	pthread_mutex_lock(&server->lock);
	while (server->seats_done < server->attr.workers) {
		seat = server->free_seats;
		if (!seat) {
			server->idle_threads++;
			pthread_cond_wait(&server->changed, &server->lock);
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
		if (my_seat == seat)
			seat_drain(seat);
		pthread_mutex_lock(&server->lock);
		if (my_seat == seat) {
			my_seat = NULL;
			server->seats_done++;
			pthread_cond_broadcast(&server->changed);
		}
	}
	pthread_mutex_unlock(&server->lock);
	return NULL;
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
	server->seats = calloc(server->attr.workers, sizeof(struct seat));
	if (!server->seats)
		return -ENOMEM;
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
