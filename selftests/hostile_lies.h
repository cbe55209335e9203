/* SPDX-License-Identifier: MIT */
/*
 * What servers that lie share, whatever their transport, and what those do who
 * are lied to.
 */
#ifndef HOSTILE_LIES_H
#define HOSTILE_LIES_H

#include <fcntl.h>
#include <stdbool.h>

#include "hostile.h"

/* ---- a server -------------------------------------------------------------
 */

#define EXT(len, off) ((uint64_t)(len) | (uint64_t)(off) << 32)

/* The first of each; @say and the others are given that. */
struct teller {
	const char *name;
	int sock; /* of the one client at a time, or -1 */
};

struct teller_ops {
	void (*welcome)(struct teller *t, const struct proto_hello *hello);
	void (*chan)(struct teller *t);
	/* May be NULL: all the time, once it has returned true. */
	bool (*look)(struct teller *t);
};

/* Until told to end. */
void teller_run(struct child *me, struct teller *t,
		const struct teller_ops *ops);

#define SEALED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int teller_mem(size_t size, int seals);

/* ---- who is lied to -------------------------------------------------------
 */

struct lied {
	const char *name;
	int lie;
	struct child server;
	struct footprint before;
	uint64_t begin;
};

/* Start @server, with how we were before. */
void lied_begin(struct lied *l, int lie, const char *name,
		int (*server)(struct child *, void *), void *arg);
/* @attr: what tellers offer */
void lied_attr(struct skyipc_connect_attr *attr);
/* Some more calls, whatever comes of them */
void lied_calls(struct skyipc_conn *conn);
/* It has taken less than @ns, and left nothing. */
void lied_end(struct lied *l, uint64_t ns);

/* Each beside an honest connection of the same process */
void lied_beside_honest(void **state, void (*against)(int), const int *lies,
			size_t n);

#endif
