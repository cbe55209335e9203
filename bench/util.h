/* SPDX-License-Identifier: MIT */
/* Small things several files need. */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <stddef.h>
#include <stdio.h>

/** "skybench: ..." on stderr, newline added */
void warnf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** warnf() and exit with @code. */
void dief(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/** A line on a terminal that stands there until the next; NULL: none. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Flush; 0, or the errno value of what of @f could not be written. */
int flush_error(FILE *f);

/** First line of a file without its newline; 0, or -1 leaving "" in @buf. */
int read_line(const char *path, char *buf, size_t len);

/** malloc or end the program: there is nothing to measure without memory. */
void *xcalloc(size_t n, size_t size);

/** Where @program is in $PATH; 0, or -1 if it is not there. */
int find_program(const char *program, char *path, size_t len);

#endif /* BENCH_UTIL_H */
