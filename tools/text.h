/* SPDX-License-Identifier: MIT */
/*
 * Text for people. Names of servers and of processes are chosen by others,
 * and a terminal obeys what it is sent: everything that comes from another
 * process goes through safe().
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <skyipc.h>

/*
 * A small string by value, so that several can be arguments of one printf().
 */
struct text {
	char s[32];
};

/*
 * Copies at most @max bytes of @s, up to a zero, into @buf: printable ASCII as
 * it is, a backslash doubled, every other byte as \xNN. What has no room is
 * cut off. Returns @buf.
 */
const char *safe(char *buf, size_t size, const char *s, size_t max);

struct text text_count(uint64_t n); /* 999, 1.23k, 45.6M */
struct text text_bytes(uint64_t n); /* 999, 1.23K, 45.6M: powers of 1024 */
struct text text_ns(uint64_t ns);   /* 830ns, 1.25us, 3.10ms, 2.00s */
struct text text_uptime(uint64_t ns);
struct text text_user(uid_t uid); /* name, or the number without one */
struct text text_comm(pid_t pid); /* from /proc, made safe; "?" if unseen */

/*
 * What a program connects to: the plain name NAME is a socket NAME.sock in a
 * runtime directory. @path ends with a zero or after @max bytes; the name in
 * it, which is returned, after @len.
 */
const char *text_plain_name(const char *path, size_t max, size_t *len);

const char *text_mode(enum skyipc_mode mode);
const char *text_errname(int err); /* "ENOENT" for -ENOENT */

/* "2" or "0.5" seconds into nanoseconds; false if it is anything else. */
bool parse_seconds(const char *s, uint64_t *ns);

/* A decimal number above 0; false if it is anything else. */
bool parse_count(const char *s, unsigned long *n);

#endif /* CTL_TEXT_H */
