/* SPDX-License-Identifier: MIT */
/*
 * nr_actors.h - fibers that use a replicated structure, and one of them that
 * adds replicas, uses them and removes them
 *
 * For structures whose functions are of the same kind, nr_map and the others.
 * What fibers have done is kept. Looked at: Is there an order of all of it that
 * explains the results? Are the replicas equal? Is any memory left?
 */
#ifndef NR_ACTORS_H
#define NR_ACTORS_H

#include <errno.h>

#include "nr.h"
#include "nr_history.h"
#include "nr_sched.h"

#define ACTORS 4
#define ACTORS_STEPS 5
#define ACTORS_EVENTS 64

/* A structure's functions. */
struct actors_type {
	int (*join)(void *structure, const struct nr_context_attr *attr,
		    void **context);
	void (*leave)(void *context);
	int (*add)(void *structure, int place);
	int (*remove)(void *structure, uint32_t replica);
	int (*destroy)(void *structure);
	struct nr *(*nr)(void *structure);
};

/* name_type: those of nr_NAME */
#define ACTORS_TYPE(name)                                                      \
	static int name##_join(void *structure,                                \
			       const struct nr_context_attr *attr,             \
			       void **context)                                 \
	{                                                                      \
		struct nr_##name##_context *c = NULL;                          \
		int err = nr_##name##_register(structure, attr, &c);           \
                                                                               \
		*context = c;                                                  \
		return err;                                                    \
	}                                                                      \
	static void name##_leave(void *context)                                \
	{                                                                      \
		nr_##name##_leave(context);                                    \
	}                                                                      \
	static int name##_add(void *structure, int place)                      \
	{                                                                      \
		return nr_##name##_replica_add(structure, place);              \
	}                                                                      \
	static int name##_remove(void *structure, uint32_t replica)            \
	{                                                                      \
		return nr_##name##_replica_remove(structure, replica);         \
	}                                                                      \
	static int name##_destroy(void *structure)                             \
	{                                                                      \
		return nr_##name##_destroy(structure);                         \
	}                                                                      \
	static struct nr *name##_nr(void *structure)                           \
	{                                                                      \
		return nr_##name##_nr(structure);                              \
	}                                                                      \
	static const struct actors_type name##_type = {                        \
		name##_join,   name##_leave,   name##_add,                     \
		name##_remove, name##_destroy, name##_nr,                      \
	}

struct actor {
	struct actors *of;
	uint64_t random;
	unsigned number;
};

/* What they do, and with what; what they have done. */
struct actors {
	const struct actors_type *type;
	void *structure;
	/* One or two operations, which it keeps. */
	void (*step)(struct actor *a, void *context);
	const struct history_model *model;
	int (*equal)(void *structure);
	int stay; /* replicas do not come and go */

	uint64_t now; /* a clock */
	size_t n;
	struct event events[ACTORS_EVENTS];
};

/* Before the structure is made: of two places, with a small log. */
struct nr_attr actors_attr(uint64_t seed);

/* In a fiber. */
void *actors_join(struct actors *all, uint32_t replica);
void actors_keep(struct actors *all, const struct event *e);

/* Asynchronous updates. */
struct actors_async {
	/* Says in @e->op what to do. */
	void (*choose)(struct actor *a, struct event *e);
	int (*submit)(void *context, const struct event *e, uint64_t tag);
	int (*poll)(void *context, struct nr_done *done, unsigned n);
	int (*wait)(void *context, struct nr_done *done, unsigned n,
		    unsigned min);
};

/* name_poll and name_wait: those of nr_NAME */
#define ACTORS_POLL(name)                                                      \
	static int name##_poll(void *context, struct nr_done *done,            \
			       unsigned n)                                     \
	{                                                                      \
		return nr_##name##_poll(context, done, n);                     \
	}                                                                      \
	static int name##_wait(void *context, struct nr_done *done,            \
			       unsigned n, unsigned min)                       \
	{                                                                      \
		return nr_##name##_wait(context, done, n, min);                \
	}

/* Two at the same time; those that had no room have not been. */
void actors_step_async(struct actor *a, void *context,
		       const struct actors_async *how);

/* All of them. NULL, or what was wrong. */
const char *actors_run(struct actors *all, uint64_t seed);

/* Only what comes after: are replicas equal, end the structure. */
const char *actors_end(struct actors *all, const char *bad);

/* ---- values ------------------------------------------------------------- */

#define VALUE_WORDS 20 /* of the longest */

/* A value is its number, over and over; its length follows from it, in bytes.
 */
size_t value_length(uint64_t value);
void value_fill(uint64_t *v, uint64_t value);
/* Which it is. It has to be whole. */
uint64_t value_of(const void *bytes, size_t len);

#endif
