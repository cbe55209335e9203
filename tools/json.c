/* SPDX-License-Identifier: MIT */
#include "json.h"
#include "utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static void put_escaped(FILE *out, const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned used;
	uint32_t cp;

	for (; n && *s; s += used, n -= used) {
		used = utf8_decode(s, n, &cp);
		if (!used) {
			/* file names are bytes, JSON strings are not */
			cp = 0xfffd;
			used = 1;
		}
		if (cp == '"' || cp == '\\')
			fprintf(out, "\\%c", (int)cp);
		else if (cp >= 0x20 && cp < 0x7f)
			fputc((int)cp, out);
		else if (cp < 0x10000)
			fprintf(out, "\\u%04" PRIx32, cp);
		else
			fprintf(out, "\\u%04" PRIx32 "\\u%04" PRIx32,
				0xd800 + ((cp - 0x10000) >> 10),
				0xdc00 + ((cp - 0x10000) & 0x3ff));
	}
}

static void value(struct json *j, const char *key)
{
	if (j->depth) {
		if (j->comma[j->depth - 1])
			fputc(',', j->out);
		j->comma[j->depth - 1] = true;
	}
	if (key) {
		fputc('"', j->out);
		put_escaped(j->out, key, strlen(key));
		fputs("\":", j->out);
	}
}

void json_init(struct json *j, FILE *out)
{
	*j = (struct json){ .out = out };
}

void json_open(struct json *j, const char *key, char bracket)
{
	assert(j->depth < JSON_DEPTH);
	value(j, key);
	fputc(bracket, j->out);
	j->comma[j->depth] = false;
	j->close[j->depth] = bracket == '{' ? '}' : ']';
	j->depth++;
}

void json_close(struct json *j)
{
	assert(j->depth);
	fputc(j->close[--j->depth], j->out);
}

void json_end(struct json *j)
{
	while (j->depth)
		json_close(j);
	fputc('\n', j->out);
}

void json_strn(struct json *j, const char *key, const char *s, size_t max)
{
	value(j, key);
	fputc('"', j->out);
	put_escaped(j->out, s, max);
	fputc('"', j->out);
}

void json_str(struct json *j, const char *key, const char *s)
{
	json_strn(j, key, s, strlen(s));
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	value(j, key);
	fprintf(j->out, "%" PRIu64, v);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	value(j, key);
	fprintf(j->out, "%" PRId64, v);
}

/* No locale is ever set, so the decimal point is a point. */
void json_fixed(struct json *j, const char *key, double v)
{
	value(j, key);
	fprintf(j->out, "%.3f", v);
}

void json_bool(struct json *j, const char *key, bool v)
{
	value(j, key);
	fputs(v ? "true" : "false", j->out);
}

void json_raw(struct json *j, const char *key, const char *text, size_t len)
{
	value(j, key);
	fwrite(text, 1, len, j->out);
}
