/* SPDX-License-Identifier: MIT */
/* cnr_use.c - several logs: what a program calls all the time */
#include <errno.h>

#include "cnr.h"

/* What is in several logs is counted in the first one of them. */
static struct nr_context *counted(const struct nr_cnr_context *c)
{
	return c->logs[cnr_classes_next(&c->classes, 0)];
}

/*
 * Who does it writes the result where @what says, which may be any thread: it
 * is promised room that is aligned to 8 and zero.
 */
static int update_several(struct nr_cnr_context *c, struct several *what)
{
	size_t size = c->cnr->ops.result_size;
	void *result = size ? what->to : NULL;
	int moved = ((uintptr_t)result & 7) != 0;
	int err;

	what->to = moved ? mem_alloc(size) : result;
	if (moved && !what->to)
		return -ENOMEM;
	if (what->to)
		memset(what->to, 0, size);
	/* Those of ours that are older go first, as in one log. */
	cnr_each_log(i, &c->classes) if (!mutant(CNR_OVERTAKE))
		context_finish(c->logs[i]);
	err = cnr_several(c->replica, &c->classes, what);
	if (!err)
		stat_add(counted(c)->several, 1);
	if (moved) {
		if (!err)
			memcpy(result, what->to, size);
		mem_free(what->to);
	}
	return err;
}

NR_PUBLIC int nr_cnr_update(struct nr_cnr_context *c, const void *op,
			    size_t len, void *result)
{
	const struct nr_cnr_ops *ops = &c->cnr->ops;
	struct several what = {
		.kind = SEVERAL_UPDATE, .op = op, .len = len, .to = result
	};
	uint32_t log;

	if (unlikely(len >= CNR_SEVERAL))
		return -EMSGSIZE;
	log = cnr_classify(&c->classes, ops->update_class, op, len);
	if (likely(log != UINT32_MAX))
		return nr_update(c->logs[log], op, len, result);
	what.id = c->replica->id;
	return update_several(c, &what);
}

/* ---- reads -------------------------------------------------------------- */

static void catch_up(struct nr_context *c, uint64_t done)
{
	/* Acquire pairs with apply(). */
	if (unlikely(load_acquire(&c->replica->ltail) < done))
		context_catch_up(c, done);
}

/* Beside updates: what is seen of them has been done already, see apply.h. */
static int read_concurrent(struct nr_cnr_context *c, struct nr_context *part,
			   const void *op, size_t len, void *result)
{
	catch_up(part, log_done(part->log));
	c->cnr->ops.read(c->replica->object, op, len, result);
	stat_add(part->reader.reads, 1);
	return 0;
}

/*
 * Stop all parts in @set. Return: the first that could not be, as there is a
 * writer, nlogs: all are. Who waited for a writer with other parts stopped
 * might wait for one who waits for these.
 */
static uint32_t stop(struct nr_cnr_context *c)
{
	struct nr_classes *set = &c->classes;

	cnr_each_log(i, set)
	{
		struct nr_context *part = c->logs[i];

		if (mutant(CNR_HOLD))
			rlock_read_begin(&part->reader, &part->replica->lock);
		else if (!rlock_read_try(&part->reader, &part->replica->lock))
			return i;
	}
	return set->nlogs;
}

static void go_on(struct nr_cnr_context *c, uint32_t upto)
{
	struct nr_classes *set = &c->classes;

	cnr_each_log(i, set) if (i < upto) rlock_read_end(&c->logs[i]->reader);
}

/*
 * All parts stand still; was that so in all logs at one moment? Now, if none of
 * them has gone on since.
 */
static int is_cut(struct nr_cnr_context *c)
{
	struct nr_classes *set = &c->classes;

	cnr_each_log(i, set)
	{
		struct nr_context *part = c->logs[i];

		/* Relaxed: it does not move. */
		if (load_relaxed(&part->replica->ltail) < log_done(part->log))
			return mutant(CNR_CUT);
	}
	return 1;
}

static int try_to_read(struct nr_cnr_context *c, const void *op, size_t len,
		       void *result)
{
	struct nr_classes *set = &c->classes;
	uint32_t busy;
	int ok;

	cnr_each_log(i, set) catch_up(c->logs[i], log_done(c->logs[i]->log));
	busy = stop(c);
	ok = busy == set->nlogs && is_cut(c);
	if (ok)
		c->cnr->ops.read(c->replica->object, op, len, result);
	go_on(c, busy);
	if (busy < set->nlogs) {
		/* Until the writer is gone, in turn with other readers. */
		struct nr_context *part = c->logs[busy];

		rlock_read_begin(&part->reader, &part->replica->lock);
		rlock_read_end(&part->reader);
	}
	return ok;
}

#ifdef NR_TEST_POINTS
#define TRIES 2
#else
#define TRIES 8
#endif

/* If others update all the time: a place in the logs is certain. */
static int read_several(struct nr_cnr_context *c, const void *op, size_t len,
			void *result)
{
	struct several what = { .kind = SEVERAL_READ,
				.id = c->replica->id,
				.op = op,
				.len = len,
				.to = result };

	int err = 0, i = 0;

	while (i < TRIES && !try_to_read(c, op, len, result))
		i++;
	if (i == TRIES)
		err = cnr_several(c->replica, &c->classes, &what);
	if (!err)
		stat_add(counted(c)->reader.reads, 1);
	return err;
}

NR_PUBLIC int nr_cnr_read(struct nr_cnr_context *c, const void *op, size_t len,
			  void *result)
{
	const struct nr_cnr_ops *ops = &c->cnr->ops;
	uint32_t log;

	if (unlikely(!ops->read))
		return -ENOSYS;
	log = cnr_classify(&c->classes, ops->read_class, op, len);
	if (unlikely(log == UINT32_MAX))
		return read_several(c, op, len, result);
	/* Of several classes, though they have one log: as if they had not. */
	if (ops->flags & NR_CNR_CONCURRENT && !c->classes.n)
		return read_concurrent(c, c->logs[log], op, len, result);
	return nr_read(c->logs[log], op, len, result);
}

NR_PUBLIC void nr_cnr_sync(struct nr_cnr_context *c)
{
	for (uint32_t i = 0; i < c->cnr->nlogs; i++)
		nr_sync(c->logs[i]);
}
