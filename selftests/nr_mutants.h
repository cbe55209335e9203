/* SPDX-License-Identifier: MIT */
/* nr_mutants.h - known errors, and which test finds each */
#ifndef NR_MUTANTS_H
#define NR_MUTANTS_H

#include "point.h"

struct mutant {
	enum nr_mutant id;
	/* The test's name. Those that begin with "bug" have been shipped. */
	const char *name;
	const char *what;
	/* a scenario of nr_scenario.c; NULL: real threads, under TSan */
	const char *scenario;
	/* found by looking at invariants at every point; else by what it does
	 * (and what the library asserts by itself) */
	int inside;
};

static const struct mutant mutants[] = {
	{ NR_MUTANT_UNLOCK_EACH, "bug 1: read not linearizable",
	  "the write lock is taken for each entry: a reader sees an update "
	  "before the completed tail moves",
	  "reads and updates", 0 },
	{ NR_MUTANT_NO_RETRY, "bug 3: losers never retry the lock",
	  "who did not get the combiner lock waits for a response only",
	  "updates of one replica", 0 },
	{ NR_MUTANT_TWICE, "bug 4: applied twice after a full log",
	  "a batch that found the log full is put there once more",
	  "updates of two replicas", 0 },
	{ NR_MUTANT_RING_TWICE, "collected twice in one batch",
	  "a full ring of slots is gone round more than once",
	  "reads beside combiners", 0 },
	{ NR_MUTANT_SYNC_LATE, "bug 5: synchronous before asynchronous",
	  "a synchronous update is seen, and older ones that were pending "
	  "before it are not",
	  "asynchronous updates", 0 },
	{ NR_MUTANT_OVERTAKE, "bug 5: before its thread's older ones",
	  "an update goes directly, though older ones wait in slots",
	  "asynchronous updates", 0 },
	{ NR_MUTANT_FULL_NO_APPLY, "bug 6: waiting for space without applying",
	  "a combiner that finds the log full does not apply it",
	  "updates of two replicas", 0 },
	{ NR_MUTANT_LATE_LTAIL, "bug 7: late replica misses operations",
	  "a late replica begins at the tail, not where its source is",
	  "replicas come and go", 0 },
	{ NR_MUTANT_LATE_COLLECT, "bug 7: late replica and a collector",
	  "a late replica is put on the list after its source may go on",
	  "replicas come and go", 0 },
	{ NR_MUTANT_NO_HELP, "bug 8: an idle node stalls everybody",
	  "replicas that lag behind are not helped", "an idle replica", 0 },
	{ NR_MUTANT_REMOVE_USED, "bug 9: removed while in use",
	  "a replica is removed though it has contexts", "replicas come and go",
	  0 },
	{ NR_MUTANT_ANSWER_EARLY, "response before the completed tail",
	  "an update returns before reads elsewhere have to see it",
	  "reads beside combiners", 0 },
	{ NR_MUTANT_CTAIL_BACK, "completed tail goes back",
	  "the completed tail is stored, not raised", "three replicas", 0 },
	{ NR_MUTANT_SPACE_RELOAD, "space checked with another tail",
	  "the tail that the CAS expects is not the one the room was checked "
	  "with",
	  "updates of two replicas", 0 },
	{ NR_MUTANT_ALIVE_FLAG, "alive is not the parity",
	  "entries of an earlier round are taken for alive",
	  "updates of two replicas", 0 },
	{ NR_MUTANT_ALIVE_FIRST, "alive before it is written",
	  "an entry is made alive before it is written",
	  "updates of two replicas", 0 },
	{ NR_MUTANT_READ_STALE, "stale read",
	  "reads do not wait for the completed tail", "reads and updates", 0 },
	{ NR_MUTANT_READER_BLIND, "reader does not look at the writer",
	  "a reader goes in beside a writer", "reader lock", 0 },
	{ NR_MUTANT_WRITER_BLIND, "writer does not wait for readers",
	  "a writer goes in beside a reader", "reader lock", 0 },
	{ NR_MUTANT_STARVE, "readers starve",
	  "a reader that has waited for long is not let in", "reader lock", 0 },
	{ NR_MUTANT_WORD_AGAIN, "asleep on a word that came back",
	  "a reader that has been let in sleeps, for the combiner lock has "
	  "been "
	  "given back and taken, and its word is as it was",
	  "reader lock", 0 },
	{ NR_MUTANT_LOST_WAKE, "lost wake-up",
	  "who unlocks does not look for sleepers", "updates of one replica",
	  0 },
	{ NR_MUTANT_GRANT_ASLEEP, "let in asleep",
	  "a reader that is let in is not woken", "reader lock", 0 },
	{ NR_MUTANT_NO_NEWS, "readers sleep beside the gate's owner",
	  "who holds the combiner lock on after applying does not wake readers",
	  "reads while a replica is inspected", 0 },
	{ NR_MUTANT_CLONE_BEHIND, "readers wait for a clone",
	  "who clones a replica does not bring it up to date before",
	  "reads while a replica is cloned", 0 },
	{ NR_MUTANT_HEAD_FIRST, "head of one replica",
	  "the head is found without looking at the other replicas",
	  "updates of two replicas", 0 },
	{ NR_MUTANT_MAP_UNSETTLED, "map: memory of a replica that goes",
	  "a map's replica is removed before it has got what it was given",
	  "a map", 0 },
	{ NR_MUTANT_MAP_UNLISTED, "map: no memory for a new replica",
	  "a map grows, and a replica that came is not given anything", "a map",
	  0 },
	{ NR_MUTANT_UNLOCK_EACH, "bug 1, by invariants",
	  "an update is there, and no ltail covers it", "reads and updates",
	  1 },
	{ NR_MUTANT_SPACE_RELOAD, "space, by invariants",
	  "the tail is too far ahead of the head", "updates of two replicas",
	  1 },
	{ NR_MUTANT_LATE_COLLECT, "late replica, by invariants",
	  "a replica is behind the head", "replicas come and go", 1 },
	{ NR_MUTANT_ALIVE_FLAG, "alive, by invariants",
	  "what nobody has taken is alive", "updates of two replicas", 1 },
	{ NR_MUTANT_NONE, "no mutant", "nothing is wrong", NULL, 0 },
	{ NR_MUTANT_RELAXED_ALIVE, "order of alive", "alive is stored relaxed",
	  NULL, 0 },
	{ NR_MUTANT_RELAXED_LTAIL, "order of ltail", "ltail is stored relaxed",
	  NULL, 0 },
	{ NR_MUTANT_RELAXED_HEAD, "order of the head",
	  "the head is stored relaxed", NULL, 0 },
	{ NR_MUTANT_RELAXED_SLOT, "order of pending",
	  "a slot is made pending relaxed", NULL, 0 },
	{ NR_MUTANT_RELAXED_ANSWER, "order of done",
	  "a slot is made done relaxed", NULL, 0 },
	{ NR_MUTANT_RELAXED_READER, "order of a reader's leaving",
	  "a reader leaves relaxed", NULL, 0 },
	{ NR_MUTANT_RELAXED_WRITER, "order of a writer's leaving",
	  "a writer leaves relaxed", NULL, 0 },
	{ NR_MUTANT_RELAXED_GATE, "order of unlocking",
	  "the combiner lock is given back relaxed", NULL, 0 },
};

#endif
