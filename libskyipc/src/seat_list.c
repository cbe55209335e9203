/* SPDX-License-Identifier: MIT */
/* seat_list.c - how channels come onto a worker's list, and go */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "clock.h"
#include "point.h"
#include "seat.h"

/* Rings without a request, in a row, after which a client has to go. */
#define STRIKES_MAX 10000

/* Clients that share our CPU are not to spin: see shm_wait.c. */
static void tell_cpu(struct seat *seat, struct schan *ch)
{
	atomic_store_explicit(&ch->head->server.cpu, (uint32_t)seat->here + 1,
			      memory_order_relaxed);
}

void seat_look_where(struct seat *seat)
{
	int cpu = cpu_here();

	if (likely(cpu == seat->here))
		return;
	seat->here = cpu;
	for (uint32_t i = 0; i < seat->n; i++)
		tell_cpu(seat, seat->list[i]);
}

int seat_list_add(struct seat *seat, struct schan *ch)
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
	__atomic_store_n(&ch->last_round, seat->round, __ATOMIC_RELAXED);
	tell_cpu(seat, ch);
	seat->list[seat->n++] = ch;
	return 0;
}

void seat_list_del(struct seat *seat, uint32_t i)
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
int seat_list_drop(struct seat *seat, uint32_t i)
{
	struct schan *ch = seat->list[i];
	struct seat *none = NULL, *me = seat;

	/* Before the owner: whoever takes the channel next stores it after. */
	if (atomic_load(&ch->owner) == seat)
		atomic_store(&ch->head->server.park, SHM_PARKED);
	point("server-drop");
	if (!atomic_compare_exchange_strong(&ch->owner, &me, NULL)) {
		/* Another seat has taken it over. */
		seat_list_del(seat, i);
		return 1;
	}
	if (seat_pending(ch) && !atomic_load(&ch->claim)) {
		if (atomic_compare_exchange_strong(&ch->owner, &none, seat)) {
			atomic_store(&ch->head->server.park, SHM_AWAKE);
			return 0;
		}
	}
	seat_list_del(seat, i);
	return 1;
}

/*
 * One of a connection that has rung: take it onto the list if it is free, which
 * means that the client has rung for it or has written without ringing; or if
 * it has work and is not being served although on another list, for that worker
 * is busy with something else. Return: whether there is work.
 */
static int answer_for(struct seat *seat, struct schan *ch)
{
	struct seat *owner = atomic_load(&ch->owner);
	int work = seat_pending(ch);

	if (owner == seat || atomic_load(&ch->dead))
		return work;
	if (owner ? !work || atomic_load(&ch->claim)
		  : !work && atomic_load(&ch->head->server.park) == SHM_PARKED)
		return work;
	if (atomic_compare_exchange_strong(&ch->owner, &owner, seat)) {
		/* Without memory the client rings again, later. */
		if (seat_list_add(seat, ch))
			atomic_store(&ch->owner, NULL);
		else
			atomic_store(&ch->head->server.park, SHM_AWAKE);
	}
	return work;
}

/* A connection's bell has rung: whose channels are to be looked at? */
static void answer_bell(struct seat *seat, uint64_t id)
{
	struct skyipc_server *server = seat->server;
	struct sconn *conn;
	struct schan *ch;
	uint64_t served = 0;
	uint32_t strikes;
	int found = 0;

	pthread_mutex_lock(&server->lock);
	conn = sconn_get_locked(server, id);
	ch = conn ? conn->chans : NULL;
	pthread_mutex_unlock(&server->lock);
	if (!conn)
		return;
	/* Channels are added in front: the rest stays as it is. (A client with
	 * very many does not keep the lock from others.) */
	for (; ch; ch = ch->next) {
		found |= answer_for(seat, ch);
		served += atomic_load_explicit(&ch->pos, memory_order_relaxed);
	}
	/* Who rings for a call that has been served meanwhile has not rung for
	 * nothing. (Two workers may be here at once: then it is a guess.) */
	if (atomic_exchange_explicit(&conn->served_at_bell, served,
				     memory_order_relaxed) != served)
		found = 1;
	strikes = found ? 0
			: atomic_load_explicit(&conn->strikes,
					       memory_order_relaxed) +
				  1;
	atomic_store_explicit(&conn->strikes, strikes, memory_order_relaxed);
	if (strikes > STRIKES_MAX) {
		server_say(server, SKYIPC_LOG_WARNING,
			   "pid %d uid %u rings for nothing",
			   (int)conn->peer.pid, (unsigned)conn->peer.uid);
		sconn_kill(conn, END_GONE, "rings for nothing");
	}
	sconn_put(conn);
}

int seat_bells(struct seat *seat, int ms)
{
	struct epoll_event ev[16];
	int n;

	do {
		n = epoll_wait(seat->server->bell_ep, ev, 16, ms);
	} while (n < 0 && errno == EINTR);
	seat_look_where(seat);
	for (int i = 0; i < n; i++)
		if (ev[i].data.u64 >= EVENT_CONN)
			answer_bell(seat, ev[i].data.u64);
	seat->last_bells = ticks();
	return n;
}

void seat_take_inbox(struct seat *seat)
{
	struct schan *ch, *next;

	if (likely(!atomic_load_explicit(&seat->inbox, memory_order_relaxed)))
		return;
	/* Acquire: pairs with seat_assign(). */
	ch = atomic_exchange_explicit(&seat->inbox, NULL, memory_order_acquire);
	for (; ch; ch = next) {
		struct sconn *conn = ch->conn;

		next = ch->next_inbox;
		if (seat_list_add(seat, ch))
			sconn_kill(conn, END_SERVER, "no memory to serve it");
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
		/* Release: pairs with seat_take_inbox(). */
	} while (!atomic_compare_exchange_weak_explicit(
		&best->inbox, &first, ch, memory_order_release,
		memory_order_relaxed));
}
