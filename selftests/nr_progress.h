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
