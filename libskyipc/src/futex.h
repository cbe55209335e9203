/* SPDX-License-Identifier: MIT */
/* futex(2) on words in memory that two processes share. */
#ifndef SKY_FUTEX_H
#define SKY_FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Sleep while *@word is @val, until woken or @deadline (absolute ns on
 * CLOCK_MONOTONIC, UINT64_MAX for none). Return: 0: woken or the value
 * differed or a signal came, look again; -ETIMEDOUT.
 */
static inline int futex_wait(_Atomic uint32_t *word, uint32_t val,
			     uint64_t deadline)
{
	struct timespec ts, *tsp = NULL;

	if (deadline != UINT64_MAX) {
		ts.tv_sec = (time_t)(deadline / 1000000000u);
		ts.tv_nsec = (long)(deadline % 1000000000u);
		tsp = &ts;
	}
	/* FUTEX_WAIT_BITSET takes an absolute time, FUTEX_WAIT a relative. */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, val, tsp, NULL,
		    FUTEX_BITSET_MATCH_ANY) < 0 &&
	    errno == ETIMEDOUT)
		return -ETIMEDOUT;
	return 0;
}

/*
 * Wake who sleeps on @word: a channel has one owner. (A hostile peer can put
 * any number of its own threads to sleep there. They are not woken at our
 * expense.)
 */
static inline void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
