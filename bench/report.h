/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench.h"
#include "json.h"
#include "table.h"

/** Open what the options name; before measuring, so that mistakes cost nothing.
 */
void report_open(const struct options *o);

/** Where tables go: standard output, unless the JSON has it. */
FILE *report_out(void);

/** Where rows of JSON go; NULL: nobody wants any. */
FILE *report_json(void);

/** What the numbers of a row depend on; its last fields. */
void report_json_env(struct json *j);

/** After tables and rows: see report_close(). */
void report_flush(void);

/** The environment, and what the numbers of this question mean. */
void report_meaning(const struct options *o, const char *meaning);

/** The same, with how many clients there are. */
void report_head(const struct options *o, const char *meaning);

/** The line above a table. */
void report_group(const struct group *g);

/** Latency columns: names in the first row, then those of a row. */
void report_latency_head(struct table *t);
void report_latency(struct table *t, const struct row *r);

/** What has to be said below a table. */
void report_notes(const struct group *g);

/**
 * report_end - what follows the table of @n rows: JSON, picture, complaints
 *
 * Return: 0, or non-zero if something that was asked for is missing.
 */
int report_end(const struct group *g, size_t n);

/** Returns non-zero if what was written is not on disk. */
int report_close(void);

/** A table of latencies, then report_end(). */
int report_calls(struct group *g);

#endif /* BENCH_REPORT_H */
