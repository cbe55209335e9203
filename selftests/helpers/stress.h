/* SPDX-License-Identifier: MIT */
/* stress.h - what stress.c and stress_client.c share */
#ifndef STRESS_H
#define STRESS_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "skyipc.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

/*
 * What a server's heap may have in use more than before, whatever was served:
 * malloc has small pieces at hand for each thread. (How much of it malloc keeps
 * from the kernel is malloc's: one piece at its upper end is enough for all.)
 */
#define HEAP_KIB 128

struct options {
	uint64_t seconds, calls, kills, seed;
	unsigned procs, conns, threads, mode;
};
extern struct options opt;

/* In memory that all processes share. */
struct shared {
	char name[64];
	_Atomic int up, clients_end, server_ends, failed;
	_Atomic int weigh; /* the server is asked for its heap */
	_Atomic uint64_t calls, connects, heap;
};
extern struct shared *shared;

static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void pause_us(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

static inline uint64_t rnd(uint64_t *x)
{
	*x += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = *x;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int32_t stress_handler(struct skyipc_call *call, void *arg);
/* The life of a client process: exit status. */
int stress_client(uint64_t seed);

#endif
