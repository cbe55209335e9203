/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nr_keys.h"
#include "util.h"

#define ALONE 2048

void nr_keys_uniform(struct nr_keys *k, uint64_t n)
{
	*k = (struct nr_keys){ .n = n };
}

/* What 1 / i^theta adds up to, for the @n keys from @first (i begins with 1).
 */
static double mass(uint64_t first, uint64_t n)
{
	const double t = 1 - NR_ZIPF_THETA;

	if (n == 1)
		return pow((double)first + 1, -NR_ZIPF_THETA);
	/* Terms of a sum are close to the integral half a step to both sides */
	return (pow((double)(first + n) + 0.5, t) -
		pow((double)first + 0.5, t)) /
	       t;
}

static uint32_t cut(struct nr_bucket *b, double *w, uint64_t keys)
{
	uint32_t n = 0;

	for (uint64_t at = 0; at < keys; n++) {
		uint64_t len = at < ALONE ? 1 : at / 256;

		if (len > keys - at)
			len = keys - at;
		if (b) {
			b[n].first = (uint32_t)at;
			b[n].n = (uint32_t)len;
			w[n] = mass(at, len);
		}
		at += len;
	}
	return n;
}

/* Vose's way to make the tables: what is too little is filled up from what is
 * too much, and then is done. */
static void make_aliases(struct nr_bucket *b, double *w, uint32_t n)
{
	uint32_t *small = xcalloc(n, sizeof(*small));
	uint32_t *large = xcalloc(n, sizeof(*large));
	uint32_t nsmall = 0, nlarge = 0;
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += w[i];
	for (uint32_t i = 0; i < n; i++) {
		w[i] *= n / sum;
		b[i].other = i;
		b[i].here = UINT32_MAX;
		if (w[i] < 1)
			small[nsmall++] = i;
		else
			large[nlarge++] = i;
	}
	while (nsmall && nlarge) {
		uint32_t s = small[--nsmall], l = large[nlarge - 1];

		b[s].here = (uint32_t)(w[s] * 4294967295.0);
		b[s].other = l;
		w[l] -= 1 - w[s];
		if (w[l] < 1) {
			small[nsmall++] = l;
			nlarge--;
		}
	}
	free(small);
	free(large);
}

void nr_keys_zipf(struct nr_keys *k, uint64_t n)
{
	double *w;

	*k = (struct nr_keys){ .n = n };
	k->nbuckets = cut(NULL, NULL, n);
	k->buckets = xcalloc(k->nbuckets, sizeof(*k->buckets));
	w = xcalloc(k->nbuckets, sizeof(*w));
	cut(k->buckets, w, n);
	make_aliases(k->buckets, w, k->nbuckets);
	free(w);
}

void nr_keys_free(struct nr_keys *k)
{
	free(k->buckets);
}
