/* SPDX-License-Identifier: MIT */
/*
 * serve.c - one call over shared memory: from the request slot to the reply
 * slot
 *
 * Runs on a worker thread. The request's words are copied once; everything that
 * is checked is checked in the copy. A bad request gets an error reply and
 * costs its sender.
 */
#include <errno.h>

#include "futex.h"
#include "point.h"
#include "server.h"
#include "serving.h"

/* Calls of one channel in a row, while others wait. */
#define BATCH 32

static __attribute__((noinline)) void wake(struct schan *ch)
{
	/* Only one waker: the watch thread of the client may be another. */
	if (atomic_exchange(&ch->head->client.park, SHM_AWAKE) == SHM_AWAKE)
		return;
	point("server-wake");
	stat_add(ch->stats.wakes, 1);
	futex_wake(&ch->head->client.park);
}

static inline void publish(struct schan *ch, uint64_t pos, uint32_t flags,
			   uint32_t code, const uint64_t *w, uint64_t ext)
{
	struct shm_slot *slot = &ch->rep[pos & ch->mask];

	shm_put(slot, w, ext);
	point("server-reply");
	if (unlikely(shm_publish(slot, shm_head(pos, flags, code),
				 &ch->head->client)))
		wake(ch);
}

static __attribute__((noinline)) void refuse(struct schan *ch, uint64_t pos,
					     int err)
{
	static const uint64_t none[SKYIPC_WORDS];

	stat_add(ch->stats.errors, 1);
	publish(ch, pos, CALL_ERROR, (uint32_t)err, none, 0);
}

static __attribute__((noinline)) void finish_extras(struct serving *s,
						    int32_t status)
{
	uint32_t flags = 0;
	uint64_t ext = 0;
	int err = serving_finish(s, &flags, &ext);

	if (err)
		refuse(s->ch, s->pos, err);
	else
		publish(s->ch, s->pos, flags, (uint32_t)status, s->call.out,
			ext);
}

static inline __attribute__((always_inline)) void
serve_one(struct schan *ch, uint64_t pos, uint64_t head)
{
	struct shm_slot *slot = &ch->req[pos & ch->mask];
	struct serving s;
	int32_t status;
	uint64_t ext;
	int err;

	serving_begin(&s, ch, shm_head_code(head), pos);
	shm_get(slot, s.call.in);
	ext = atomic_load_explicit(&slot->ext, memory_order_relaxed);
	/* A client about to sleep looks here: it is in good hands. */
	atomic_store_explicit(&ch->head->accepted, pos + 1,
			      memory_order_relaxed);
	err = serving_run(&s, ch, shm_head_flags(head), ext, &status);
	if (unlikely(err))
		refuse(ch, pos, err);
	/* One test of what is nearly never there. */
	else if (unlikely(serving_has_extras(&s)))
		finish_extras(&s, status);
	else
		publish(ch, pos, 0, (uint32_t)status, s.call.out, 0);
}

/* Under the claim, with a request's head at @pos. */
static inline __attribute__((always_inline)) unsigned
serve_batch(struct schan *ch, uint64_t pos, uint64_t head)
{
	unsigned served = 0;

	do {
		/*
		 * Before the handler: whoever looks meanwhile must see what
		 * comes next, not what is being served.
		 */
		atomic_store_explicit(&ch->pos, pos + 1, memory_order_relaxed);
		serve_one(ch, pos++, head);
		served++;
	} while (shm_ready(&ch->req[pos & ch->mask], pos, &head) &&
		 served < BATCH);
	return served;
}

/* Serve under the claim, if nobody else has it. */
static inline __attribute__((always_inline)) unsigned
serve_claimed(struct schan *ch, uint64_t pos, uint64_t head)
{
	unsigned served = 0;

	/* Acquire, of pos and all else: pairs with the store of 0 below. */
	if (unlikely(atomic_exchange_explicit(&ch->claim, 1,
					      memory_order_acquire)))
		return 0;
	point("server-claimed");
	if (likely(pos == atomic_load_explicit(&ch->pos, memory_order_relaxed)))
		served = serve_batch(ch, pos, head);
	/* Sequentially consistent with list_drop()'s stores, see below. */
	atomic_store(&ch->claim, 0);
	point("server-unclaimed");
	return served;
}

/*
 * The channel is on no list. Whoever took it off may have found it claimed and
 * left what had come meanwhile to us.
 */
static __attribute__((noinline)) unsigned serve_left(struct schan *ch)
{
	unsigned served = 0;
	uint64_t pos, head;

	/* A server that drains does not wait for clients to get tired. */
	while (!atomic_load(&ch->owner) && schan_ready(ch, &pos, &head) &&
	       !atomic_load(&ch->claim) &&
	       (served <= ch->mask || !ch->conn->server->draining))
		served += serve_claimed(ch, pos, head);
	return served;
}

unsigned serve_ready(struct schan *ch, uint64_t pos, uint64_t head)
{
	unsigned served = serve_claimed(ch, pos, head);

	if (unlikely(!atomic_load(&ch->owner)))
		served += serve_left(ch);
	return served;
}
