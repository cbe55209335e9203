/* SPDX-License-Identifier: MIT */
/*
 * nr_lock.pml - libnr's reader lock and the gate beneath it, for spin
 *
 * Readers and writers that sleep. Steps are those of libnr/src/gate.h and
 * rlock.c; futex_wait() is one step that compares and sleeps, futex_wake_all()
 * one that wakes. Spinning and yielding are left out: who would, looks again or
 * sleeps at once. Asserted: nobody reads beside a writer; a reader that waits is
 * let in after BYPASS sections; nobody sleeps for ever (invalid end states).
 *
 * The word of the gate: held, parked, and a count, which goes round after COUNT:
 * enough that it does not come back in so few rounds.
 *
 * Mutants, one at a time, with -D: READER_BLIND, WRITER_BLIND, STARVE, LOST_WAKE,
 * GRANT_ASLEEP, WORD_AGAIN, LOOK_ONCE.
 */

#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2 /* of each writer */
#endif
#define READERS 2
#ifndef BYPASS
#define BYPASS 1 /* 0: a reader that waited for one goes before the next */
#endif
#define COUNT 16

#define AWAY 0
#define READING 1
#define WAITING 2

bit held, parked;
byte count;
bit asleep[READERS + WRITERS];
byte state[READERS];
byte since[READERS];
bit writer;
byte section;
byte reading;   /* how many do */
bit writing;

inline wake_all() {
	d_step {
		i = 0;
		do
		:: i < READERS + WRITERS -> asleep[i] = 0; i++
		:: else -> break
		od;
		i = 0
	}
}

/* Sets seen to the word's value, or free to 1. */
inline announce() {
	atomic {
		if
		:: held -> parked = 1; seen = count; free = 0
		:: else -> free = 1
		fi
	}
}

/* While it is held and parked, and the count is what was seen. */
inline futex_wait(me) {
	atomic {
		if
		:: held && parked && count == seen -> asleep[me] = 1
		:: else
		fi
	}
	!asleep[me]
}

inline gate_unlock() {
	atomic {
		was = parked;
		held = 0;
		parked = 0;
#ifdef WORD_AGAIN
		count = 0
#else
		count = (count + 1) % COUNT
#endif
	}
#ifndef LOST_WAKE
	if
	:: was -> wake_all()
	:: else
	fi
#endif
}

#define may_try(r) (state[r] == READING || !writer)

proctype reader(byte me) {
	byte seen, i;
	bit free;

	state[me] = READING;
#ifndef READER_BLIND
	if
	:: !writer
	:: else ->
		since[me] = section;
again:
		state[me] = WAITING;
		do
		:: may_try(me) -> break
		:: else ->
			announce();
			if
			:: free
#ifdef LOOK_ONCE
			:: !free -> futex_wait(me)
#else
			:: !free && may_try(me) -> break
			:: !free && !may_try(me) -> futex_wait(me)
#endif
			fi
		od;
		if
		:: atomic { state[me] == WAITING -> state[me] = READING }
			if
			:: !writer
			:: else -> goto again
			fi
		:: state[me] == READING /* let in */
		fi;
		assert(section - since[me] <= BYPASS + 1)
	fi;
#endif
	atomic { assert(!writing); reading++ };
	atomic { assert(!writing); reading-- };
	state[me] = AWAY
}

proctype locker(byte me) {
	byte seen, i, k, r;
	bit free, was;

	do
	:: k < ROUNDS ->
		do
		:: atomic { !held -> held = 1 } break
		:: held ->
			announce();
			if
			:: free
			:: else -> futex_wait(me)
			fi
		od;
		section++;
		writer = 1;
		r = 0;
		do
		:: r < READERS ->
			if
			:: state[r] == AWAY -> r++
			:: state[r] == WAITING ->
#ifdef STARVE
				r++
#else
				if
				:: section - since[r] <= BYPASS -> r++
				:: else ->
					/* let_in() */
					if
					:: atomic { state[r] == WAITING ->
						    state[r] = READING }
#ifndef GRANT_ASLEEP
						atomic {
							was = parked;
							count = (count + 1) %
								COUNT
						}
						if
						:: was -> wake_all()
						:: else
						fi
#endif
					:: else
					fi
				fi
#endif
#ifdef WRITER_BLIND
			:: state[r] == READING -> r++
#endif
			fi
		:: else -> break
		od;
		atomic { assert(!reading && !writing); writing = 1 };
		atomic { assert(!reading); writing = 0 };
		writer = 0;
		gate_unlock();
		atomic { k++; r = 0; seen = 0; free = 0; was = 0 }
	:: else -> break
	od
}

init {
	atomic {
		run reader(0);
		run reader(1);
		run locker(READERS);
		if
		:: WRITERS > 1 -> run locker(READERS + 1)
		:: else
		fi
	}
}
