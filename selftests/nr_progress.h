/* SPDX-License-Identifier: MIT */
/* nr_progress.h - how long a test is to be, and how far it has come */
#ifndef NR_PROGRESS_H
#define NR_PROGRESS_H

#include "testlib.h"

#define PROGRESS_NS UINT64_C(10000000000)

/* What the environment says; or @otherwise. */
static inline uint64_t progress_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/*
 * A test of each of @n loads, @size bytes each, whose first member is the name;
 * of that which NR_LOAD names, if it is set: how many these are. 0: none, which
 * has been said.
 */
static inline size_t progress_loads(struct CMUnitTest *tests, const void *loads,
				    size_t n, size_t size,
				    CMUnitTestFunction run)
{
	const char *only = getenv("NR_LOAD");
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const void *load = (const char *)loads + i * size;
		const char *name = *(const char *const *)load;

		if (only && strcmp(only, name))
			continue;
		tests[found++] = (struct CMUnitTest){
			.name = name,
			.test_func = run,
			.initial_state = (void *)(uintptr_t)load,
		};
	}
	if (!found)
		fprintf(stderr, "%s: no such load\n", only);
	return found;
}

struct progress {
	const char *name;
	uint64_t begin, next;
};

static inline struct progress progress_begin(const char *name)
{
	uint64_t now = time_ns();

	return (struct progress){ name, now, now + PROGRESS_NS };
}

/* @done of @all, of which there is at least one: every ten seconds a line. */
static inline void progress(struct progress *p, uint64_t done, uint64_t all)
{
	uint64_t now = time_ns();
	double s = (double)(now - p->begin) / 1e9;

	if (now < p->next || !done)
		return;
	p->next = now + PROGRESS_NS;
	fprintf(stderr, "# %s: %llu of %llu, %.0f/s, %.0f s to go\n", p->name,
		(unsigned long long)done, (unsigned long long)all,
		(double)done / s,
		done < all ? (double)(all - done) * s / (double)done : 0);
}

#endif
