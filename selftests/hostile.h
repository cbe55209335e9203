/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - what the parts of hostile_test share: speaking the protocol by
 * hand, an honest client beside it, and a server to be attacked
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "footprint.h"
#include "proto.h"
#include "flags.h"
#include "shm_layout.h"
#include "testlib.h"

/* Two uids that are not root's. */
#define UID_A 65533
#define UID_B 65532

/* ---- by hand (hostile_raw.c) -------------------------------------------- */

struct raw {
	int sock;
	int bell;
	uint32_t chan;
	int mem_fd;
	struct shm_chan_head *head;
	struct shm_slot *req, *rep;
	uint64_t pos;
};

#define RAW_DEPTH 8u
#define RAW_BUFS 2u
#define RAW_BUF_SIZE 4096u

/* Connect a socket and say nothing: descriptor, or -errno. */
int raw_socket(const char *name);
/* 0 or -errno; never waits. */
int raw_send(int sock, const void *msg, size_t len, const int *fds,
	     unsigned nfds);
/* Length (0: the peer hung up) or -errno; descriptors are closed but for *@fd,
 * which is the only one or -1. Fails the test if nothing comes. */
ssize_t raw_recv(int sock, union proto_msg *msg, int *fd);
/* The peer has hung up, after whatever else it has said. */
int raw_dropped(int sock);
/* Message of @type, with the fields that an honest client would use. */
size_t raw_msg(union proto_msg *msg, unsigned type);

/* The steps of an honest client; each fails the test if it does not work. */
void raw_open(struct raw *r, const char *name);
void raw_chan(struct raw *r);
/* -errno as answered */
int raw_bufs(struct raw *r, uint32_t chan);
void raw_ring(struct raw *r);
/* Write a request into the next slot, without ringing: its position. */
uint64_t raw_put(struct raw *r, uint32_t op, uint32_t flags, uint64_t ext);
/* Ring and wait: the reply's head; 0 if there is none within LIMIT. */
uint64_t raw_reply(struct raw *r, uint64_t pos);
void raw_close(struct raw *r);

/* ---- the others --------------------------------------------------------- */

/* A client that calls in every way and verifies; ends with status 0. */
void honest_start(struct child *c, const char *name);
/* How often it has been round; asserts that it goes on. */
void honest_goes_on(struct child *c);

/* A server, an honest client, and how they were before. */
struct target {
	const char *name;
	struct child server, honest;
	struct footprint before;
};
/* Its name, if not "": a path. */
extern char target_path[108];
void target_up(struct target *t, void **state,
	       const struct skyipc_server_attr *attr);
/* Everything is as before. */
void target_well(struct target *t, const char *what);
void target_down(struct target *t);

/* ---- the tests ---------------------------------------------------------- */

extern const struct CMUnitTest message_tests[], memory_tests[], flood_tests[],
	hoard_tests[], server_tests[];
extern const size_t nmessage_tests, nmemory_tests, nflood_tests, nhoard_tests,
	nserver_tests;

#endif
