/* SPDX-License-Identifier: MIT */
/*
 * nr_history.h - what was called and returned when, and was it linearizable?
 *
 * Two checkers. The oracle wants to know where in the log each update was and
 * which version each read saw, and then needs one look at each event for the
 * order, and one for the results, by a sequential model. The other
 * (Wing and Gong, 1993, with Lowe's memory of what has been tried, 2017) wants
 * nothing but a sequential model, and histories of at most 64 operations.
 */
#ifndef NR_HISTORY_H
#define NR_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct event {
	uint64_t begin, end; /* times; end of one is never begin of another */
	int is_read;
	/* update: its index; read: how many updates it saw */
	uint64_t at;
	/* for the model */
	uint64_t op[3];
	uint64_t result;
};

/* NULL; or what is wrong with it. The first update has index @first, or is
 * none. Sorts @events. */
const char *history_check_indices(struct event *events, size_t n,
				  uint64_t first);

/*
 * A sequential model: apply @op to @state (@size bytes, zero at first) and say
 * whether it can have returned @result.
 */
struct history_model {
	size_t size;
	int (*apply)(void *state, const uint64_t *op, uint64_t result);
	/*
	 * For history_check(), which tries first what is due first; NULL: what
	 * comes first in @events. Of operations that any state allows, as
	 * putting something into a queue, many at a time have more orders than
	 * can be tried. But what others saw tells something of it; and @events,
	 * a copy, may be made such that more states are equal.
	 */
	void (*prepare)(struct event *events, size_t n, uint64_t *due);
};

/*
 * NULL; or what is wrong: @events, which history_check_indices() has accepted,
 * one after the other in the order that their indices tell. However many.
 * @state: what they begin with, @model->size bytes, and after it what they come
 * to: a longer history is checked piece by piece.
 */
const char *history_replay(const struct history_model *model, void *state,
			   struct event *events, size_t n);

#define HISTORY_MAX 64u
#define HISTORY_STATE_MAX 128u

/* NULL; or what is wrong: there is no order that the model allows. */
const char *history_check(const struct history_model *model,
			  const struct event *events, size_t n);

#endif
