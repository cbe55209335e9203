/* SPDX-License-Identifier: MIT */
/*
 * What becomes of calls by VMFUNC, for skyctl stat: who keeps leaving the fast
 * way, why, and what to do about it.
 */
#ifndef CTL_STAT_VIEWS_H
#define CTL_STAT_VIEWS_H

#include <stdbool.h>
#include <stddef.h>

#include <skyipc.h>

struct json;

/* What each counter gained; whoever counts is not trusted to count upwards. */
struct skyipc_views views_gain(const struct skyipc_views *now,
			       const struct skyipc_views *before);

/* Calls that began on the client's thread and went on in the server's */
uint64_t views_moved(const struct skyipc_views *v);

/* For a table: its columns, and a row of them */
void views_print_head(void);
void views_print_row(const char *who, const struct skyipc_views *v);

/* An object "views" */
void views_json(struct json *j, const struct skyipc_views *v);

/*
 * The @i-th thing to be said about the calls that @v counts, of @calls in all,
 * to server @name, which is printable: in @buf, and *@advice is what to do.
 * False: there is no more. What is rare is not worth a word.
 */
bool views_finding(unsigned i, const struct skyipc_views *v, uint64_t calls,
		   const char *name, char *buf, size_t size,
		   const char **advice);

#endif /* CTL_STAT_VIEWS_H */
