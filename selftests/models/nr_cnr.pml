/* SPDX-License-Identifier: MIT */
/*
 * nr_cnr.pml - several logs, for spin: operations that are in two
 *
 * Two replicas, two logs, of which the first one leads. Processes: one that
 * updates through each log; SEVERAL that put an operation into both, the first on
 * one replica, the second on the other; one that reads, of one log after the
 * other, or of both at once. Steps are those of libnr/src: cnr_several.c,
 * cnr_meet.c, cnr_use.c. Logs have room for all (nr.pml is about collection), so
 * parts are only brought forward by who applies them. Memory is sequentially
 * consistent.
 *
 * A part's version is how much of its log has been done there, also in the middle
 * of a batch. Asserted: that a part does its log in order; that an operation in
 * both is done on a replica once, at both places at the same time; that what has
 * been seen, or has returned, is seen by every read that begins later, in the
 * other log, too; and that everybody ends.
 *
 * With -DCONCURRENT reads of one log are not kept out of updates.
 *
 * Mutants, one at a time, with -D: CTAIL_LATE (with CONCURRENT), CTAIL_OWN,
 * NO_WAIT, UNORDERED, CUT, HOLD.
 */

#ifndef SEVERAL
#define SEVERAL 1
#endif
#ifndef READS
#define READS 2
#endif
#define SIZE (SEVERAL + 2)

/* By log and place: 0: not alive; 1: an update; else that operation + 2 */
byte entry[2 * SIZE];
byte tail[2], ctail[2];
byte at[2 * SEVERAL]; /* where each operation is, by log */
bit scan;

/* By replica and log */
#define P(r, l) (2 * (r) + (l))
byte ltail[4], version[4], arrived[4], readers[4];
bit gate[4], writer[4];
byte led[2]; /* by replica: index + 1 in the first log */

/* What every later read has to see, by log */
byte seen[2];

inline raise(l, upto) {
	atomic {
		if
		:: ctail[l] < upto -> ctail[l] = upto
		:: else
		fi
	}
}

inline write_begin(r, l) {
	atomic { assert(!writer[P(r, l)]); writer[P(r, l)] = 1 }
	readers[P(r, l)] == 0
}

inline is_seen(l, upto) {
	if
	:: seen[l] < upto -> seen[l] = upto
	:: else
	fi
}

/* So much of log l has been seen: and of the other, what is in both. */
inline have_seen(l, upto) {
	atomic {
		is_seen(l, upto);
		n = 0;
		do
		:: n < upto ->
			if
			:: entry[l * SIZE + n] > 1 ->
				is_seen(1 - (l),
					at[2 * (entry[l * SIZE + n] - 2) + 1 -
					   (l)] + 1)
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* One after the other. */
inline do_update(r, l, i) {
	atomic {
		assert(version[P(r, l)] == i);
		version[P(r, l)] = i + 1
	}
}

/* The second part, whose gate the leader has got, to its entry of m. */
inline bring(r, m) {
	j = ltail[P(r, 1)];
	do
	:: atomic { j < at[2 * m + 1] && entry[SIZE + j] -> j++ }
	:: j == at[2 * m + 1] -> break
	od;
	write_begin(r, 1);
#if defined(CONCURRENT) && !defined(CTAIL_LATE)
	raise(1, at[2 * m + 1]);
#endif
	j = ltail[P(r, 1)];
	do
	:: j < at[2 * m + 1] ->
		/* what is in both, and before, has been done */
		assert(entry[SIZE + j] == 1);
		do_update(r, 1, j);
		j++
	:: else -> break
	od;
	raise(1, at[2 * m + 1]);
	ltail[P(r, 1)] = at[2 * m + 1];
	writer[P(r, 1)] = 0;
	write_begin(r, 1)
}

/* cnr_meet.c: at m in the first log */
inline lead(r, m) {
	taken = 0;
#ifndef NO_WAIT
	if
	:: atomic { arrived[P(r, 1)] == at[2 * m + 1] + 1 -> skip }
	:: atomic { arrived[P(r, 1)] != at[2 * m + 1] + 1 && !gate[P(r, 1)] ->
		    gate[P(r, 1)] = 1; taken = 1 }
		bring(r, m)
	fi;
#endif
	raise(0, at[2 * m] + 1);
#ifndef CTAIL_OWN
	raise(1, at[2 * m + 1] + 1);
#endif
	do_update(r, 0, at[2 * m]);
	do_update(r, 1, at[2 * m + 1]);
	if
	:: taken ->
		ltail[P(r, 1)] = at[2 * m + 1] + 1;
		writer[P(r, 1)] = 0;
		gate[P(r, 1)] = 0
	:: else
	fi;
	led[r] = at[2 * m] + 1
}

/* The first part, by its gate's owner, up to `upto`. Uses i, m, j. */
inline apply_first(r, upto) {
	i = ltail[P(r, 0)];
	if
	:: i < upto ->
		do
		:: atomic { i < upto && entry[i] -> i++ }
		:: i == upto -> break
		od;
		write_begin(r, 0);
#if defined(CONCURRENT) && !defined(CTAIL_LATE)
		raise(0, upto);
#endif
		i = ltail[P(r, 0)];
		do
		:: i < upto ->
			if
			:: entry[i] == 1 -> do_update(r, 0, i)
			:: else ->
				m = entry[i] - 2;
				lead(r, m)
			fi;
			i++
		:: else -> break
		od;
		raise(0, upto);
		ltail[P(r, 0)] = upto;
		writer[P(r, 0)] = 0
	:: else
	fi
}

/* The second. Uses k, f. */
inline apply_second(r, upto) {
	k = ltail[P(r, 1)];
	if
	:: k < upto ->
		do
		:: atomic { k < upto && entry[SIZE + k] -> k++ }
		:: k == upto -> break
		od;
		write_begin(r, 1);
#if defined(CONCURRENT) && !defined(CTAIL_LATE)
		raise(1, upto);
#endif
		k = ltail[P(r, 1)];
		do
		:: k < upto ->
			if
			:: entry[SIZE + k] == 1 -> do_update(r, 1, k)
			:: else ->
#ifndef NO_WAIT
				f = entry[SIZE + k] - 2;
				arrived[P(r, 1)] = k + 1;
				do
				:: led[r] > at[2 * f] -> break
				:: atomic { led[r] <= at[2 * f] &&
					    !gate[P(r, 0)] -> gate[P(r, 0)] = 1 }
					upto0 = at[2 * f] + 1;
					apply_first(r, upto0);
					gate[P(r, 0)] = 0
				od
#else
				skip
#endif
			fi;
			k++
		:: else -> break
		od;
		raise(1, upto);
		ltail[P(r, 1)] = upto;
		writer[P(r, 1)] = 0
	:: else
	fi
}

/* An update of each log. */
proctype first(byte r) {
	byte i, j, m, n, upto0;
	bit taken;

	atomic { !gate[P(r, 0)] -> gate[P(r, 0)] = 1 }
	atomic { upto0 = tail[0] + 1; tail[0] = upto0 }
	entry[upto0 - 1] = 1;
	apply_first(r, upto0);
	have_seen(0, upto0);
	gate[P(r, 0)] = 0
}

proctype second(byte r) {
	byte i, j, k, m, f, n, upto0, upto1;
	bit taken;

	atomic { !gate[P(r, 1)] -> gate[P(r, 1)] = 1 }
	atomic { upto1 = tail[1] + 1; tail[1] = upto1 }
	entry[SIZE + upto1 - 1] = 1;
	apply_second(r, upto1);
	have_seen(1, upto1);
	gate[P(r, 1)] = 0
}

/* Operation `me`, in both. */
proctype both(byte r, me) {
	byte i, j, m, n, upto0;
	bit taken;

#ifndef UNORDERED
	atomic { !scan -> scan = 1 }
#endif
	atomic { at[2 * me] = tail[0]; tail[0]++ }
	atomic { at[2 * me + 1] = tail[1]; tail[1]++ }
	entry[SIZE + at[2 * me + 1]] = me + 2;
	entry[at[2 * me]] = me + 2;
	scan = 0;
	do
	:: led[r] > at[2 * me] -> break
	:: atomic { led[r] <= at[2 * me] && !gate[P(r, 0)] ->
		    gate[P(r, 0)] = 1 }
		upto0 = at[2 * me] + 1;
		apply_first(r, upto0);
		gate[P(r, 0)] = 0
	od;
	have_seen(0, at[2 * me] + 1)
}

inline catch_up(r, l, c) {
	do
	:: ltail[P(r, l)] >= c -> break
	:: atomic { ltail[P(r, l)] < c && !gate[P(r, l)] -> gate[P(r, l)] = 1 }
		if
		:: l == 0 -> upto0 = ctail[0]; apply_first(r, upto0)
		:: else -> upto1 = ctail[1]; apply_second(r, upto1)
		fi;
		gate[P(r, l)] = 0
	od
}

/* Sets its word, and gives way where there is a writer. */
inline read_begin(r, l) {
	do
	:: readers[P(r, l)]++;
	   if
	   :: !writer[P(r, l)] -> break
	   :: else ->
		readers[P(r, l)]--;
		!writer[P(r, l)]
	   fi
	od
}

inline read_one(r, l) {
	want = seen[l];
	c = ctail[l];
	catch_up(r, l, c);
#ifndef CONCURRENT
	read_begin(r, l);
#endif
	v = version[P(r, l)];
#ifndef CONCURRENT
	readers[P(r, l)]--;
#endif
	assert(v >= want);
	have_seen(l, v);
	v = 0; want = 0; c = 0
}

/* Both logs at one moment; tried until it is. */
inline read_both(r) {
	atomic { want = seen[0]; want1 = seen[1] }
	do
	:: c = ctail[0]; catch_up(r, 0, c);
	   c = ctail[1]; catch_up(r, 1, c);
	   read_begin(r, 0);
#ifdef HOLD
	   read_begin(r, 1);
	   ok = 1;
#else
	   readers[P(r, 1)]++;
	   ok = !writer[P(r, 1)];
#endif
#ifndef CUT
	   ok = ok && ltail[P(r, 0)] >= ctail[0];
	   ok = ok && ltail[P(r, 1)] >= ctail[1];
#endif
	   if
	   :: ok ->
		v = version[P(r, 0)]; v1 = version[P(r, 1)];
		assert(v == ltail[P(r, 0)] && v1 == ltail[P(r, 1)])
	   :: else
	   fi;
	   /* As of when they stood still: it could be seen since then. */
	   if
	   :: ok -> have_seen(0, v); have_seen(1, v1)
	   :: else
	   fi;
	   readers[P(r, 0)]--; readers[P(r, 1)]--;
	   if
	   :: ok -> break
	   :: else
	   fi
	od;
	assert(v >= want && v1 >= want1);
	/* One of the two that are in real time one after the other: not the
	 * later one alone. */
	assert(!(after && v1 > mark1 && v <= mark0));
	v = 0; v1 = 0; want = 0; want1 = 0; c = 0; ok = 0
}

/* An update of the first log that returned before one of the second began. */
byte mark0, mark1;
bit after;

proctype one_then_other(byte r) {
	byte i, j, k, m, f, n, upto0, upto1;
	bit taken;

	atomic { !gate[P(r, 0)] -> gate[P(r, 0)] = 1 }
	atomic { upto0 = tail[0] + 1; tail[0] = upto0 }
	mark0 = upto0 - 1;
	entry[upto0 - 1] = 1;
	apply_first(r, upto0);
	gate[P(r, 0)] = 0;
	atomic { !gate[P(1 - r, 1)] -> gate[P(1 - r, 1)] = 1 }
	atomic { upto1 = tail[1] + 1; tail[1] = upto1; mark1 = upto1 - 1;
		 after = 1 }
	entry[SIZE + upto1 - 1] = 1;
	apply_second((1 - r), upto1);
	gate[P(1 - r, 1)] = 0
}

proctype reader() {
	byte i, j, k, m, f, n, upto0, upto1, r, reads, c, v, v1, want, want1;
	bit taken, ok;

	if
	:: r = 0
	:: r = 1
	fi;
	do
	:: reads < READS ->
#ifdef CUTS
		read_both(r);
#else
		if
		:: read_one(r, 0)
		:: read_one(r, 1)
		fi;
#endif
		r = 1 - r;
		reads++
	:: else -> break
	od
}

init {
	atomic {
#ifdef CUTS
		run one_then_other(0);
#else
		run first(0);
		run second(1);
#endif
		run both(0, 0);
#if SEVERAL > 1
		run both(1, 1);
#endif
#if READS > 0
		run reader();
#endif
	}
}
