/* SPDX-License-Identifier: MIT */
/*
 * nr.pml - node replication, for spin: log, collection, reads
 *
 * Two replicas, two threads that update (one on each) and one that reads on
 * either; a log of LOG entries for UPDATES updates in all, so that it goes round
 * and collection is needed. Steps are those of libnr/src: log_take(),
 * log_write(), apply(), collect(), nr_read(). Memory is sequentially
 * consistent here; what that leaves out is ThreadSanitizer's to find.
 *
 * An update's name is its number; a replica's state is how many it has applied
 * and, in order, which. Asserted: the invariants of log.h; that nothing is
 * overwritten before all have applied it; that all replicas apply the same; that
 * an update is done, for reads that begin later, when it returns; and that
 * everybody ends (invalid end states).
 *
 * Mutants, one at a time, with -D: UNLOCK_EACH, READ_STALE, CTAIL_BACK,
 * SPACE_RELOAD, NO_APPLY, NO_HELP, HEAD_FIRST, ALIVE_FLAG, ALIVE_FIRST; of helping
 * a replica where somebody reads: HELP_OPEN, HELP_GATE.
 */

#define REPLICAS 2
#ifndef LOG
#define LOG 2
#endif
/* Of each updater: the second ends early, and its replica stays behind. */
#ifndef FIRST
#define FIRST 3
#endif
#ifndef SECOND
#define SECOND 1
#endif
#ifndef READERS
#define READERS 1
#endif
#define UPDATES (FIRST + SECOND)

byte op[LOG];          /* the entries: number of the update + 1 */
bit alive[LOG];
byte head, tail, ctail;
byte ltail[REPLICAS];
bit gate[REPLICAS];    /* combiner lock */
bit collecting;
byte readers[REPLICAS];
bit writer[REPLICAS];

/* What has been applied, where: to compare. */
byte applied[REPLICAS * UPDATES];
byte version[REPLICAS];

/* For what must be seen: the largest index that has been returned, + 1 */
byte done;

#ifdef ALIVE_FLAG
#define parity(i) 1
#else
#define parity(i) (1 - ((i) / LOG) % 2)
#endif

inline invariants() {
	assert(head <= ltail[0] && head <= ltail[1]);
	assert(ctail <= tail && ltail[0] <= ctail && ltail[1] <= ctail);
	assert(tail <= head + LOG)
}

/* Raise the completed tail, then move our own; with readers kept out. */
inline complete(r, upto) {
	atomic {
#ifdef CTAIL_BACK
		ctail = upto;
#else
		if
		:: ctail < upto -> ctail = upto
		:: else
		fi;
#endif
	}
	atomic {
		ltail[r] = upto;
		invariants()
	}
}

inline write_begin(r) {
#ifdef HELP_OPEN
	if
	:: helps
	:: else ->
		atomic { assert(!writer[r]); writer[r] = 1 }
		readers[r] == 0
	fi
#else
	atomic { assert(!writer[r]); writer[r] = 1 }
	readers[r] == 0
#endif
}

/* The gate's owner: apply() up to upto. Uses i, from. */
inline apply(r, upto) {
	if
	:: ltail[r] < upto ->
		i = ltail[r];
		do
		:: atomic { i < upto && alive[i % LOG] == parity(i) -> i++ }
		:: i == upto -> break
		od;
		write_begin(r);
		i = ltail[r];
		do
		:: i < upto ->
			atomic {
				assert(version[r] == i);
				applied[r * UPDATES + i] = op[i % LOG];
				/* the same everywhere */
				assert(version[1 - (r)] <= i ||
				       applied[(1 - (r)) * UPDATES + i] ==
				       op[i % LOG]);
				version[r] = i + 1
			}
			i++;
#ifdef UNLOCK_EACH
			writer[r] = 0;
			write_begin(r);
#endif
		:: else -> break
		od;
		complete(r, upto);
		writer[r] = 0
	:: else
	fi
}

/*
 * Would that do anything? It is asked again and again, which here is waiting: so
 * that who waits for ever is a process that does not end.
 */
#ifdef NO_APPLY
#define can_apply(r) 0
#else
#define can_apply(r) (ctail > ltail[r])
#endif
#ifdef HEAD_FIRST
#define can_collect(r) (ltail[r] > head)
#else
#define can_collect(r) (ltail[r] > head && ltail[1 - (r)] > head)
#endif
#ifdef NO_HELP
#define can_help(r) 0
#else
#define can_help(r) (ltail[1 - (r)] == head && ctail > head && !gate[1 - (r)])
#endif

/* replica_make_room() by the combiner of r */
inline make_room(r) {
	can_apply(r) || (!collecting && (can_collect(r) || can_help(r))) ||
		tail + 1 <= head + LOG;
#ifndef NO_APPLY
	upto = ctail;
	apply(r, upto);
#endif
	if
	:: atomic { !collecting -> collecting = 1 }
		least = ltail[r];
#ifndef HEAD_FIRST
		atomic { /* one look */
			if
			:: ltail[1 - (r)] < least -> least = ltail[1 - (r)]
			:: else
			fi
		};
#endif
		helps = 0;
		if
		:: least > head -> atomic { head = least; invariants() }
		:: else ->
#ifndef NO_HELP
			if
#ifdef HELP_GATE
			:: atomic { ltail[1 - (r)] == least } helps = 1
#else
			:: atomic { ltail[1 - (r)] == least && !gate[1 - (r)] ->
				    gate[1 - (r)] = 1 }
				helps = 1
#endif
			:: else
			fi
#else
			skip
#endif
		fi;
		collecting = 0;
		if
		:: helps ->
			upto = ctail;
			apply((1 - r), upto);
			gate[1 - (r)] = 0;
			helps = 0
		:: else
		fi
	:: else
	fi
}

/* Updates on replica me, and then never calls again. */
proctype updater(byte me, n) {
	byte i, k, t, h, upto, least, want;
	bit helps;

	do
	:: k < n ->
		want = done; /* updates that had returned before */
		atomic { !gate[me] -> gate[me] = 1 }
		/* log_take(): 1 entry */
		do
		:: t = tail;
		   h = head;
		   if
		   :: t + 1 > h + LOG -> make_room(me)
		   :: else ->
#ifdef SPACE_RELOAD
			t = tail;
#endif
			if
			:: atomic { tail == t -> tail = t + 1 }
				break
			:: else
			fi
		   fi
		od;
		assert(t + 1 <= head + LOG);
		assert(t >= want);
		/* log_write() */
#ifdef ALIVE_FIRST
		alive[t % LOG] = parity(t);
#endif
		op[t % LOG] = me * FIRST + k + 1;
		alive[t % LOG] = parity(t);
		upto = t + 1;
		apply(me, upto);
		atomic {
			assert(ctail > t);
			if
			:: done < t + 1 -> done = t + 1
			:: else
			fi
		}
		atomic { /* what is left of it makes states, nothing else */
			gate[me] = 0;
			i = 0; t = 0; h = 0; upto = 0; least = 0; want = 0;
			helps = 0;
			k++
		}
	:: else -> break
	od
}

/* Reads, first on one replica, then on the other. */
proctype reader() {
	byte i, k, c, r, v, upto, want;
#ifdef HELP_OPEN
	bit helps;
#endif

	if
	:: r = 0
	:: r = 1
	fi;
	do
	:: k < 2 ->
		want = done;
		c = ctail;
#ifndef READ_STALE
		do
		:: ltail[r] >= c -> break
		:: atomic { ltail[r] < c && !gate[r] -> gate[r] = 1 }
			upto = ctail;
			apply(r, upto);
			gate[r] = 0
		od;
#endif
		do
		:: readers[r]++;
		   if
		   :: !writer[r] -> break
		   :: else -> readers[r]--; !writer[r]
		   fi
		od;
		v = version[r];
		/* what had been done when it began; and what it saw is seen by
		 * all that begin after it */
		atomic {
			assert(v >= want);
			assert(v == version[r])
		}
		readers[r]--;
		atomic {
			if
			:: done < v -> done = v
			:: else
			fi;
			i = 0; c = 0; r = 1 - r; v = 0; upto = 0; want = 0;
			k++
		}
	:: else -> break
	od
}

init {
	atomic {
		run updater(0, FIRST);
		run updater(1, SECOND);
		if
		:: READERS > 0 -> run reader()
		:: else
		fi
	}
}
