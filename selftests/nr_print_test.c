/* SPDX-License-Identifier: MIT */
/* nr_print_test.c - statistics as text and as JSON */
#include "testlib.h"

#include "nr_cells.h"
#include "nr_stats.h"

/* What @print writes, without what came before. */
static const char *printed(char *buf, size_t size, const struct nr_stats *s,
			   const struct nr_replica_stats *r, unsigned n,
			   unsigned flags)
{
	FILE *f = fmemopen(buf, size, "w");

	assert_non_null(f);
	assert_int_equal(nr_stats_print(f, s, r, n, flags), 0);
	assert_int_equal(fclose(f), 0);
	return buf;
}

static void printing(void **state)
{
	struct nr_replica_stats r[2] = { { .size = sizeof(r[0]) } };
	struct nr_stats stats = { .size = sizeof(stats) };
	struct nr *nr = cells_make(&cells_ops, 64, 2);
	struct nr_context *a = cells_join(nr, 1, 0);
	char buf[4096];
	FILE *full;

	(void)state;
	cells_set(a, 1, 1);
	cells_set(a, 1, 2);
	cells_get(a, 1);
	nr_leave(a);
	assert_int_equal(nr_stats(nr, &stats, r, 2), 2);
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 2, NR_PRINT_JSON),
		"{\"log\":{\"size\":64,\"head\":0,\"ctail\":2,\"tail\":2},"
		"\"replicas\":[{\"replica\":1,\"place\":0,\"contexts\":0,"
		"\"lag\":0,\"applied\":2,\"updates\":2,\"reads\":1,"
		"\"batches\":2,\"catch_ups\":0,\"helped\":0,\"collects\":0,"
		"\"full\":0,\"yields\":0,\"parks\":0,\"batch_sizes\":[2]},"
		"{\"replica\":2,\"place\":1,\"contexts\":0,\"lag\":2,"
		"\"applied\":0,\"updates\":0,\"reads\":0,\"batches\":0,"
		"\"catch_ups\":0,\"helped\":0,\"collects\":0,\"full\":0,"
		"\"yields\":0,\"parks\":0,\"batch_sizes\":[]}]}\n");
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 1, 0),
		"log: 2 updates, 2 done, 2 of 64 entries in use, 2 replicas\n"
		"replica 1 on place 0: 0 contexts, 2 applied, 0 behind\n"
		"  1 read; 2 updates in 2 batches (of 1: 2)\n"
		"  caught up 0, was helped 0, looked for room 0, log full 0; "
		"yielded 0, slept 0\n");
	/* From a program that knew less. */
	stats.size = offsetof(struct nr_stats, log_tail);
	r[0].size = offsetof(struct nr_replica_stats, lag);
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 1, NR_PRINT_JSON),
		"{\"log\":{\"size\":64,\"head\":0,\"ctail\":2},\"replicas\":["
		"{\"replica\":1,\"place\":0,\"contexts\":0,\"batch_sizes\":[]}"
		"]}\n");
	/* From one that knew nothing. */
	stats.size = r[0].size = sizeof(size_t);
	assert_string_equal(
		printed(buf, sizeof(buf), &stats, r, 1, NR_PRINT_JSON),
		"{\"log\":{},\"replicas\":[{\"batch_sizes\":[]}]}\n");
	full = fopen("/dev/full", "w");
	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(nr_stats_print(full, &stats, r, 1, 0), -EIO);
	assert_int_equal(nr_stats_print(stdout, &stats, r, 1, 2), -EINVAL);
	r[0].size = 0;
	assert_int_equal(nr_stats_print(stdout, &stats, r, 1, 0), -EINVAL);
	assert_int_equal(nr_stats_print(stdout, &stats, NULL, 1, 0), -EINVAL);
	stats.size = 0;
	assert_int_equal(nr_stats_print(stdout, &stats, NULL, 0, 0), -EINVAL);
	fclose(full);
	cells_finish(nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printing),
	};

	return cmocka_run_group_tests_name("printing", tests, NULL, NULL);
}
