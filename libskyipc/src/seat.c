/* SPDX-License-Identifier: MIT */
/*
 * seat.c - finding work, and waiting for it
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
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "kcall_server.h"
#include "point.h"
#include "seat.h"
#include "yield.h"

/* A busy worker drops channels that were quiet for so many rounds. */
#define QUIET_ROUNDS 4096

/* A thread that could not become a worker of the module tries again. */
#define TRY_AGAIN_MS 10

/* After so many calls a busy worker looks at the clock. */
#define BUSY_CALLS 64

/* A dispatching thread has other things to do, however busy clients are. */
#define DISPATCH_ROUNDS 256
#define DISPATCH_CALLS 4096

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
			seat_list_del(seat, i);
			continue;
		}
		seat->current = ch;
		n = serve(ch);
		if (n) {
			if (unlikely(my_seat != seat))
				return served + n;
			__atomic_store_n(&ch->last_round, seat->round,
					 __ATOMIC_RELAXED);
			seat->caller_cpu = atomic_load_explicit(
				&ch->head->client.cpu, memory_order_relaxed);
			served += n;
		}
		i++;
	}
	seat->current = NULL;
	if (served && !(++seat->round & 63) &&
	    seat->server->attr.mode != SKYIPC_POLLING)
		for (uint32_t i = 0; i < seat->n;)
			if (seat->round - stat_read(seat->list[i]->last_round) <
				    QUIET_ROUNDS ||
			    !seat_list_drop(seat, i))
				i++;
	return served;
}

/* Who else wants something? */
static void look_around(struct seat *seat)
{
	seat_bells(seat, 0);
	if (my_seat == seat)
		kcall_serve(seat, 0);
}

/*
 * Do we share the CPU with the client that called last? Then it cannot call
 * again while we spin.
 */
static int caller_is_here(struct seat *seat)
{
	return seat->caller_cpu == (uint32_t)seat->here + 1;
}

/* Before anything else is thought of: the next call may be on its way. */
static unsigned spin_briefly(struct seat *seat)
{
	unsigned served = 0;

	for (int i = 0; i < 16 && !served && my_seat == seat; i++) {
		cpu_relax();
		served = round_once(seat);
	}
	return served;
}

/*
 * Nothing is there: wait without sleeping as long as it pays. Return: calls
 * served, then go on; 0: sleep.
 */
static unsigned linger(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	uint64_t t0, t, max = server->spin_max;
	int yields = 0, trying = 0;
	unsigned served;

	if (!seat->n || server->attr.mode == SKYIPC_BLOCKING)
		return 0;
	if (likely(!caller_is_here(seat))) {
		served = spin_briefly(seat);
		if (served || my_seat != seat)
			return served;
	}
	t0 = ticks();
	seat_look_where(seat);
	if (caller_is_here(seat)) {
		if (seat->yield_skip) {
			seat->yield_skip--;
			return 0;
		}
		while (yields++ < YIELDS) {
			int slow = yield_cpu(&seat->yield_skip);

			served = round_once(seat);
			if (my_seat != seat)
				return served;
			if (served) {
				stat_add(seat->spins, 1);
				return served;
			}
			if (slow)
				return 0;
		}
		return 0;
	}
	/*
	 * A worker that sleeps sees calls later than they come, by what it
	 * takes to wake it: so an average of such waits says little, and a full
	 * try that pays says more than all of them.
	 */
	if (seat->gap_avg > max) {
		trying = !(++seat->waits & 15);
		if (!trying)
			max /= 16;
	}
	do {
		for (int i = 0; i < 16; i++) {
			served = round_once(seat);
			if (served || my_seat != seat)
				goto out;
			cpu_relax();
		}
		t = ticks();
		if (t - seat->last_bells > server->bells_every)
			look_around(seat);
		if (my_seat != seat)
			return 0;
		if (atomic_load_explicit(&server->draining,
					 memory_order_relaxed))
			return 0;
	} while (t - t0 < max);
	served = 0;
out:
	t = ticks() - t0;
	if (served && my_seat == seat) {
		stat_add(seat->spins, 1);
		if (trying)
			seat->gap_avg = t;
		seat->gap_avg += (t >> 3) - (seat->gap_avg >> 3);
	}
	return served;
}

/*
 * For a call or a bell, and serve calls as long as there is nothing else. The
 * module tells of a bell once, and may have told when nobody listened: so look
 * before. (Whatever rings after that ends the wait.) Who rings all the time
 * does not keep calls from being served.
 */
static void sleep_in_module(struct seat *seat)
{
	kcall_serve(seat, !seat_bells(seat, 0));
}

/* Take everything off the list and sleep until a bell rings. */
static void sleep_until_bell(struct seat *seat)
{
	uint64_t t0 = ticks(), t;

	for (uint32_t i = 0; i < seat->n;)
		if (!seat_list_drop(seat, i))
			i++;
	if (seat->n)
		return;
	stat_add(seat->parks, 1);
	point("server-sleep");
	if (kcall_worker_ready(seat->server))
		sleep_in_module(seat);
	else
		seat_bells(seat, seat->server->kcall < 0 ? -1 : TRY_AGAIN_MS);
	point("server-woken");
	if (my_seat != seat)
		return;
	t = ticks() - t0;
	seat->gap_avg += (t >> 3) - (seat->gap_avg >> 3);
}

void seat_serve(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	unsigned busy = 0;

	while (my_seat == seat &&
	       !atomic_load_explicit(&server->draining, memory_order_relaxed)) {
		unsigned n = round_once(seat);

		if (!n && my_seat == seat && !linger(seat) && my_seat == seat) {
			sleep_until_bell(seat);
			busy = 0;
			continue;
		}
		busy += n | 1;
		if (busy < BUSY_CALLS || my_seat != seat)
			continue;
		busy = 0;
		if (ticks() - seat->last_bells > server->bells_every)
			look_around(seat);
	}
}

void seat_poll(struct seat *seat)
{
	struct skyipc_server *server = seat->server;

	while (my_seat == seat &&
	       !atomic_load_explicit(&server->draining, memory_order_relaxed)) {
		seat_take_inbox(seat);
		seat_look_where(seat);
		for (int i = 0; i < 64 && my_seat == seat; i++)
			if (!round_once(seat))
				cpu_relax();
	}
}

unsigned seat_dispatch(struct seat *seat)
{
	unsigned served = 0, n, rounds = 0;
	uint64_t one = 1, more;

	/* It says no more than that there was something left. */
	if (read(seat->server->more_fd, &more, sizeof(more)) < 0)
		more = 0;
	seat_bells(seat, 0);
	do {
		n = round_once(seat) + kcall_serve(seat, 0);
		served += n;
	} while (n && ++rounds < DISPATCH_ROUNDS && served < DISPATCH_CALLS);
	/* Calls may wait that this thread cannot take now: not at full speed */
	if (!served && seat->server->kcall >= 0 && !my_kcall_worker)
		poll(NULL, 0, TRY_AGAIN_MS);
	for (uint32_t i = 0; i < seat->n;)
		if (!seat_list_drop(seat, i))
			i++;
	/*
	 * What stays here has work: the descriptor must say so. (Not by the
	 * client's doorbell: the client could make that write sleep.)
	 */
	if (seat->n && write(seat->server->more_fd, &one, sizeof(one)) < 0)
		server_say(seat->server, SKYIPC_LOG_ERROR, "more work: %s",
			   strerror(errno));
	return served;
}

static void drain_chan(struct schan *ch)
{
	for (uint32_t n = 0; n <= ch->mask && seat_pending(ch);) {
		unsigned got = serve(ch);

		if (!got)
			break; /* claimed: in good hands */
		n += got;
	}
}

/*
 * The server stops. Everything that has been submitted is served, by whichever
 * seat comes to it first; a client that goes on submitting is served one
 * channel's worth more.
 */
void seat_drain(struct seat *seat)
{
	struct skyipc_server *server = seat->server;
	uint64_t kcalls = 0, most = 0;
	struct schan *ch;
	struct sconn *conn;
	uint32_t size;

	seat_take_inbox(seat);
	while (seat->n) {
		atomic_store(&seat->list[0]->owner, NULL);
		seat_list_del(seat, 0);
	}
	/* No connection is added any more. */
	pthread_mutex_lock(&server->lock);
	size = server->conns_size;
	pthread_mutex_unlock(&server->lock);
	for (uint32_t i = 0; i < size; i++) {
		pthread_mutex_lock(&server->lock);
		conn = server->conns[i];
		if (conn)
			conn = sconn_get_locked(server, conn->id);
		ch = conn ? conn->chans : NULL;
		if (conn && conn->kcall >= 0)
			most += sconn_drain_max(conn);
		pthread_mutex_unlock(&server->lock);
		if (!conn)
			continue;
		/* Channels are added in front: the rest stays as it is. */
		for (; conn->kcall < 0 && ch; ch = ch->next)
			drain_chan(ch);
		sconn_put(conn);
	}
	while (kcalls < most) {
		unsigned got = kcall_serve(seat, 0);

		if (!got)
			break;
		kcalls += got;
	}
}
