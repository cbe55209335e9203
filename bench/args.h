/* SPDX-License-Identifier: MIT */
/*
 * What values of options look like. @opt is the option's name, for messages;
 * what is wrong ends the program.
 */
#ifndef BENCH_ARGS_H
#define BENCH_ARGS_H

#include <stddef.h>
#include <stdint.h>

#define ARGS_USAGE 2 /* exit status */

struct str_list {
	char **v;
	size_t n;
};

struct num_list {
	uint64_t *v;
	size_t n;
};

/** "a,b,c": no empty words, none twice. */
void args_split(struct str_list *l, const char *opt, const char *arg);

/** Are all of them in @known, which ends with a NULL? */
void args_known(const struct str_list *l, const char *opt,
		const char *const *known);

/** A whole number, with k, M or G of 1024. */
uint64_t args_number(const char *opt, const char *arg, uint64_t min,
		     uint64_t max);

/** "1,2,4k" */
void args_numbers(struct num_list *l, const char *opt, const char *arg,
		  uint64_t min, uint64_t max);

/** Seconds, at least a thousandth, at most a day. */
double args_seconds(const char *opt, const char *arg);

/** Milliseconds, at least a thousandth, at most a day. */
double args_milliseconds(const char *opt, const char *arg);

#endif /* BENCH_ARGS_H */
