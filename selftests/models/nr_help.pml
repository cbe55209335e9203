/* SPDX-License-Identifier: MIT */
/*
 * nr_help.pml - a replica that is behind in several logs, for spin: who helps
 * it, and who reads there meanwhile
 *
 * One replica with three logs, which has not applied what all others have done:
 *
 *	log 0:  update, S          S is an operation in logs 0 and 1,
 *	log 1:  S, update, T       T one in logs 1 and 2
 *	log 2:  T
 *
 * HELPERS of other replicas find their log full, each another one, and bring it
 * forward there; threads of the replica want to read in log 0 and log 2, find it
 * behind, and apply the log themselves. Steps are those of libnr/src: collect.c,
 * cnr_help.c, cnr_meet.c. (The bound of how much a helper does at once is not in
 * here, nor are readers who are kept out: nr_cnr.pml.)
 *
 * Asserted: that a part does its log in order; that what is in two logs is done
 * once, when both parts stand there; that a read sees what had been done; and that
 * nobody waits for ever. With -DENDS: that nobody goes round for ever, if all go
 * on; there is so much to do and no more, so it is enough that all end.
 *
 * Mutants, one at a time, with -D: HELP_WAITS, HELP_ALONE, GIVE_EARLY; with ENDS:
 * HELP_BOTH, NOT_WANTED, WANTED_LATE, NOT_ARRIVED.
 */

#ifndef HELPERS
#define HELPERS 2
#endif
#ifndef READERS
#define READERS 1
#endif

#define FREE 0
#define OURS 1         /* a thread of the replica has it */
#define HELPED 2       /* a helper (GATE_HELPED) */

#define ONE 0          /* kinds of entries */
#define S 1
#define T 2

/* The kind of entry i of log l. */
#define kind(l, i) ((l) == 0 -> ((i) == 0 -> ONE : S) : \
		    ((l) == 1 -> ((i) == 0 -> S : ((i) == 1 -> ONE : T)) : T))
/* Where it ends. */
#define goal(l) ((l) == 0 -> 2 : ((l) == 1 -> 3 : 1))
/* S and T: the leader's log, the other one, and where they are in them. */
#define leader(s) ((s) - 1)
#define other(s) (s)
#define at_leader(s) ((s) == S -> 1 : 2)
#define at_other(s) 0

byte ltail[3], version[3], arrived[3], wanted[3];
byte gate[3];
bit helped[3], helping;
bit led[3];            /* by kind: has been done */
byte ended;

#ifdef ENDS
ltl ends { <> (ended == HELPERS + READERS) }
#endif

inline do_one(l) {
	atomic {
		assert(kind(l, ltail[l]) == ONE);
		assert(version[l] == ltail[l]);
		version[l] = ltail[l] + 1;
		ltail[l] = ltail[l] + 1
	}
}

/* cnr_do(): both logs at once. Ltails are raised by who has the gates. */
inline do_both(s) {
	atomic {
		assert(!led[s]);
		assert(version[leader(s)] == at_leader(s));
		assert(version[other(s)] == at_other(s));
		version[leader(s)] = at_leader(s) + 1;
		version[other(s)] = at_other(s) + 1
	}
	led[s] = 1
}

/* ---- threads of the replica --------------------------------------------- */

/* At s in its leader's log. Before the other one's entry there is nothing that
 * would have to be applied there. */
inline lead(s) {
	taken = 0;
	if
	:: atomic { gate[other(s)] == FREE -> gate[other(s)] = OURS; taken = 1 }
	:: atomic { gate[other(s)] != FREE &&
		    arrived[other(s)] == at_other(s) + 1 -> skip }
	:: atomic { gate[other(s)] != FREE &&
		    arrived[other(s)] != at_other(s) + 1 -> skip }
		wanted[other(s)]++;
		if
		:: atomic { gate[other(s)] == FREE ->
			    gate[other(s)] = OURS; taken = 1 }
		:: arrived[other(s)] == at_other(s) + 1
		fi;
		wanted[other(s)]--
	fi;
	assert(!taken || ltail[other(s)] == at_other(s));
	do_both(s);
	if
	:: taken ->
		ltail[other(s)] = at_other(s) + 1;
		gate[other(s)] = FREE
	:: else
	fi
}

inline apply_0() {
	do
	:: ltail[0] == 0 -> do_one(0)
	:: ltail[0] == 1 -> lead(S); ltail[0] = 2
	:: ltail[0] == 2 -> break
	od
}

/* Up to index upto, 1 or 3. */
inline apply_1(upto) {
	do
	:: ltail[1] >= upto -> break
	:: else ->
		if
		:: ltail[1] == 0 ->
			arrived[1] = 1;
			do
			:: led[S] -> break
			:: atomic { !led[S] && gate[0] == FREE ->
				    gate[0] = OURS }
				apply_0();
				gate[0] = FREE
			od;
			ltail[1] = 1
		:: ltail[1] == 1 -> do_one(1)
		:: ltail[1] == 2 -> lead(T); ltail[1] = 3
		fi
	od
}

inline apply_2() {
	do
	:: ltail[2] == 0 ->
		arrived[2] = 1;
		do
		:: led[T] -> break
		:: atomic { !led[T] && gate[1] == FREE -> gate[1] = OURS }
			apply_1(3);
			gate[1] = FREE
		od;
		ltail[2] = 1
	:: ltail[2] == 1 -> break
	od
}

/* Reads what all others have done. */
proctype reader(byte l) {
	bit taken;

	do
	:: ltail[l] >= goal(l) -> break
	:: atomic { ltail[l] < goal(l) && gate[l] == FREE -> gate[l] = OURS }
		if
		:: l == 0 -> apply_0()
		:: l == 2 -> apply_2()
		fi;
		gate[l] = FREE
	od;
	assert(version[l] >= goal(l));
	ended++
}

/* ---- helpers ------------------------------------------------------------ */

/* advance(): up to the next entry that is in several, or to upto. */
inline advance(l, upto) {
	do
	:: ltail[l] < upto && kind(l, ltail[l]) == ONE -> do_one(l)
	:: else -> break
	od
}

/* get(): sets got */
inline get(l) {
#if defined(HELP_WAITS)
	atomic { gate[l] == FREE -> gate[l] = HELPED; got = 1 }
#elif defined(HELP_BOTH)
	atomic {
		if
		:: gate[l] == FREE -> gate[l] = HELPED; got = 1
		:: else -> got = 0
		fi
	}
#else
#if defined(NOT_WANTED) || defined(WANTED_LATE)
	got = 1;
#else
	got = !wanted[l];
#endif
	if
	:: got ->
		if
		:: atomic { gate[l] == FREE -> gate[l] = HELPED }
		:: atomic { gate[l] == OURS -> got = 0 }
#ifndef NOT_WANTED
		:: atomic { gate[l] == HELPED && wanted[l] -> got = 0 }
#endif
		fi
	:: else
	fi
#endif
}

/* gather(), of one part; sets next to what has to go first, if it fails. */
inline part(l, upto, follows) {
	if
	:: !helped[l] ->
		get(l);
		if
		:: got -> helped[l] = 1
		:: else
		fi
	:: else -> got = 1
	fi;
	if
	:: got ->
		advance(l, upto);
		if
		:: ltail[l] < upto -> next = kind(l, ltail[l]); ok = 0
		:: else
		fi
	:: else ->
#ifndef NOT_ARRIVED
		if
		:: follows && arrived[l] == upto + 1
		:: else -> next = ONE; ok = 0
		fi
#else
		next = ONE; ok = 0
#endif
	fi
}

inline do_it(s) {
	do_both(s);
	if
	:: helped[other(s)] ->
#ifdef GIVE_EARLY
		helped[other(s)] = (other(s) == l);
		if
		:: other(s) != l -> gate[other(s)] = FREE
		:: else
		fi;
#endif
		ltail[other(s)] = at_other(s) + 1
	:: else
	fi;
	ltail[leader(s)] = at_leader(s) + 1
}

inline give_back(p) {
	if
	:: helped[p] ->
		helped[p] = 0;
		if
		:: p != l -> gate[p] = FREE
		:: else
		fi
	:: else
	fi
}

/* Finds log l full, until the replica is where all others are. */
proctype helper(byte l) {
	byte s, next;
	bit got, ok;

	do
	:: ltail[l] >= goal(l) -> break
#ifdef NOT_WANTED
	:: ltail[l] < goal(l) && !helping ->
#else
	:: ltail[l] < goal(l) && !helping && !wanted[l] ->
#endif
		/* collect(): it is only tried */
		if
		:: atomic { gate[l] == FREE -> gate[l] = HELPED }
			advance(l, goal(l));
			if
			:: atomic { ltail[l] < goal(l) && !helping ->
				    helping = 1 }
				helped[l] = 1;
				next = kind(l, ltail[l]);
				do
				:: s = next;
				   ok = 1;
				   part(leader(s), at_leader(s), 0);
#ifndef HELP_ALONE
				   if
				   :: ok -> part(other(s), at_other(s), 1)
				   :: else
				   fi;
#endif
				   if
				   :: ok -> do_it(s); break
				   :: !ok && next == ONE -> break
				   :: else
				   fi
				od;
				give_back(0);
				give_back(1);
				give_back(2);
				helping = 0
			:: else
			fi;
			gate[l] = FREE
		:: else
		fi;
		atomic { s = 0; next = 0; got = 0; ok = 0 }
	od;
	ended++
}

init {
	atomic {
		run helper(1);
		run helper(2);
#if HELPERS > 2
		run helper(0);
#endif
		run reader(2);
#if READERS > 1
		run reader(0);
#endif
	}
}
