/* SPDX-License-Identifier: MIT */
/*
 * replica.h - one replica, and who takes part on it
 *
 * Whoever owns the gate of a replica's lock is its combiner: only he changes
 * the structure, ltail and the list of contexts. (An owner may be a thread of
 * another replica that helps, or one that adds or removes something.)
 */
#ifndef NR_REPLICA_H
#define NR_REPLICA_H

#include "log.h"
#include "mem.h"
#include "nr.h"
#include "rlock.h"
#include "topology.h"

/* An update that a combiner has collected. */
struct item {
	const void *op; /* as log_write() wants it */
	uint32_t len;
	void *result;	   /* NULL: not wanted */
	struct slot *slot; /* to be answered; NULL: the combiner's own */
};

/* Those that a combiner has put into the log, at once. */
struct batch {
	uint64_t first; /* index of the first one's entry */
	uint32_t n;
	uint32_t max;
	struct item *items;
};

struct replica {
	/* Read by its threads, changed by nobody. */
	struct nr *nr;
	struct log *log;
	void *object;
	void (*update)(void *object, const void *op, size_t len, void *result);
	void (*read)(const void *object, const void *op, size_t len,
		     void *result);
	uint32_t id;
	uint32_t place;
	int hooks;	  /* batch_begin, batch_end, or concurrent */
	int concurrent;	  /* there are readers beside updates */
	uint32_t results; /* bytes of an update's; 0: it has none */
	int node;	  /* of its memory; -1: none in particular */
	size_t object_bytes;
	size_t bytes; /* of this, the items behind it included */
	struct {
		/* Written by the combiner; read by readers and collectors. */
		apart _Atomic uint64_t ltail;
	};
	struct rlock lock;
	struct {
		/* The combiner's own. */
		apart struct nr_context **contexts;
		uint32_t ncontexts;
		uint32_t contexts_cap;
		uint32_t turn; /* who is asked first */
		struct item *items;
		struct nr_replica_stats stats;
	};
	/* Under nr->collecting. */
	struct replica *next;
};

/* What is different where it is one of the logs of a structure (cnr.h). */
struct nr_parts {
	struct nr_topology *topology;
	int concurrent; /* as struct replica has it */
	/*
	 * Bring @r, of another node than the caller's, forward; to @upto, or a
	 * part of the way. Its gate is ours; those of others may only be tried.
	 * @most: entries to apply, wherever it has to.
	 */
	void (*help)(struct replica *r, uint64_t upto, uint64_t most);
	/* Is it worth trying to get its gate for that? */
	int (*may_help)(struct replica *r);
};

struct nr {
	struct nr_ops ops;
	struct nr_attr attr; /* its defaults filled in */
	struct nr_topology *topology;
	const struct nr_parts *parts; /* NULL: it is a structure by itself */
	int concurrent;		      /* see replicas_concurrent() */
	struct gate admin; /* who comes and goes; outside all others */
	uint32_t nreplicas;
	uint32_t next_id;
	struct log log;
	struct {
		/*
		 * Taken to look at the list of replicas or change it, never for
		 * long: its owner waits for nothing. Inside gates. Who has
		 * seen a replica there may use it once he has got its gate,
		 * before this is given back: it is not freed without its gate.
		 */
		apart struct gate collecting;
		struct replica *replicas; /* ascending numbers */
	};
};

/* Memory for a replica on @place; NULL: there is none. */
struct replica *replica_alloc(struct nr *nr, uint32_t place);
void replica_free(struct replica *r);

/* What its hooks and concurrent are. */
void replica_set_hooks(struct replica *r);

/* Its structure: made by init, 0 or -errno. */
int replica_init(struct replica *r);

/* ... or as a clone of @from's, by @from's combiner: 0 or -errno. */
int replica_clone(struct replica *r, const struct replica *from);

/* End the structure, free everything. */
void replica_destroy(struct replica *r);

/*
 * Wait for entries that combiners have taken and have nothing to do before they
 * have written them; but they may not have the CPU.
 */
void replica_wait_alive(const struct log *log, uint64_t from,
			uint64_t upto) cold;

/* Combiner: apply the log up to @upto; see apply.h. */
void replica_apply(struct replica *r, uint64_t upto);

/* Combiner: everything that has been done. Waits for nobody but readers. */
void replica_catch_up(struct replica *r);

/* ... by a thread that may be on any node: what the structure's functions
 * allocate meanwhile lies on the replica's. */
void replica_catch_up_from_afar(struct replica *r);

/*
 * Combiner of @r: there is no room in the log. Apply what can be applied, find
 * the new head; then, if somebody lags behind and nobody works for him, bring
 * him forward.
 */
void replica_make_room(struct replica *r) cold;

#endif
