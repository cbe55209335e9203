/* SPDX-License-Identifier: MIT */
/*
 * nr_schedule_test.c - node replication under many schedules
 *
 * Logs of four entries, batches of one: so that the log is full all the time.
 * NR_SCHEDULES says how many schedules each scenario gets; a failing one tells
 * its seed, and NR_SEED runs that one alone; NR_SCENARIO=NAME one scenario.
 * NR_MUTANT=NAME has an error on.
 */
#include "testlib.h"

#include "nr_mutants.h"
#include "nr_progress.h"
#include "nr_scenario.h"

static void run(void **state)
{
	const struct scenario *s = *state;
	const char *seed = getenv("NR_SEED"), *bad;
	uint64_t first = seed ? strtoull(seed, NULL, 0) : 1;
	uint64_t n =
		seed ? 1 : progress_number("NR_SCHEDULES", 4000 / slowness);
	struct progress p = progress_begin(s->name);

	for (uint64_t i = first; i < first + n; i++) {
		bad = scenario_run(s, i);
		if (bad)
			fail_msg("%s: NR_SEED=%llu: %s", s->name,
				 (unsigned long long)i, bad);
		progress(&p, i - first + 1, n);
	}
	printf("# %s: %llu schedules\n", s->name, (unsigned long long)n);
}

int main(void)
{
	struct CMUnitTest tests[64];
	const char *name = getenv("NR_MUTANT"), *only = getenv("NR_SCENARIO");
	size_t n = 0;

	for (size_t i = 0; name && i < ARRAY_LEN(mutants); i++)
		if (!strcmp(mutants[i].name, name))
			nr_test_mutant = mutants[i].id;
	if (name && nr_test_mutant == NR_MUTANT_NONE) {
		fprintf(stderr, "%s: no such mutant\n", name);
		return 2;
	}
	for (const struct scenario *s = scenarios; s->name; s++) {
		if (only && strcmp(only, s->name))
			continue;
		tests[n++] = (struct CMUnitTest){
			.name = s->name,
			.test_func = run,
			.initial_state = (void *)(uintptr_t)s,
		};
	}
	if (!n) {
		fprintf(stderr, "%s: no such scenario\n", only);
		return 2;
	}
	return _cmocka_run_group_tests("schedules", tests, n, NULL, NULL);
}
