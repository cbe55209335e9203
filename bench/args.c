/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "util.h"

void args_split(struct str_list *l, const char *opt, const char *arg)
{
	char *copy = strdup(arg), *at = copy;

	if (!copy)
		dief(1, "out of memory");
	if (l->v)
		free(l->v[0]);
	free(l->v);
	l->n = 0;
	l->v = xcalloc(strlen(arg) + 1, sizeof(char *));
	while (at) {
		char *word = strsep(&at, ",");

		if (!*word)
			dief(ARGS_USAGE, "%s: '%s': an empty name", opt, arg);
		for (size_t i = 0; i < l->n; i++)
			if (!strcmp(l->v[i], word))
				dief(ARGS_USAGE, "%s: %s is there twice", opt,
				     word);
		l->v[l->n++] = word;
	}
}

uint64_t args_number(const char *opt, const char *arg, uint64_t min,
		     uint64_t max)
{
	unsigned long long n;
	unsigned shift = 0;
	char *end;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	end += shift != 0;
	if (end == arg || *end || *arg < '0' || *arg > '9')
		dief(ARGS_USAGE, "%s: '%s' is not a number", opt, arg);
	if (errno || n > UINT64_MAX >> shift || n << shift < min ||
	    n << shift > max)
		dief(ARGS_USAGE, "%s: %s is not between %llu and %llu", opt,
		     arg, (unsigned long long)min, (unsigned long long)max);
	return n << shift;
}

void args_numbers(struct num_list *l, const char *opt, const char *arg,
		  uint64_t min, uint64_t max)
{
	struct str_list words = { NULL, 0 };

	free(l->v);
	args_split(&words, opt, arg);
	l->n = words.n;
	l->v = xcalloc(words.n, sizeof(*l->v));
	for (size_t i = 0; i < words.n; i++)
		l->v[i] = args_number(opt, words.v[i], min, max);
	free(words.v[0]);
	free(words.v);
}

static double decimal(const char *opt, const char *arg, const char *unit,
		      double min, double max)
{
	char *end;
	double s = strtod(arg, &end);

	if (end == arg || *end || isnan(s))
		dief(ARGS_USAGE, "%s: '%s' is not a time in %s", opt, arg,
		     unit);
	if (s < min || s > max)
		dief(ARGS_USAGE, "%s: %s is not between %g and %.0f", opt, arg,
		     min, max);
	return s;
}

double args_seconds(const char *opt, const char *arg)
{
	/* Any shorter, and a round would be no time at all. */
	return decimal(opt, arg, "seconds", 0.001, 86400);
}

double args_milliseconds(const char *opt, const char *arg)
{
	return decimal(opt, arg, "milliseconds", 0.001, 86400000);
}

void args_known(const struct str_list *l, const char *opt,
		const char *const *known)
{
	for (size_t i = 0; i < l->n; i++) {
		int k = 0;

		while (known[k] && strcmp(known[k], l->v[i]))
			k++;
		if (!known[k])
			dief(ARGS_USAGE, "%s: %s is not known (see --help)",
			     opt, l->v[i]);
	}
}
