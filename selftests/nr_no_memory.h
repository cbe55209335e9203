/* SPDX-License-Identifier: MIT */
/*
 * nr_no_memory.h - when memory runs out
 *
 * Everything is done once for each allocation that it makes, with that one
 * failing: what was asked for fails with -ENOMEM, or is not done at all; all
 * else goes on; nothing leaks (the sanitizers look).
 */
#ifndef NR_NO_MEMORY_H
#define NR_NO_MEMORY_H

#include "testlib.h"

#include "nr.h"
#include "nr_sched.h"

static int failures; /* -ENOMEM seen */

/* 0 or -ENOMEM, nothing else */
static inline int tried(int ret)
{
	if (ret < 0) {
		assert_int_equal(ret, -ENOMEM);
		failures++;
	}
	return ret >= 0;
}

/* An nr_NAME, and a context of it: both, or none and 0 */
#define tried_to_make(name, attr, structure, context)                          \
	({                                                                     \
		int made_ = tried(nr_##name##_create(attr, structure));        \
                                                                               \
		if (made_ && !tried(nr_##name##_register(*(structure), NULL,   \
							 context))) {          \
			assert_int_equal(nr_##name##_destroy(*(structure)),    \
					 0);                                   \
			made_ = 0;                                             \
		}                                                              \
		made_;                                                         \
	})

/* So short that it goes round soon, and two replicas */
static inline struct nr_attr small_log(void)
{
	struct nr_attr attr = NR_ATTR_INIT;

	attr.topology = "2x1";
	attr.log_size = 4;
	return attr;
}

/* @must: none of them can be done without. */
static inline void each_allocation_fails(void (*fn)(void), int must)
{
	uint64_t all;
	int failed = 0;

	sched_no_memory(0);
	sched_mapped(1);
	failures = 0;
	fn();
	assert_int_equal(failures, 0);
	assert_int_equal(sched_mapped(0), 0);
	all = sched_allocations();
	assert_true(all > 5);
	for (uint64_t i = 1; i <= all; i++) {
		failures = 0;
		sched_no_memory(i);
		fn();
		assert_true(failures == 1 || (!must && !failures));
		failed += failures;
		assert_int_equal(sched_mapped(0), 0);
	}
	sched_no_memory(0);
	printf("# %llu allocations, %d failures\n", (unsigned long long)all,
	       failed);
}

#endif
