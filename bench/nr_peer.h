/* SPDX-License-Identifier: MIT */
/*
 * A peer of nr is one way for threads to share a structure: a table of
 * functions, also for C++. To add one, write a file and give it a row in
 * nr_peers.c. It runs in a process of its own for each round, which ends when
 * something fails; so memory that is not there is said, and not cared for.
 *
 * Keys and values are numbers of 64 bits, in the machine's order. All that
 * can fail returns 0 or a positive number, or -errno, as nr_table.h has it.
 */
#ifndef BENCH_NR_PEER_H
#define BENCH_NR_PEER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr;

enum nr_kind { NR_MAP, NR_OMAP, NR_QUEUE, NR_VSPACE };

/** What one is made for. */
struct nr_job {
	uint64_t entries;     /* it begins with; keys are below twice that */
	const char *topology; /* libnr's notation; NULL: as found */
	unsigned threads;
};

enum nr_peer_flags {
	NR_PEER_SPINS = 1 << 0,	 /* never sleeps: needs a CPU for each thread */
	NR_PEER_PLACES = 1 << 1, /* goes by the topology */
};

/**
 * struct nr_peer - table of functions
 * @name:    what --peer takes; the same for all its structures.
 * @how:     what an operation does beside the structure's own work, for people.
 * @create:  NULL: no memory.
 * @destroy: when all threads have left.
 * @join:    in the thread that will use it; NULL: no memory. NULL in the table:
 *           threads use the structure as it is.
 * @leave:   in that thread; NULL in the table if @join is.
 * @get:     copies the value to *@value; 0, or -ENOENT. A queue: looks at the
 *           first item.
 * @put:     0: the key is new; 1: its value was replaced. A queue: puts @value.
 *           An address space: maps the key's page; 1: it was mapped, and stays.
 * @remove:  0, or -ENOENT. A queue: takes the first item to *@value, which is
 *           not touched by others.
 * @count:   entries, when nobody changes them.
 * @nr:      for statistics; NULL: has none.
 */
struct nr_peer {
	const char *name;
	enum nr_kind kind;
	unsigned flags;
	const char *how;
	void *(*create)(const struct nr_job *job);
	void (*destroy)(void *structure);
	void *(*join)(void *structure);
	void (*leave)(void *thread);
	int (*get)(void *thread, uint64_t key, uint64_t *value);
	int (*put)(void *thread, uint64_t key, uint64_t value);
	int (*remove)(void *thread, uint64_t key, uint64_t *value);
	uint64_t (*count)(void *thread);
	struct nr *(*nr)(void *structure);
};

/** The name of libnr itself, which is always measured. */
#define NR_PEER_SELF "libnr"

/** The peers of this build; ends with a NULL. */
extern const struct nr_peer *const nr_peers[];

/** The peer of that name for that structure; NULL: there is none. */
const struct nr_peer *nr_peer_find(const char *name, enum nr_kind kind);

/** Is there one of that name for any structure? */
int nr_peer_known(const char *name);

/** As peer_not_built() and peer_not_built_name(). */
const char *nr_peer_missing(const char *name);
const char *nr_peer_missing_name(unsigned i);

/** A value tells whether it is one, and of which key. */
static inline uint64_t nr_value(uint64_t key)
{
	return key | (uint64_t) ~(uint32_t)key << 32;
}

/** libnr's hash, for peers that are given one. */
uint64_t nr_key_hash(uint64_t key);

#ifdef __cplusplus
}
#endif

#endif /* BENCH_NR_PEER_H */
