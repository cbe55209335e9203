/* SPDX-License-Identifier: MIT */
/*
 * What only the test build ($(O)/points/libnr.a) has: a point before every
 * access to shared memory, at which a test can let another thread run; known
 * errors that a test can switch on one at a time, to see that it would find
 * them (mutants); invariants checked all the time; and memory that runs out.
 * The test that links it defines the functions.
 */
#ifndef NR_POINT_H
#define NR_POINT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Errors, most of which others have shipped; see selftests/nr_mutants.h for
 * what each one is.
 */
enum nr_mutant {
	NR_MUTANT_NONE = 0,
	NR_MUTANT_UNLOCK_EACH,	  /* the write lock for each entry only */
	NR_MUTANT_NO_RETRY,	  /* losers do not look at the lock again */
	NR_MUTANT_TWICE,	  /* collected again after the log was full */
	NR_MUTANT_RING_TWICE,	  /* slots are collected more than once round */
	NR_MUTANT_SYNC_LATE,	  /* the synchronous slot is looked at last */
	NR_MUTANT_OVERTAKE,	  /* an update before its thread's older ones */
	NR_MUTANT_FULL_NO_APPLY,  /* waiting for space without applying */
	NR_MUTANT_LATE_LTAIL,	  /* a late replica misses what was collected */
	NR_MUTANT_LATE_COLLECT,	  /* a late replica, unseen by a collector */
	NR_MUTANT_NO_HELP,	  /* laggards are left alone */
	NR_MUTANT_REMOVE_USED,	  /* a replica goes, its contexts stay */
	NR_MUTANT_ANSWER_EARLY,	  /* a response before the completed tail */
	NR_MUTANT_CTAIL_BACK,	  /* the completed tail stored, not raised */
	NR_MUTANT_SPACE_RELOAD,	  /* space checked with another tail */
	NR_MUTANT_ALIVE_FLAG,	  /* alive is set, and never cleared */
	NR_MUTANT_ALIVE_FIRST,	  /* alive before the entry is written */
	NR_MUTANT_READ_STALE,	  /* reads do not wait for the completed tail */
	NR_MUTANT_READER_BLIND,	  /* readers do not look at the writer again */
	NR_MUTANT_WRITER_BLIND,	  /* the writer does not wait for readers */
	NR_MUTANT_STARVE,	  /* readers are never let in */
	NR_MUTANT_WORD_AGAIN,	  /* the gate's word does not count */
	NR_MUTANT_LOST_WAKE,	  /* who unlocks does not look for sleepers */
	NR_MUTANT_GRANT_ASLEEP,	  /* a reader let in is not woken */
	NR_MUTANT_NO_NEWS,	  /* readers sleep on after a section */
	NR_MUTANT_CLONE_BEHIND,	  /* cloned as it is, behind the log */
	NR_MUTANT_HEAD_FIRST,	  /* the head from one replica alone */
	NR_MUTANT_MAP_UNSETTLED,  /* memory for a replica that goes */
	NR_MUTANT_MAP_UNLISTED,	  /* none for a replica that comes */
	NR_MUTANT_POLL_WAITS,	  /* who polls waits to make room */
	NR_MUTANT_CNR_CTAIL_LATE, /* concurrent: the completed tail after */
	NR_MUTANT_CNR_CTAIL_OWN,  /* several logs: one completed tail only */
	NR_MUTANT_CNR_CUT,	 /* a read of several logs at different times */
	NR_MUTANT_CNR_NO_WAIT,	 /* one log does not wait for the others */
	NR_MUTANT_CNR_UNORDERED, /* entries in two logs, in any order */
	NR_MUTANT_CNR_HELP_WAITS,   /* who helps waits for gates of others */
	NR_MUTANT_CNR_HELP_BOTH,    /* two who help give up for each other */
	NR_MUTANT_CNR_ASLEEP,	    /* having arrived does not wake who waits */
	NR_MUTANT_CNR_HOLD,	    /* readers wait, holding other logs */
	NR_MUTANT_CNR_FULL_HELD,    /* waiting for room, having some */
	NR_MUTANT_CNR_LATE_LINK,    /* a late replica, unseen by a collector */
	NR_MUTANT_CNR_OVERTAKE,	    /* several logs: before older ones */
	NR_MUTANT_CNR_PART_GONE,    /* a replica goes from log after log */
	NR_MUTANT_CNR_LEADER_LATE,  /* looked at when it may be gone */
	NR_MUTANT_CNR_FULL_BEHIND,  /* ... while others wait for that log */
	NR_MUTANT_QUEUE_SHORT,	    /* what has no room is taken all the same */
	NR_MUTANT_MODIFY_ALL,	    /* ... what a change has made */
	NR_MUTANT_QUEUE_ALL,	    /* every replica writes what is taken */
	NR_MUTANT_SORTED_LAST,	    /* the end is not where the last one went */
	NR_MUTANT_VSPACE_STALE,	    /* a walk that finds nothing leaves it */
	NR_MUTANT_VSPACE_REUSE,	    /* tables are used again under a walk */
	NR_MUTANT_VSPACE_UNSETTLED, /* walks are not waited for */
	NR_MUTANT_FILES_TAIL,	    /* what is cut off comes back */
	NR_MUTANT_FILES_INSIDE,	    /* a directory is moved into itself */
	NR_MUTANT_MEMFS_ALL,	    /* every replica writes a new number */
	NR_MUTANT_RELAXED_ALIVE,    /* orders that are too weak; for TSan: */
	NR_MUTANT_RELAXED_LTAIL,
	NR_MUTANT_RELAXED_HEAD,
	NR_MUTANT_RELAXED_SLOT,
	NR_MUTANT_RELAXED_ANSWER,
	NR_MUTANT_RELAXED_READER,
	NR_MUTANT_RELAXED_WRITER,
	NR_MUTANT_RELAXED_GATE,
	NR_MUTANT_RELAXED_ARRIVED,
	NR_MUTANT_RELAXED_LED,
	NR_MUTANT_RELAXED_ENTRY,
	NR_MUTANT_RELAXED_WALK,
	NR_MUTANT_RELAXED_CHUNKS,
	NR_MUTANT_LAST,
};

#ifdef NR_TEST_POINTS

void nr_test_point(void);
/* A point at which nothing more can be done before another thread has run. */
void nr_test_idle(void);
void nr_test_failed(const char *what, const char *file, int line);
/* Is this allocation to fail? */
int nr_test_no_memory(size_t bytes);
/* Whoever still looks at it is to notice. */
void nr_test_freed(void *p);
/* So many bytes have been mapped; or, if negative, unmapped. */
void nr_test_mapped(int64_t bytes);
/* As futex_wait() and futex_wake_all(). */
void nr_test_sleep(_Atomic uint32_t *word, uint32_t val);
void nr_test_wake(_Atomic uint32_t *word);
extern enum nr_mutant nr_test_mutant;

#define point() nr_test_point()
#define mutant(name) (nr_test_mutant == NR_MUTANT_##name)
#define no_memory(bytes) nr_test_no_memory(bytes)
#define freed(p) nr_test_freed(p)
#define mapped(bytes) nr_test_mapped(bytes)
#define invariant(cond)                                                        \
	do {                                                                   \
		if (!(cond))                                                   \
			nr_test_failed(#cond, __FILE__, __LINE__);             \
	} while (0)

#else

#define point() ((void)0)
#define mutant(name) 0
#define no_memory(bytes) 0
#define freed(p) ((void)0)
#define mapped(bytes) ((void)0)
#define invariant(cond) ((void)0)

#endif

#endif
