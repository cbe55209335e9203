/* SPDX-License-Identifier: MIT */
/*
 * Calls are no cancellation points: a thread that ended inside one would leave
 * locks and its channel as they are. Around system calls whose wrappers are
 * cancellation points.
 */
#ifndef SKY_CANCEL_H
#define SKY_CANCEL_H

#include <pthread.h>

static inline int cancel_off(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}

static inline void cancel_back(int old)
{
	pthread_setcancelstate(old, &old);
}

#endif
