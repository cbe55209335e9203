/* SPDX-License-Identifier: MIT */
/* set.c - sets of small numbers, and the lists that the kernel writes */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "mem.h"

#define WORD_BITS (8 * sizeof(unsigned long))

int set_add(struct set *s, uint32_t i)
{
	size_t need = i / WORD_BITS + 1;

	if (need > s->words) {
		unsigned long *more =
			mem_realloc(s->bits, need * sizeof(unsigned long));

		if (!more)
			return -ENOMEM;
		memset(more + s->words, 0,
		       (need - s->words) * sizeof(unsigned long));
		s->bits = more;
		s->words = need;
	}
	s->bits[i / WORD_BITS] |= 1ul << (i % WORD_BITS);
	return 0;
}

int set_has(const struct set *s, uint32_t i)
{
	return i / WORD_BITS < s->words &&
	       (s->bits[i / WORD_BITS] >> (i % WORD_BITS) & 1);
}

uint32_t set_count(const struct set *s)
{
	uint32_t n = 0;

	for (size_t w = 0; w < s->words; w++)
		n += (uint32_t)__builtin_popcountl(s->bits[w]);
	return n;
}

uint32_t set_next(const struct set *s, uint32_t i)
{
	for (; i / WORD_BITS < s->words; i++)
		if (set_has(s, i))
			return i;
	return UINT32_MAX;
}

void set_free(struct set *s)
{
	mem_free(s->bits);
	memset(s, 0, sizeof(*s));
}

static int number(const char **at, uint32_t *out)
{
	uint64_t v = 0;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	while (isdigit((unsigned char)**at)) {
		v = v * 10 + (uint64_t)(*(*at)++ - '0');
		if (v >= MACHINE_MAX)
			return -EINVAL;
	}
	*out = (uint32_t)v;
	return 0;
}

int set_parse(struct set *s, const char *text, const char **end)
{
	const char *at = text;
	uint32_t first, last;

	while (isdigit((unsigned char)*at)) {
		int err = number(&at, &first);

		last = first;
		if (!err && *at == '-') {
			at++;
			err = number(&at, &last);
		}
		if (err || last < first)
			return -EINVAL;
		for (uint32_t i = first; !err && i <= last; i++)
			err = set_add(s, i);
		if (err)
			return err;
		if (*at != ',')
			break;
		if (!isdigit((unsigned char)*++at))
			return -EINVAL;
	}
	if (end) {
		*end = at;
		return 0;
	}
	while (isspace((unsigned char)*at))
		at++;
	return *at ? -EINVAL : 0;
}
