/* SPDX-License-Identifier: MIT */
/*
 * nr_late.pml - replicas that come and go, for spin
 *
 * Two replicas with an updater each, and a third one that is a clone of the
 * first, is used, and is removed, all while the log goes round. Steps are those
 * of libnr/src: replica_add(), link, nr_register(), replica_remove(), and of
 * nr.pml what they need. A replica that is idle is not helped here (nr.pml has
 * that): each goes on with the log until all is done.
 *
 * Asserted: who is late has applied the same as all others, all of it, and what
 * is overwritten it has read; nobody uses a replica that is gone; everybody
 * ends.
 *
 * Mutants, one at a time, with -D: LATE_LTAIL, LATE_COLLECT, REMOVE_USED.
 */

#define REPLICAS 3
#define LATE 2
#define LOG 2
#ifndef FIRST
#define FIRST 2
#endif
#ifndef SECOND
#define SECOND 2
#endif
#define UPDATES (FIRST + SECOND)

byte op[LOG]; /* the entries: number of the update + 1 */
bit alive[LOG];
byte head, tail, ctail;
byte ltail[REPLICAS];
bit gate[REPLICAS];
bit collecting;
bit listed[REPLICAS]; /* for collectors */
bit exists[REPLICAS];
byte contexts; /* of the late one */

byte applied[REPLICAS * UPDATES];
byte version[REPLICAS];
byte done; /* the largest index that has been returned, + 1 */

#define parity(i) (1 - ((i) / LOG) % 2)

/* The gate's owner. Uses i. */
inline apply(r, upto) {
	i = ltail[r];
	do
	:: i < upto ->
		alive[i % LOG] == parity(i);
		atomic {
			assert(exists[r]);
			assert(version[r] == i);
			applied[r * UPDATES + i] = op[i % LOG];
			assert(version[0] <= i ||
			       applied[i] == op[i % LOG]);
			assert(version[1] <= i ||
			       applied[UPDATES + i] == op[i % LOG]);
			version[r] = i + 1;
			i++
		}
	:: else -> break
	od;
	atomic {
		if
		:: ctail < i -> ctail = i
		:: else
		fi;
		if
		:: ltail[r] < i -> ltail[r] = i
		:: else
		fi;
		i = 0
	}
}

/* One after the other, as they are on the list. Uses least. */
inline collect(r) {
	if
	:: atomic { !collecting -> collecting = 1 }
		least = ltail[r];
		atomic {
			if
			:: ltail[1 - r] < least -> least = ltail[1 - r]
			:: else
			fi
		};
		atomic {
			if
			:: listed[LATE] && ltail[LATE] < least ->
				least = ltail[LATE]
			:: else
			fi
		};
		atomic {
			if
			:: least > head -> head = least
			:: else
			fi;
			/* no one on the list is left behind */
			assert(!listed[LATE] || ltail[LATE] >= head);
			least = 0;
			collecting = 0
		}
	:: else
	fi
}

/* Is there anything to do for one who waits for room, or for all to be done? */
#define behind(r) (ctail > ltail[r])
#define can_collect(r)                                                         \
	(!collecting && ltail[r] > head && ltail[1 - (r)] > head &&            \
	 (!listed[LATE] || ltail[LATE] > head))

proctype updater(byte me, n) {
	byte i, k, t, h, least;

	do
	:: k < n ->
		atomic { !gate[me] -> gate[me] = 1 }
		do
		:: t = tail;
		   h = head;
		   if
		   :: t + 1 > h + LOG ->
			behind(me) || can_collect(me) || tail + 1 <= head + LOG;
			apply(me, ctail);
			collect(me)
		   :: else ->
			if
			:: atomic { tail == t -> tail = t + 1 }
				break
			:: else
			fi
		   fi
		od;
		op[t % LOG] = me * FIRST + k + 1;
		alive[t % LOG] = parity(t);
		apply(me, t + 1);
		atomic {
			if
			:: done < t + 1 -> done = t + 1
			:: else
			fi;
			gate[me] = 0;
			t = 0;
			h = 0;
			k++
		}
	:: else -> break
	od;
	/* Others need what we have not read. */
	do
	:: atomic { behind(me) && !gate[me] -> gate[me] = 1 }
		apply(me, ctail);
		gate[me] = 0
	:: ltail[me] == UPDATES -> break
	od
}

/* replica_add(): a clone of the first one */
proctype late() {
	byte i, k, want;

	atomic { !gate[0] -> gate[0] = 1 }
	atomic {
		version[LATE] = version[0];
		i = 0;
		do
		:: i < version[0] ->
			applied[LATE * UPDATES + i] = applied[i];
			i++
		:: else -> break
		od;
		i = 0;
		exists[LATE] = 1
	};
#ifdef LATE_LTAIL
	ltail[LATE] = tail;
#else
	ltail[LATE] = ltail[0];
#endif
#ifdef LATE_COLLECT
	gate[0] = 0;
	listed[LATE] = 1;
#else
	listed[LATE] = 1;
	gate[0] = 0;
#endif
	/* nr_register(), unless it is gone already */
	if
	:: atomic { exists[LATE] -> contexts++ }
	:: !exists[LATE] -> goto gone
	fi;
	do
	:: k < 2 ->
		/* a read: what had been done when it began is seen */
		want = done;
		do
		:: ltail[LATE] >= ctail -> break
		:: atomic { ltail[LATE] < ctail && !gate[LATE] ->
			    gate[LATE] = 1 }
			apply(LATE, ctail);
			gate[LATE] = 0
		od;
		atomic {
			assert(exists[LATE]);
			assert(version[LATE] >= want);
			want = 0;
			k++
		}
	:: else -> break
	od;
	contexts--;
gone:
	skip
}

/* replica_remove(), as soon as it may */
proctype remover() {
	listed[LATE];
#ifdef REMOVE_USED
	atomic { !gate[LATE] -> gate[LATE] = 1 }
#else
	atomic { contexts == 0 && !gate[LATE] ->
		 gate[LATE] = 1;
		 exists[LATE] = 0 }
#endif
	atomic {
		listed[LATE] = 0;
		exists[LATE] = 0;
		gate[LATE] = 0
	}
}

init {
	atomic {
		listed[0] = 1;
		listed[1] = 1;
		exists[0] = 1;
		exists[1] = 1;
		run updater(0, FIRST);
		run updater(1, SECOND);
		run late();
		run remover()
	}
}
