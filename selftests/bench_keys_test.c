/* SPDX-License-Identifier: MIT */
/* The keys that skybench nr asks for are as likely as it says. */
#include <math.h>
#include <stdlib.h>

#include "nr_keys.h"
#include "testlib.h"

#define DRAWS 2000000

static unsigned *draw(const struct nr_keys *k)
{
	unsigned *seen = calloc(k->n, sizeof(*seen));
	uint64_t state = 42;

	assert_non_null(seen);
	for (unsigned i = 0; i < DRAWS; i++) {
		uint64_t key = nr_key(k, &state);

		assert_true(key < k->n);
		seen[key]++;
	}
	return seen;
}

/* Within five standard deviations of what is expected. */
static void assert_about(uint64_t got, double share)
{
	double want = share * DRAWS;

	if (fabs((double)got - want) > 5 * sqrt(want) + 1)
		fail_msg("%llu of %d draws, expected were %.0f",
			 (unsigned long long)got, DRAWS, want);
}

static void test_uniform(void **state)
{
	struct nr_keys k;
	unsigned *seen;

	(void)state;
	nr_keys_uniform(&k, 1000);
	seen = draw(&k);
	for (unsigned i = 0; i < 1000; i++)
		assert_about(seen[i], 1.0 / 1000);
	free(seen);
	nr_keys_free(&k);
}

static uint64_t of_rank(const struct nr_keys *k, uint64_t rank)
{
	return rank * NR_SCATTER % k->n;
}

/* Keys one by one, those of a bucket together, and all the rest. */
static void zipf_of(uint64_t n)
{
	static const uint64_t edges[] = { 0,	 1,	2,    3,    10,
					  100,	 1000,	2048, 2056, 3000,
					  10000, 30000, 99999 };
	double all = 0, mass = 0;
	struct nr_keys k;
	unsigned *seen;
	uint64_t got = 0;

	nr_keys_zipf(&k, n);
	seen = draw(&k);
	for (uint64_t i = 0; i < n; i++)
		all += pow((double)i + 1, -NR_ZIPF_THETA);
	for (unsigned e = 0; e + 1 < sizeof(edges) / sizeof(edges[0]); e++) {
		mass = 0;
		got = 0;
		for (uint64_t i = edges[e]; i < edges[e + 1] && i < n; i++) {
			mass += pow((double)i + 1, -NR_ZIPF_THETA);
			got += seen[of_rank(&k, i)];
		}
		assert_about(got, mass / all);
	}
	free(seen);
	nr_keys_free(&k);
}

static void test_zipf(void **state)
{
	(void)state;
	zipf_of(2);
	zipf_of(100);
	zipf_of(2048);
	zipf_of(2049);
	zipf_of(100000);
}

/* Every key is that of one rank, whatever factors their number has. */
static void test_scatter(void **state)
{
	static const uint64_t sizes[] = { 2, 3, 1000, 1024, 65535, 99990 };

	(void)state;
	for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct nr_keys k = { .n = sizes[s] };
		unsigned char *seen = calloc(k.n, 1);

		assert_non_null(seen);
		for (uint64_t i = 0; i < k.n; i++)
			assert_false(seen[of_rank(&k, i)]++);
		free(seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uniform),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_scatter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
