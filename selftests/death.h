/* SPDX-License-Identifier: MIT */
/*
 * death.h - what the parts of death_test share: named points and the
 * script of a client that uses everything
 */
#ifndef DEATH_H
#define DEATH_H

#include "footprint.h"
#include "testlib.h"

/* Bits for the modes in which a point is reached. */
#define IN_ADAPTIVE 1u
#define IN_BLOCKING 2u
#define IN_POLLING 4u
#define IN_ALL 7u
#define IN_PARKING (IN_ADAPTIVE | IN_BLOCKING)

/* And for the transports. */
#define OVER_SHM 1u
#define OVER_KCALL 2u
#define OVER_VMFUNC 4u
#define OVER_MODULE (OVER_KCALL | OVER_VMFUNC)
#define OVER_ALL (OVER_SHM | OVER_MODULE)

struct scenario {
	const char *point;
	unsigned modes, over;
};

/* Is it reached in this variant, on this machine? */
int is_reached(const struct scenario *s, const struct variant *v);

extern const struct scenario client_points[];
extern const size_t nclient_points;
extern const struct scenario server_points[];
extern const size_t nserver_points;

/* ---- points (death_points.c) -------------------------------------------- */

/* In memory that all processes of the test share. */
struct fired {
	_Atomic int fired;
	_Atomic uint64_t ns;
};
extern struct fired *fired;

void points_init(void);
/* This process gets @sig at the @nth hit of @name. */
void point_arm(const char *name, unsigned nth, int sig);
/* Forget what has fired. */
void points_reset(void);
/* Does each point of the sources stand in one of the two tables? */
void test_tables(void **state);

/* Wait until @pid is stopped by its point (1) or has ended (0, reaped). */
int wait_stopped(pid_t pid, int *status);

/* ---- the script --------------------------------------------------------- */

/*
 * Connect, call in every way, close. @first: which of the ways comes first.
 * Without @mortal every error is a failure: the return is the line it was seen
 * in, else 0. With it, errors are those that a dying server causes, in time.
 */
#define WAYS 3u
int client_script(const char *name, unsigned first, int mortal);
/* Longest from the server's death to an error, since points_init(). */
extern uint64_t slowest_notice_ns;

/* The tests of death_server.c. */
void test_server_dies(void **state);
void test_server_stops(void **state);
void test_all_pending(void **state);
void test_stopped_server_deadlines(void **state);

#endif
