/* SPDX-License-Identifier: MIT */
/*
 * shm_wait.c - a client waits for a reply
 *
 * URPC's question is whether to give up the processor. While the server runs
 * on another CPU, spinning is cheapest for as long as parking and being woken
 * would take; twice the average wait is a good bet, and a bounded one. If the
 * server is on this very CPU, it cannot run until we leave: then yield first
 * (one system call on either side instead of two, nobody needs to be woken),
 * and park if that does not bring the reply.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "block.h"
#include "clock.h"
#include "futex.h"
#include "shm_chan.h"
#include "point.h"
#include "yield.h"

__thread const struct block_hooks *block_hooks;

/* While the server has not even started, ring again after 1 ms, 2 ms, ... */
#define RING_AGAIN_MIN 1000000u
#define RING_AGAIN_MAX 64000000u

/* Spinning for longer than that, a request not even started is worth a ring. */
#define RING_SPIN_NS 50000u

static void ring(struct shm_chan *ch)
{
	struct skyipc_conn *conn = ch->base.conn;
	uint64_t one = 1;
	union proto_msg msg;
	long n;

	point("client-ring");
	stat_add(ch->base.stats.wakes, 1);
	ch->rang = ch->pos;
	/*
	 * Fails only if the counter or the socket is full (the server has
	 * something to look at already, and we ring again before long) or the
	 * server is dead (the watch tells us). Not by write() and send(), which
	 * are cancellation points.
	 */
	if (likely(conn->bell >= 0))
		n = syscall(SYS_write, conn->bell, &one, sizeof(one));
	else
		n = syscall(SYS_sendto, conn->sock, &msg,
			    proto_init(&msg, PROTO_RING),
			    MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
	(void)n;
}

void shm_ring(struct shm_chan *ch)
{
	/* The exchange, so that one wake-up is asked for once. */
	if (atomic_exchange(&ch->head->server.park, SHM_AWAKE) != SHM_AWAKE)
		ring(ch);
}

/* From the watch thread, when the server has died. */
void shm_wake(struct chan *base)
{
	struct shm_chan *ch = shm_of(base);

	/*
	 * Whatever the word says: the server may have died between changing it
	 * and waking us.
	 */
	atomic_store(&ch->head->client.park, SHM_AWAKE);
	futex_wake(&ch->head->client.park);
}

static int is_here(struct shm_chan *ch)
{
	int cpu = cpu_here();

	return (int)atomic_load_explicit(&ch->head->server.cpu,
					 memory_order_relaxed) == cpu + 1;
}

/*
 * The end of waiting: reply, death, or time. Death is looked at after the
 * reply: what came before it counts. 1: go on waiting.
 */
static int look(struct shm_chan *ch, uint64_t pos)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];

	if (shm_ready_sc(slot, pos))
		return 0;
	if (unlikely(conn_state(ch->base.conn) != CONN_ALIVE))
		return shm_ready_sc(slot, pos) ? 0 : -ECONNRESET;
	return 1;
}

static int yield(struct shm_chan *ch, uint64_t pos)
{
	int ret = 1;

	if (ch->yield_skip) {
		ch->yield_skip--;
		return 1;
	}
	for (int i = 0; i < YIELDS && ret == 1; i++) {
		if (yield_cpu(&ch->yield_skip))
			return look(ch, pos);
		ret = look(ch, pos);
		if (ret == 1 && !is_here(ch))
			break;
	}
	return ret;
}

/*
 * If the worker that has our channel is busy with another call, an idle one can
 * take it over: ring, although nobody has asked for it; unless we just have.
 * Return: whether the request has not been started.
 */
static int ring_if_waiting(struct shm_chan *ch, uint64_t pos)
{
	if (atomic_load_explicit(&ch->head->accepted, memory_order_relaxed) >
	    pos)
		return 0;
	if (ch->rang <= pos)
		ring(ch);
	return 1;
}

/*
 * For how long: when spinning has not paid lately, it is tried only now and
 * then. If the server had to be woken for this call, waits say no more than how
 * long that takes; on a machine where it takes longer than spin_max, two sides
 * that have parked once would park for ever. Then try for as long as it takes:
 * a server that has just been woken finds the next call before it parks.
 */
static uint64_t spin_limit(struct shm_chan *ch, uint64_t pos)
{
	uint64_t max = ch->spin_max;

	if (ch->wait_avg <= max)
		return max;
	if (++ch->waits & 15)
		return max / 16;
	return ch->rang > pos ? min_u64(2 * ch->wait_avg, 16 * max) : max;
}

static int spin(struct shm_chan *ch, uint64_t pos, uint64_t t0,
		uint64_t deadline)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];
	uint64_t max = spin_limit(ch, pos), head;
	uint64_t ring_at = ns_to_ticks(RING_SPIN_NS);

	point("client-spin");
	do {
		for (int i = 0; i < 32; i++) {
			if (shm_ready(slot, pos, &head)) {
				/* It has paid: go on with that. */
				if (max > ch->spin_max)
					ch->wait_avg = 0;
				return 0;
			}
			cpu_relax();
		}
		if (unlikely(ticks() - t0 > ring_at)) {
			ring_if_waiting(ch, pos);
			ring_at = UINT64_MAX;
		}
		if (conn_state(ch->base.conn) != CONN_ALIVE)
			return look(ch, pos);
		if (deadline != DEADLINE_NONE && now_ns() >= deadline)
			return -ETIMEDOUT;
		if (is_here(ch))
			return yield(ch, pos);
	} while (ticks() - t0 < max);
	return 1;
}

static int park(struct shm_chan *ch, uint64_t pos, uint64_t deadline,
		int *asked)
{
	_Atomic uint32_t *word = &ch->head->client.park;
	uint64_t again = RING_AGAIN_MIN;
	int ret;

	point("client-park");
	stat_add(ch->base.stats.parks, 1);
	do {
		uint64_t until = deadline;

		/* Dekker with the server's shm_publish(), see shm_layout.h. */
		atomic_store(word, SHM_PARKED);
		ret = look(ch, pos);
		if (ret != 1)
			break;
		if (again > RING_AGAIN_MIN)
			ch->rang = pos; /* it may not have been heard */
		if (ring_if_waiting(ch, pos)) {
			until = min_u64(deadline, now_ns() + again);
			again = min_u64(again * 2, RING_AGAIN_MAX);
		}
		*asked |= about_to_block();
		point("client-parked");
		if (futex_wait(word, SHM_PARKED, until) == -ETIMEDOUT &&
		    until == deadline) {
			ret = look(ch, pos);
			if (ret == 1)
				ret = -ETIMEDOUT;
			break;
		}
		ret = look(ch, pos);
		/* A server that keeps changing the word does not keep us. */
		if (ret == 1 && deadline != DEADLINE_NONE &&
		    now_ns() >= deadline)
			ret = -ETIMEDOUT;
	} while (ret == 1);
	atomic_store_explicit(word, SHM_AWAKE, memory_order_relaxed);
	return ret;
}

int shm_wait(struct shm_chan *ch, uint64_t pos, uint64_t deadline)
{
	uint64_t t0 = ticks(), t;
	int ret, asked = 0;

	/* A call to ourselves from a handler: nobody else may be free to
	 * serve it. */
	if (unlikely(ch->base.conn->to_self))
		asked = about_to_block();
	ret = is_here(ch) ? yield(ch, pos) : spin(ch, pos, t0, deadline);
	if (ret == 1)
		ret = park(ch, pos, deadline, &asked);
	if (unlikely(asked))
		block_hooks->back();
	t = ticks() - t0;
	ch->wait_avg += (t >> 3) - (ch->wait_avg >> 3);
	return ret;
}
