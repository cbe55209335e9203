/* SPDX-License-Identifier: MIT */
/*
 * A peer is one way of making a call: a table of functions. To add one, write
 * a file with its functions and give it a row in peers.c.
 *
 * A run is one peer with one configuration for one round. The parent calls
 * setup(), forks the server, waits until it is ready, forks the clients, and
 * calls teardown() when all of them are gone. setup() must not start threads
 * or initialise libraries: the children do that, each for itself.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct run;

/** What is asked of a peer. */
struct peer_cfg {
	size_t size;	       /* payload bytes each way, at least 1 */
	const char *transport; /* skyipc only */
	int mode;	       /* skyipc only: enum skyipc_mode */
	unsigned workers;      /* skyipc only: 0 is one for each server CPU */
	unsigned clients;
	unsigned depth;	  /* outstanding calls of each client; 1: rtt */
	int in_place;	  /* build requests where they are sent from */
	int server_reads; /* server loads a word of every page */
	int same_cpu;
	int variant; /* the question's own */
};

enum peer_flags {
	PEER_LOCAL = 1 << 0,	/* no server process */
	PEER_THREADED = 1 << 1, /* serve() once for each client, in a thread */
	PEER_SPINS = 1 << 2,	/* senseless with both sides on one CPU */
	PEER_GRACEFUL = 1 << 3, /* stop with SIGTERM, it has to clean up */
	PEER_SKYIPC = 1 << 4,
	/* Has threads of its own, which should not have to share the
	 * caller's CPU: both sides may use the CPUs of both. */
	PEER_FLOATS = 1 << 6,
	PEER_CONTROL = 1 << 5, /* not a way to make calls, but a measure */
};

#define PEER_OK 0
#define PEER_FAILED (-1)
#define PEER_SKIPPED 1

/**
 * struct peer - table of functions
 * @name:   what --peer takes.
 * @mode:   how both sides wait.
 * @copies: of the payload in a round trip, and by whom, for people.
 * @batch:  calls between two time stamps; 0 is 1. For what is shorter than
 *          taking the time.
 * @setup:  in the parent, before fork; PEER_OK, PEER_FAILED, PEER_SKIPPED.
 * @serve:  in the server; run_ready() when clients may connect. Returns only on
 *          failure, or after run_stopping().
 * @backend: in a second server process that the first one calls; started
 *          before it. As @serve; NULL: there is none.
 * @open:   in a client; NULL: run_fail() or run_skip() was called.
 * @call:   one round trip; 0, or run_fail().
 * @submit: start one call; 0, or run_fail(). The caller keeps the depth.
 * @reap:   wait for at least one reply; how many came, or run_fail().
 * @stop:   in the parent, to make the server return from serve().
 * @teardown: in the parent, after everybody ended, however they ended; also
 *          after a setup() that failed, or that was not come to.
 */
struct peer {
	const char *name;
	const char *mode;
	const char *copies;
	unsigned flags;
	unsigned batch;
	int (*setup)(struct run *run);
	int (*serve)(struct run *run, unsigned client);
	int (*backend)(struct run *run, unsigned client);
	void *(*open)(struct run *run, unsigned client);
	int (*call)(void *conn);
	int (*submit)(void *conn);
	int (*reap)(void *conn);
	void (*close)(void *conn);
	void (*teardown)(struct run *run);
};

#define RUN_WHY_MAX 256

/**
 * struct run - as the peers see it
 * @tag:    unique on this machine, for names that have to be given.
 * @mem:    what setup() made; the children inherit it.
 * @server_cpus: where server threads belong.
 */
struct run {
	const struct peer *peer;
	struct peer_cfg cfg;
	char tag[64];
	void *mem;
	size_t mem_len;
	pid_t server;
	cpu_set_t server_cpus; /* in the backend: its own */
	struct run_priv *priv;
};

/** Say that clients can connect; each thread of a PEER_THREADED server does. */
void run_ready(struct run *run);

/** Asked to end (PEER_GRACEFUL); system calls return EINTR then. */
int run_stopping(const struct run *run);

/** Say why; the first reason given by any process is reported. */
int run_fail(struct run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int run_skip(struct run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** Has any process of the run called run_fail() or run_skip()? */
int run_failed(const struct run *run);

/** Zeroed memory shared over fork, freed after teardown(); NULL: run_fail() */
void *run_shared(struct run *run, size_t len);

/** Small zeroed memory for free(); NULL: run_fail() was called */
void *run_alloc(struct run *run, size_t len);

/** Private memory, touched, page-aligned; NULL: run_fail() was called */
void *run_private(struct run *run, size_t len);

/** The peers of this build; ends with a NULL. */
extern const struct peer *const peers[];
const struct peer *peer_find(const char *name);

/** Why a peer known by name is not in this build; NULL if it is not known. */
const char *peer_not_built(const char *name);

/** The names of those, by number; NULL ends them. */
const char *peer_not_built_name(unsigned i);

static inline size_t page_align(size_t n)
{
	return (n + 4095) & ~(size_t)4095;
}

/*
 * Every request carries a serial number and every reply is checked for it:
 * what did not come back was not measured.
 */
static inline void payload_stamp(void *buf, size_t size, uint64_t serial)
{
	if (size >= sizeof(serial))
		memcpy(buf, &serial, sizeof(serial));
	else
		*(unsigned char *)buf = (unsigned char)serial;
}

static inline int payload_ok(const void *buf, size_t size, uint64_t serial)
{
	uint64_t got;

	if (size < sizeof(serial))
		return *(const unsigned char *)buf == (unsigned char)serial;
	memcpy(&got, buf, sizeof(got));
	return got == serial;
}

/** Load a word of every page, as a reader of a reply in place would. */
static inline void payload_touch(const void *buf, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		(void)*((const volatile unsigned char *)buf + at);
}

#endif /* BENCH_PEER_H */
