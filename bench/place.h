/* SPDX-License-Identifier: MIT */
/* Which CPUs the two sides run on. */
#ifndef BENCH_PLACE_H
#define BENCH_PLACE_H

#include <sched.h>

struct placement {
	const char *name;
	int same_cpu;
	unsigned nclient, nserver, nbackend; /* CPUs of each */
	int client[CPU_SETSIZE];
	int server[CPU_SETSIZE];
	int backend[CPU_SETSIZE]; /* of a server that the server calls */
	char relation[64];	  /* of the first client's and server's CPU */
};

/**
 * place_init - learn the CPUs this process may use
 * @list: "A,B,...": use these, in this order; NULL: all that are allowed, those
 *        of different cores before their SMT siblings.
 *
 * Return: 0; -1 after an error message.
 */
int place_init(const char *list);

/** How many CPUs there are to use. */
unsigned place_cpus(void);

/** The @i-th of them. */
int place_cpu(unsigned i);

/**
 * place_make - lay out @clients clients and their server
 * @name: "same-cpu" or "cross-cpu".
 * @why:  set when it cannot be done here.
 *
 * Return: 0; -1: see @why.
 */
int place_make(struct placement *p, const char *name, unsigned clients,
	       const char **why);

#endif /* BENCH_PLACE_H */
