/* SPDX-License-Identifier: MIT */
/* futex(2) on words of one process. */
#ifndef NR_FUTEX_H
#define NR_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "point.h"

/* Sleep while *@word is @val, until woken; may return early. */
static inline void futex_wait(_Atomic uint32_t *word, uint32_t val)
{
#ifdef NR_TEST_POINTS
	nr_test_sleep(word, val);
#else
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, val, NULL, NULL, 0);
#endif
}

/* @word is an address only: the memory may be gone already. */
static inline void futex_wake_all(_Atomic uint32_t *word)
{
#ifdef NR_TEST_POINTS
	nr_test_wake(word);
#else
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

#endif
