/* SPDX-License-Identifier: MIT */
/*
 * Servers that call each other by VMFUNC, in the views where their handlers
 * run: the first one calls the second, and so on.
 */
#ifndef SKYIPC_CHAIN_H
#define SKYIPC_CHAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "view.h"

enum { CHAIN_MAX = 4 };

/*
 * What goes through: word 0 is what is to be done by the one that is reached
 * when word 1, how many more there are, has come to 0. It comes back as the
 * status, word 1 as how many have passed it on. What is less than CHAIN_OWN is
 * the chain's own.
 */
enum {
	CHAIN_ECHO,
	CHAIN_PREPARE, /* its handlers call by VMFUNC from now on */
	CHAIN_OWN,
};

struct chain {
	int n;
	pid_t server[CHAIN_MAX];
	int conn;	     /* to the first one */
	struct view_way way; /* of the caller that has prepared it */
};

/* Of a server: its number, its connection to the next one, or -1; */
extern int chain_me, chain_next;
/* and its thread's way there */
extern __thread struct view_way chain_way;

/* From then on it is counted how often each server's handler has begun, in [0],
 * ... */
void chain_count(void);
extern _Atomic unsigned *chain_begun;

/* All but the chain's own, where it is to be done. Word 0 is the status, 0 */
typedef void chain_fn(uint64_t what, struct view_msg *m);
void chain_up(struct chain *c, int n, int lenders, chain_fn *does);
/*
 * By the thread that calls, whose descriptor and page @v are: its way in, and
 * each server has one to the next. False: not, and it is told
 */
bool chain_prepare(struct chain *c, const struct view_caller *v);
void chain_down(struct chain *c);

/* 0 or -errno: @what is done by the server that @more pass it on to */
int chain_call(const struct chain *c, const struct view_caller *v,
	       uint64_t what, uint64_t more, struct view_msg *m);
/* An echo of each length comes back, from where it should */
bool chain_is_well(const struct chain *c, const struct view_caller *v);
/* The link in @slot of this thread's, as debugfs shows it; "": there is none */
struct chain_line {
	char state[16];
	unsigned long long interrupts, faults, syscalls, resumed, moved,
		finished;
};
struct chain_line chain_line(pid_t thread, unsigned slot);

#endif
