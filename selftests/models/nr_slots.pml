/* SPDX-License-Identifier: MIT */
/*
 * nr_slots.pml - one replica's combiner, for spin: slots, batches, a full log
 *
 * Three contexts of a replica. The first submits an update and then makes one at
 * once, directly; the others put theirs into slots, and try to combine until
 * they are answered. The log has LOG entries, and there is another replica that
 * reads it when it likes. Steps are those of libnr/src: context_fill(),
 * gate_try(), collecting a batch, log_take(), answer(). How log and replicas
 * work together is nr.pml's, and sleeping nr_lock.pml's.
 *
 * Asserted: each update is in the log once; those of a context in the order in
 * which it asked for them; who is answered has been applied; everybody ends.
 *
 * Mutants, one at a time, with -D: NO_RETRY, TWICE, OVERTAKE, SYNC_LATE.
 */

#define CONTEXTS 3
#define SLOTS 2 /* of each, a ring */
#define LOG 2
#define BATCH 2
#ifndef EACH
#define EACH 2 /* updates of each of the others */
#endif
#define UPDATES (2 + 2 * EACH)

byte slot[CONTEXTS * SLOTS]; /* pending: the update's number, from 1 on */
bit next[CONTEXTS];	     /* the oldest one: the gate's owner's */
bit gate;
byte tail, ltail, other, head;
byte put[UPDATES + 1]; /* where an update is in the log, + 1 */
bit answered[UPDATES + 1];

/* So many entries at once, in the order of the batch. Uses t. */
inline append() {
	do
	:: t = tail;
	   if
	   :: t + n > head + LOG ->
		/* make room: we apply what there is; the other one, when it
		 * likes */
		ltail = tail;
		other > head || t + n <= head + LOG;
		atomic {
			head = other;
			if
			:: ltail < head -> head = ltail
			:: else
			fi
		};
#ifdef TWICE
		if
		:: n == 1 -> batch[1] = batch[0]; n = 2
		:: else
		fi
#endif
	   :: else ->
		atomic {
			tail = t + n;
			i = 0;
			do
			:: i < n ->
				assert(put[batch[i]] == 0);
				put[batch[i]] = t + i + 1;
				i++
			:: else -> break
			od;
			i = 0;
			assert(tail <= head + LOG)
		};
		break
	   fi
	od;
	/* apply, then answer */
	ltail = tail;
	i = 0;
	do
	:: i < n ->
		answered[batch[i]] = 1;
		i++
	:: else -> break
	od;
	atomic {
		n = 0;
		i = 0;
		t = 0;
		batch[0] = 0;
		batch[1] = 0
	}
}

/* One batch of what is pending, from all contexts; each one's in its order. */
inline collect() {
	c = 0;
	do
	:: c < CONTEXTS && n < BATCH ->
		i = c * SLOTS + next[c];
#ifdef SYNC_LATE
		if
		:: slot[c * SLOTS + 1 - next[c]] ->
			i = c * SLOTS + 1 - next[c]
		:: else
		fi;
#endif
		if
		:: atomic { slot[i] ->
			    batch[n] = slot[i];
			    slot[i] = 0;
			    next[c] = 1 - i % SLOTS;
			    n++ }
		:: else -> c++
		fi
	:: else -> break
	od;
	atomic {
		c = 0;
		i = 0
	}
}

#define pending                                                                \
	(slot[0] || slot[1] || slot[2] || slot[3] || slot[4] || slot[5])

/* With the gate. */
inline combine() {
	do
	:: pending ->
		collect();
		if
		:: n -> append()
		:: else
		fi
	:: else -> break
	od
}

/* An update that is submitted, one in a slot behind it or at once, and waits */
proctype submits() {
	byte batch[BATCH];
	byte n, t, i, c;

	slot[0] = 1;
	if
	:: /* directly: what waits in its slots goes before */
		atomic { !gate -> gate = 1 }
#ifndef OVERTAKE
		combine();
#endif
		batch[0] = 2;
		n = 1;
		append();
		gate = 0
	:: /* from a slot, as others do */
		slot[1] = 2;
		do
		:: answered[2] -> break
		:: atomic { !answered[2] && !gate -> gate = 1 }
			combine();
			gate = 0
		od
	fi;
#ifdef OVERTAKE
	do
	:: answered[1] -> break
	:: atomic { !answered[1] && !gate -> gate = 1 }
		combine();
		gate = 0
	od;
#endif
	assert(answered[2]);
	assert(answered[1]);
	assert(put[1] < put[2])
}

proctype updates(byte me) {
	byte batch[BATCH];
	byte n, t, i, c, k, mine;
#ifdef NO_RETRY
	bit tried;
#endif

	do
	:: k < EACH ->
		mine = 3 + (me - 1) * EACH + k;
		slot[me * SLOTS + k % SLOTS] = mine;
#ifdef NO_RETRY
		tried = 0;
#endif
		do
		:: answered[mine] -> break
#ifdef NO_RETRY
		:: !tried -> tried = 1;
			if
			:: atomic { !gate -> gate = 1 }
				combine();
				gate = 0
			:: else
			fi
#else
		:: atomic { !answered[mine] && !gate -> gate = 1 }
			combine();
			gate = 0
#endif
		od;
		atomic {
			assert(ltail >= put[mine] && put[mine]);
			mine = 0;
			k++
		}
	:: else -> break
	od
}

/* Another replica: it reads what there is, when it likes. */
proctype reads() {
	do
	:: other < tail -> other++
	:: other == UPDATES -> break
	od
}

init {
	atomic {
		run submits();
		run updates(1);
		run updates(2);
		run reads()
	}
}
