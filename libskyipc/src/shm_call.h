/* SPDX-License-Identifier: MIT */
/*
 * shm_call.h - what short calls and messages have in common
 *
 * enter() and leave() go around everything a channel's owner does with it. The
 * functions that are not inline are for what is out of the ordinary.
 */
#ifndef SKY_SHM_CALL_H
#define SKY_SHM_CALL_H

#include "clock.h"
#include "hist.h"
#include "message.h"
#include "shm_chan.h"

/* Spins inline before shm_wait() takes over: about one uncontended call. */
#define SPIN_INLINE 24

/* Everything that can be in the way of a call, or 0 if nothing is any more:
 * -EPIPE, -ECHILD, -EAGAIN. */
int shm_not_ready(struct shm_chan *ch);

/*
 * Pass over what needs no reaping at the oldest end. From a dead server nothing
 * more is expected.
 */
void shm_skip_done(struct shm_chan *ch, int dead);

/* wait_reply(), after its first spins. */
int shm_wait_slow(struct shm_chan *ch, uint64_t pos, skyipc_time t,
		  uint64_t *head);

/* Tell the server where we run, when that has changed. */
static inline void tell_cpu(struct shm_chan *ch)
{
	int cpu = cpu_here();

	if (unlikely(cpu != ch->cpu)) {
		ch->cpu = cpu;
		atomic_store_explicit(&ch->head->client.cpu, (uint32_t)cpu + 1,
				      memory_order_relaxed);
	}
}

/*
 * busy is set before anything else of the channel is looked at: a signal
 * handler that calls in between finds it set, or is through before.
 */
static inline int enter(struct shm_chan *ch)
{
	int err;

	if (unlikely(ch->busy))
		return message_busy();
	ch->busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	if (likely(shm_quiet(ch) && conn_state(ch->base.conn) == CONN_ALIVE))
		return 0;
	err = shm_not_ready(ch);
	if (err)
		ch->busy = 0;
	return err;
}

static inline void leave(struct shm_chan *ch)
{
	atomic_signal_fence(memory_order_seq_cst);
	ch->busy = 0;
}

static inline int server_is_here(struct shm_chan *ch)
{
	return atomic_load_explicit(&ch->head->server.cpu,
				    memory_order_relaxed) ==
	       (uint32_t)ch->cpu + 1;
}

/* Until the reply at @pos is there, with its head. */
static inline int wait_reply(struct shm_chan *ch, uint64_t pos, skyipc_time t,
			     uint64_t *head)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];

	for (int i = 0; i < SPIN_INLINE; i++) {
		if (shm_ready(slot, pos, head))
			return 0;
		/* On one CPU the server needs it more than we do. */
		if (server_is_here(ch))
			break;
		cpu_relax();
	}
	return shm_wait_slow(ch, pos, t, head);
}

/*
 * A synchronous call is over: the slot can be used again, unless older ones
 * are outstanding.
 */
static inline void finish(struct shm_chan *ch, uint64_t pos)
{
	if (likely(ch->tail == pos))
		ch->tail = pos + 1;
	else
		ch->pending[pos & ch->mask].kind = PENDING_DONE;
}

#endif
