/* SPDX-License-Identifier: MIT */
/* cnr_several.c - putting an operation into several logs */
#include <errno.h>

#include "cnr.h"

const struct several *cnr_leader(const struct nr_cnr *cnr,
				 const struct spot *leader)
{
	const struct log *log = &cnr->logs[leader->log]->log;

	replica_wait_alive(log, leader->at, leader->at + 1);
	return log_op(log, log_entry(log, leader->at));
}

/* Give a log what it waits for: nothing. */
static void write_empty(struct log *log, uint64_t at)
{
	log_write_long(log, at, NULL, CNR_SEVERAL);
}

static struct log *log_in(struct cnr_replica *r, const struct spot *in)
{
	return &r->cnr->logs[in->log]->log;
}

static int has_room(struct log *log)
{
	/* Relaxed: whether it really has is for log_take_kept() to say. */
	return load_relaxed(&log->tail) < load_relaxed(&log->head) + log->size;
}

/*
 * As combiner of that part, for a while. Combiners leave an entry (log_keep()),
 * so there is room as soon as the head moves; and each time round either it
 * does, or what keeps it back has been brought forward, or is by its owner.
 */
static void wait_for_room(struct cnr_replica *r, const struct spot *in)
{
	struct replica *part = r->parts[in->log];
	struct backoff b = { 0, 0 };

	while (!has_room(part->log)) {
		gate_lock(&part->lock.gate);
		replica_make_room(part);
		gate_unlock(&part->lock.gate);
		backoff_only(&b);
	}
}

/*
 * An entry in each log; or none. Not waiting while some are taken and not
 * written: those who wait for these might be those whom we wait for.
 */
static int take(struct cnr_replica *r, struct several *s)
{
	uint32_t k;

	for (k = 0; k < s->n; k++) {
		if (mutant(CNR_FULL_HELD))
			wait_for_room(r, &s->in[k]);
		if (!log_take_kept(log_in(r, &s->in[k]), &s->in[k].at))
			break;
	}
	if (k == s->n)
		return 1;
	stat_add(r->cnr->empty, k);
	while (k--)
		write_empty(log_in(r, &s->in[k]), s->in[k].at);
	return 0;
}

/*
 * Return: where it leads. Once that is written, @s may be done everywhere, and
 * gone with the next round of the log.
 */
static struct spot put(struct cnr_replica *r, struct several *s,
		       struct post **posts)
{
	struct spot leader;

	for (uint32_t k = 0; k < s->n; k++)
		log_keep(log_in(r, &s->in[k]), 1);
	/* Room that is kept can only be lost to those who had not yet seen
	 * that, each once: so this ends. */
	do {
		for (uint32_t k = 0; k < s->n && !mutant(CNR_FULL_HELD); k++)
			wait_for_room(r, &s->in[k]);
	} while (!take(r, s));
	for (uint32_t k = 0; k < s->n; k++)
		log_keep(log_in(r, &s->in[k]), 0);
	/* The leader last: it is done when that one is there. */
	for (uint32_t k = s->n; --k;) {
		*posts[k] = (struct post){ s->in[0], s->in[k].at };
		log_write_long(log_in(r, &s->in[k]), s->in[k].at, posts[k],
			       CNR_SEVERAL);
	}
	leader = s->in[0];
	s->post = (struct post){ leader, leader.at };
	log_write_long(log_in(r, &leader), leader.at, s, CNR_SEVERAL);
	return mutant(CNR_LEADER_LATE) ? s->in[0] : leader;
}

static struct several *copy(const struct several *what,
			    const struct nr_classes *set)
{
	size_t head = sizeof(*what) + set->n * sizeof(struct spot);
	int keeps = what->kind == SEVERAL_UPDATE && what->len;
	struct several *s = mem_alloc(head + (keeps ? what->len : 0));

	if (!s)
		return NULL;
	*s = *what;
	cnr_each_log(i, set) s->in[s->n++].log = i;
	if (keeps) {
		s->op = (char *)s + head;
		memcpy((char *)s + head, what->op, what->len);
	}
	return s;
}

int cnr_several(struct cnr_replica *r, const struct nr_classes *set,
		const struct several *what)
{
	struct post *posts[NR_LOGS_MAX];
	struct nr_cnr *cnr = r->cnr;
	struct several *s = copy(what, set);
	struct replica *part;
	struct spot leader;
	uint32_t n = 1;

	if (!s)
		return -ENOMEM;
	for (; n < s->n; n++) {
		posts[n] = mem_alloc(sizeof(struct post));
		if (!posts[n])
			break;
	}
	if (n < s->n) {
		while (--n)
			mem_free(posts[n]);
		mem_free(s);
		return -ENOMEM;
	}
	if (!mutant(CNR_UNORDERED))
		gate_lock(&cnr->scan);
	leader = put(r, s, posts);
	stat_add(cnr->put[what->kind], 1);
	if (!mutant(CNR_UNORDERED))
		gate_unlock(&cnr->scan);
	part = r->parts[leader.log];
	while (gate_or(&part->lock.gate, cnr_done(r, &leader),
		       &part_of(part)->waits)) {
		replica_apply(part, leader.at + 1);
		gate_unlock(&part->lock.gate);
	}
	return 0;
}
