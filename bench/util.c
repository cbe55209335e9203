/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

static void vwarnf(const char *fmt, va_list ap)
	__attribute__((format(printf, 1, 0)));

static void vwarnf(const char *fmt, va_list ap)
{
	fputs("skybench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void warnf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnf(fmt, ap);
	va_end(ap);
}

void dief(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnf(fmt, ap);
	va_end(ap);
	exit(code);
}

int read_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");

	buf[0] = 0;
	if (!f)
		return -1;
	if (!fgets(buf, (int)len, f))
		buf[0] = 0;
	fclose(f);
	buf[strcspn(buf, "\n")] = 0;
	return buf[0] ? 0 : -1;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		dief(1, "out of memory");
	return p;
}

int find_program(const char *program, char *path, size_t len)
{
	const char *dir = getenv("PATH");

	while (dir && *dir) {
		size_t n = strcspn(dir, ":");
		int got = snprintf(path, len, "%.*s/%s", (int)n, dir, program);

		if (got > 0 && (size_t)got < len && !access(path, X_OK))
			return 0;
		dir += n + (dir[n] == ':');
	}
	return -1;
}

void progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	if (fmt) {
		va_start(ap, fmt);
		vfprintf(stderr, fmt, ap);
		va_end(ap);
	}
	fflush(stderr);
}

int flush_error(FILE *f)
{
	errno = EIO; /* of a write before that is not told any more */
	return fflush(f) || ferror(f) ? errno : 0;
}
