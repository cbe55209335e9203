/* SPDX-License-Identifier: MIT */
/* Aligned columns: the first is left, the others right. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stdio.h>

struct table;

struct table *table_new(void);
void table_cell(struct table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** A cell aligned left, also in other columns than the first. */
void table_text(struct table *t, const char *text);
void table_row(struct table *t);
/** Print with a rule below the first row, and free. */
void table_print(struct table *t, FILE *to);

/** Cells in the unit that leaves three digits. */
void table_ns(struct table *t, double ns);
void table_rate(struct table *t, double per_s);
void table_bytes(struct table *t, double bytes, const char *suffix);
void table_ratio(struct table *t, double value, double base);

#endif /* BENCH_TABLE_H */
