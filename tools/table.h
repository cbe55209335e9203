/* SPDX-License-Identifier: MIT */
/*
 * A file of words: a line with the names of the columns, then a line for each
 * row. Rows that are shorter are filled up with "".
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>

struct table {
	size_t columns, rows;
	/* private */
	char *text;
	char **cells; /* the names, then row by row */
};

/* 0, and to be freed; -errno */
int table_read(struct table *t, const char *path);
void table_free(struct table *t);

const char *table_name(const struct table *t, size_t column);
const char *table_cell(const struct table *t, size_t row, size_t column);

/*
 * Aligned, with names in capitals. @show: what people are to see of a cell, in
 * @buf; it is made safe for a terminal afterwards.
 */
void table_print(const struct table *t,
		 const char *(*show)(const char *column, const char *value,
				     char *buf, size_t size));

#endif /* CTL_TABLE_H */
