/* SPDX-License-Identifier: MIT */
/* cnr_meet.c - a replica comes to an operation that is in several logs */
#include "cnr.h"

/* ---- doing it ----------------------------------------------------------- */

void cnr_do(struct cnr_replica *r, const struct several *s)
{
	const struct nr_cnr_ops *ops = &r->cnr->ops;

	/* All, before anybody can see in any log that it has been done. */
	for (uint32_t k = 0; k < s->n; k++)
		if (!k || !mutant(CNR_CTAIL_OWN))
			log_completed(&r->cnr->logs[s->in[k].log]->log,
				      s->in[k].at + 1);
	switch (s->kind) {
	case SEVERAL_UPDATE:
		ops->update(r->object, s->op, s->len,
			    r->id == s->id ? s->to : NULL);
		break;
	case SEVERAL_READ:
		if (r->id == s->id)
			ops->read(r->object, s->op, s->len, s->to);
		break;
	case SEVERAL_VISIT:
		if (r->id == s->id)
			s->visit(r, s);
		break;
	}
}

void cnr_let_go(struct replica *r, uint64_t at)
{
	/* Release: as in apply(). */
	store_release(&r->ltail, at + 1);
	rlock_write_end(&r->lock);
}

/* ---- the leader --------------------------------------------------------- */

/*
 * Until this part is at its entry, too: its combiner has come there, or we take
 * his place. Helpers keep away meanwhile: each could be in our way once more,
 * if he has not yet seen that it is wanted.
 */
static void await(struct replica *r, uint64_t at)
{
	struct part *p = part_of(r);
	int taken = gate_try(&r->lock.gate);

	if (!taken && !cnr_arrived(p, at)) {
		add_acq_rel(&p->wanted, 1);
		taken = gate_or(&r->lock.gate, cnr_arrived(p, at), &p->waits);
		add_acq_rel(&p->wanted, -1u);
	}
	if (taken) {
		replica_apply(r, at);
		rlock_write_begin(&r->lock);
	}
	/* Not before: on the way we may have been here for older ones. */
	p->taken = taken;
}

static void lead(struct cnr_replica *r, const struct several *s)
{
	for (uint32_t k = 1; k < s->n && !mutant(CNR_NO_WAIT); k++)
		await(r->parts[s->in[k].log], s->in[k].at);
	cnr_do(r, s);
	for (uint32_t k = 1; k < s->n && !mutant(CNR_NO_WAIT); k++) {
		struct replica *other = r->parts[s->in[k].log];

		if (!part_of(other)->taken)
			continue;
		cnr_let_go(other, s->in[k].at);
		gate_unlock(&other->lock.gate);
	}
	cnr_set_done(r, &s->post.leader);
	/* For those who have arrived, and who has asked for it. */
	gate_news(&r->parts[s->post.leader.log]->lock.gate);
}

/* ---- the others --------------------------------------------------------- */

static void follow(struct part *p, const struct post *post)
{
	const struct spot *leader = &post->leader;
	struct cnr_replica *r = p->replica;
	struct replica *part = r->parts[leader->log];

	/* Release pairs with cnr_arrived(). */
	store_release_or_relaxed(&p->arrived, post->at + 1, RELAXED_ARRIVED);
	if (!mutant(CNR_ASLEEP))
		gate_news(&r->parts[p->log]->lock.gate);
	while (gate_or(&part->lock.gate, cnr_done(r, leader), &p->waits)) {
		replica_apply(part, leader->at + 1);
		gate_unlock(&part->lock.gate);
	}
}

void cnr_meet(struct part *p, const struct post *post)
{
	if (p->log == post->leader.log)
		lead(p->replica, (const struct several *)post);
	else if (!mutant(CNR_NO_WAIT))
		follow(p, post);
}
