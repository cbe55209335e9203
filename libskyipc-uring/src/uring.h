/* SPDX-License-Identifier: MIT */
/* uring.h - a set of rings, and one of them: what the files here share */
#ifndef SKY_URING_H
#define SKY_URING_H

#include <liburing.h>
#include <stdatomic.h>
#include <stdint.h>

#include "skyipc_uring.h"
#include "util.h"

/* Most that one transfer moves: the kernel's MAX_RW_COUNT with pages of 4 KiB.
 * Linux cuts what is longer; we do, for a ring knows 32 bits only. */
#define URING_RW_MAX 0x7ffff000u

/*
 * One ring. Whoever has it taken is alone with it, but for the kernel: so there
 * is no lock, and nobody waits for one that a stopped thread holds.
 */
struct ring {
	/* Exchanged with acquire by who takes it, which pairs with the release
	 * of who had it: they see the ring as it was left. */
	_Atomic uint32_t taken;
	uint32_t number; /* from 1 */
	uint32_t room;	 /* transfers under way at a time */
	int has_files, has_buffers;
	const int *files; /* the set's */
	uint64_t poll_ticks;

	/* The array that is being worked off */
	struct skyipc_uring_io *io;
	uint32_t n;
	uint32_t next; /* to be put into the ring */
	uint32_t under_way;

	/* see struct skyipc_uring_stats; written by who has it */
	uint64_t done, wakes, waits;

	struct io_uring uring;
} __attribute__((aligned(64)));

struct skyipc_uring {
	struct ring **rings;
	uint32_t nrings;
	uint32_t nfiles;
	uint32_t nbuffers;
	int forked; /* set in a child: the rings are its parent's */
	int *files; /* ours */
	struct iovec *buffers;

	/* Counted by many at a time, ordered with nothing */
	_Atomic uint64_t direct, busy;

	char why[128];
	struct skyipc_uring *next, **at; /* all sets of the process: set.c */
};

/* ---- ring.c -------------------------------------------------------------- */

/*
 * Make a ring whose poller is that of @first, or its own if that is NULL. What
 * it lacks is told in u->why. Return: 0, -errno.
 */
int ring_make(struct skyipc_uring *u, const struct skyipc_uring_attr *attr,
	      const struct ring *first, struct ring **out);
void ring_free(struct ring *r);
/* Leave it to its maker: in a child, which has it mapped and open, too. */
void ring_leave(struct ring *r);

/* Begin with an array, for who has taken @r. */
void ring_start(struct skyipc_uring *u, struct ring *r,
		struct skyipc_uring_io *io, uint32_t n);
/* Until the array is done. */
void ring_finish(struct skyipc_uring *u, struct ring *r);

/* ---- direct.c ------------------------------------------------------------ */

/* Is this a transfer? 0, or what its result is. */
int io_check(const struct skyipc_uring *u, const struct skyipc_uring_io *io);
/*
 * So much has come: bytes, or -errno. @io->result has what came before.
 * Return: is more of it to be asked for?
 */
int io_add(struct skyipc_uring_io *io, int64_t res);
/* What is left of it to be asked for at a time */
static inline uint32_t io_left(const struct skyipc_uring_io *io)
{
	return (uint32_t)min_u64(io->len - (size_t)io->result, URING_RW_MAX);
}
/* Do it, by system calls. */
void io_direct(const struct skyipc_uring *u, struct skyipc_uring_io *io);

#endif
