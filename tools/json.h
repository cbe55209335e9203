/* SPDX-License-Identifier: MIT */
/*
 * A JSON writer without memory: it only remembers, for each open bracket,
 * whether a comma is due. What it prints is always ASCII and always well
 * formed, whatever bytes the strings hold.
 */
#ifndef CTL_JSON_H
#define CTL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

struct json {
	FILE *out;
	unsigned depth;
	bool comma[JSON_DEPTH];
	char close[JSON_DEPTH];
};

/* @key is NULL inside an array; @bracket is '{' or '['. */
void json_init(struct json *j, FILE *out);
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j);
/* Ends the document with a newline, closing what is still open. */
void json_end(struct json *j);

/* At most @max bytes of @s are looked at: it need not end with a zero. */
void json_strn(struct json *j, const char *key, const char *s, size_t max);
void json_str(struct json *j, const char *key, const char *s);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_fixed(struct json *j, const char *key, double v);
void json_bool(struct json *j, const char *key, bool v);
/* @len bytes that are JSON already. */
void json_raw(struct json *j, const char *key, const char *text, size_t len);

#endif /* CTL_JSON_H */
