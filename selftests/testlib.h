/* SPDX-License-Identifier: MIT */
/*
 * testlib.h - what many tests need: children, servers in children, counting,
 * waiting with a limit
 *
 * Nothing here sleeps in order to synchronise: processes wait for each other on
 * pipes, and WAIT_FOR() looks again until something is so.
 */
#ifndef TESTLIB_H
#define TESTLIB_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "skyipc.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Sanitizers and valgrind make everything slower: limits are multiplied. */
extern unsigned slowness;
int under_valgrind(void);
int under_tsan(void);
int under_asan(void);

/* A generous limit: what should happen at once has not happened by then. */
#define LIMIT_MS (20000u)
#define LIMIT SKYIPC_MS(LIMIT_MS)

/* ---- time --------------------------------------------------------------- */

uint64_t time_ns(void);
/* Let others run for a moment; used between two looks, never for order. */
void moment(void);

/* Look until @cond holds, at most @ms; what it evaluates to in the end. */
#define WAIT_FOR_MS(cond, ms)                                                  \
	({                                                                     \
		uint64_t until_ = time_ns() + (uint64_t)(ms)*1000000u;         \
		int ok_;                                                       \
		while (!(ok_ = !!(cond)) && time_ns() < until_)                \
			moment();                                              \
		ok_;                                                           \
	})
#define WAIT_FOR(cond) WAIT_FOR_MS(cond, LIMIT_MS)

/* ---- processes ---------------------------------------------------------- */

struct child {
	pid_t pid;
	int to;	  /* to the child: closed when it shall end */
	int from; /* from the child */
};

/*
 * Fork a child that runs @fn and exits with what it returns. It dies with this
 * thread. In the child @me is its own end of the two pipes.
 */
void child_start(struct child *c, int (*fn)(struct child *me, void *arg),
		 void *arg);
/* A number to the other side; one from there (asserts that one comes). */
void child_say(struct child *c, int64_t value);
int64_t child_hear(struct child *c);
/* In the child: until the parent wants it to end. */
void child_await_end(struct child *me);
/* Tell it to end and wait: its exit status, or 1000 + the signal. */
int child_end(struct child *c);
/* SIGKILL and wait. */
void child_kill(struct child *c);

/* exit status or 1000 + signal of @pid; fails the test after LIMIT */
int wait_exit(pid_t pid);

/* Set our soft limit of RLIMIT_...; returns what it was. */
uint64_t set_limit(int resource, uint64_t n);

/* From /proc: open descriptors, threads, the state letter; -1: no process. */
int fds_open(pid_t pid);
int threads_of(pid_t pid);
/* CPU time that all of its threads have used */
uint64_t cpu_ns_of(pid_t pid);
int state_of(pid_t pid, pid_t tid);
/* Does every thread sleep? */
int all_sleep(pid_t pid);

/* A pinned thread or process; 0 or -errno. CPU @i of those allowed. */
int cpus_allowed(void);
int pin_to(int i);

/* ---- servers and connections -------------------------------------------- */

/* A name no test of this run has used. Static per call: 8 stay valid. */
const char *new_name(void);

/* Server in a child; up when this returns. End with child_end(): exits 0. */
void server_spawn(struct child *c, const char *name,
		  const struct skyipc_server_attr *attr);
/* The same, and what creating or starting it returned. */
int server_try_spawn(struct child *c, const char *name,
		     const struct skyipc_server_attr *attr);

/* Server in this process, started. */
struct skyipc_server *server_here(const char *name,
				  const struct skyipc_server_attr *attr);

/* The transport under test, NULL for any: used by connect_to() if unset. */
extern const char *transport;

/* To a server that dispatches, or is pinned: its handlers do not run elsewhere.
 */
void not_in_views(void);

/* Skips the test unless that is shm, whose workings it looks at. */
void over_shm_only(void);

/* Connect or fail the test; @attr may be NULL. */
struct skyipc_conn *connect_to(const char *name,
			       const struct skyipc_connect_attr *attr);

/* Counters. */
void conn_stats_of(struct skyipc_conn *conn, struct skyipc_stats *stats);
void server_stats_of(struct skyipc_server *server, struct skyipc_stats *stats);
/* ... of a server in another process, by skyipc_query(). */
void query_of(const char *name, struct skyipc_server_info *info);

/* ---- one suite for every transport, mode and placement ------------------ */

struct variant {
	char transport[16];
	enum skyipc_mode mode;
	int here;     /* server in the test's own process */
	int same_cpu; /* client and server on one CPU, else on two */
};

/* What to vary, beside the transport. */
#define BY_MODE 1u
#define BY_PLACE 2u

/*
 * Run each test once for every variant; in a test *state is the variant. Names
 * get the variant appended.
 */
int run_variants(const char *group, const struct CMUnitTest *tests, size_t n,
		 unsigned by);

/* A server as the variant wants it, and a connection to it. */
struct fixture {
	const struct variant *v;
	const char *name;
	struct child child;	      /* pid is 0 if the server is here */
	struct skyipc_server *server; /* NULL if it is not */
	struct skyipc_conn *conn;
};

/* Attributes may be NULL; without a handler it is test_handler(). */
void fixture_up(struct fixture *f, void **state,
		const struct skyipc_server_attr *attr,
		const struct skyipc_connect_attr *cattr);
/* Close and end; asserts that the server ended well. */
void fixture_down(struct fixture *f);
pid_t fixture_pid(const struct fixture *f);

/* Call without words, in time, and be sure that it went well. */
uint64_t ask(struct skyipc_conn *conn, uint32_t op, uint64_t in0, uint64_t in1);

/* For threads and children: cmocka's own asserts are for the main thread. */
#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "# %s:%d: not so: %s (%s)\n",          \
				__FILE__, __LINE__, #cond, skyipc_errmsg());   \
			abort();                                               \
		}                                                              \
	} while (0)

/* ---- a handler that does a bit of everything ---------------------------- */

enum test_op {
	OP_ECHO = 0, /* words + 1; long part copied to reply; 0 */
	OP_STATUS,   /* status is in[0] */
	OP_INPLACE,  /* reply = data, len */
	OP_OFFSET,   /* reply at data + in[0], in[1] bytes */
	OP_OWN,	     /* in[0] bytes of pattern(in[1]) from own memory */
	OP_FILL,     /* reply of in[0] bytes, pattern(in[1]), in reply */
	OP_TOO_LONG, /* reply_len = reply_cap + 1 + in[0] */
	OP_SUM,	     /* out[0]: bytes, out[1]: sum of them */
	OP_FDS_IN,   /* out[0]: how many, out[1]: sum of st_ino */
	OP_FDS_BACK, /* the same descriptors back */
	OP_FDS_KEEP, /* keep all but in[0] of them; out[0]: kept so far */
	OP_FDS_DROP, /* close those kept */
	OP_FDS_MAKE, /* in[0] descriptors of /dev/null back, in[1] > 0: of
			the handler's own array; in[2]: closed when passed */
	OP_PEER,     /* out: pid, uid, gid, pidfd or -errno, its pid */
	OP_BLOCK,    /* until OP_UNBLOCK; out[0]: 1 */
	OP_UNBLOCK,  /* let in[0] blocked ones go on */
	OP_BLOCKED,  /* out[0]: how many are blocked now */
	OP_COUNT,    /* out[0]: how often this has run */
	OP_COUNTED,  /* out[0]: that, without running it */
	OP_PID,	     /* out[0]: pid, out[1]: tid, out[2]: cpu */
	OP_FDS_OPEN, /* out[0]: descriptors open in the server */
	OP_SPIN,     /* busy for in[0] ns */
	OP_LAST,
};
int32_t test_handler(struct skyipc_call *call, void *arg);

/* The same for a server in this process, without a call. */
void test_unblock(int n);
int test_blocked(void);
int test_counted(void);

/* Byte @i of the pattern @seed. */
static inline uint8_t pattern(uint64_t seed, size_t i)
{
	return (uint8_t)((seed * 131 + i) * 2654435761u >> 13);
}
void pattern_fill(void *to, size_t len, uint64_t seed);
int pattern_is(const void *at, size_t len, uint64_t seed);

#endif
