/* SPDX-License-Identifier: MIT */
/*
 * Operations on a file system, with paths of any bytes, made by the fuzzer: on
 * nr_files, or on nr_memfs from contexts of two replicas; each result against
 * the model of the tests, and all of it in the end.
 */
#include "food.h"

#include "nr_files_steps.h"
#include "nr_memfs_equal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const paths[] = { "a",	 "a/b",	   "/a//b/./..",
					     "../a/",	 "./a/b/", "..",
					     "a/../b/c", "//",	   "" };
	unsigned char buf[4096];
	uint64_t random = 1;

	(void)argc;
	(void)argv;
	/* An assertion that does not hold ends the program. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	for (unsigned i = 0; i < 64; i++) {
		size_t n = 0;
		char name[32];

		buf[n++] = (unsigned char)i;
		while (n + 300 < sizeof(buf)) {
			const char *path = paths[sched_random(&random) % 9];

			for (unsigned k = 0; k < 3; k++)
				buf[n++] = (unsigned char)sched_random(&random);
			buf[n++] = (unsigned char)strlen(path);
			buf[n++] = 1;
			n += (size_t)sprintf((char *)buf + n, "%s", path);
		}
		snprintf(name, sizeof(name), "paths-%u", i);
		seed(name, buf, n);
	}
	seeds_end();
	return 0;
}

static void use_files(struct model *m)
{
	struct subject s = { NULL, NULL };

	assert_int_equal(nr_files_create(&s.files), 0);
	while (m->left)
		model_step(&s, m);
	model_check(&s, m);
	nr_files_destroy(s.files);
}

static void use_memfs(struct model *m)
{
	struct nr_memfs_attr attr = NR_MEMFS_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_memfs_context *c[2];
	struct nr_memfs *fs;

	nr.topology = "2x1";
	nr.replicas = 2;
	nr.log_size = 16;
	attr.nr = &nr;
	attr.seed = 1; /* the same again, if it is done again */
	assert_int_equal(nr_memfs_create(&attr, &fs), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;

		cattr.replica = i + 1;
		assert_int_equal(nr_memfs_register(fs, &cattr, &c[i]), 0);
	}
	while (m->left) {
		struct subject s = { NULL, c[below(m, 2)] };

		model_step(&s, m);
	}
	for (unsigned i = 0; i < 2; i++)
		model_check(&(struct subject){ NULL, c[i] }, m);
	assert_true(memfs_is_equal(fs));
	nr_memfs_leave(c[0]);
	nr_memfs_leave(c[1]);
	assert_int_equal(nr_memfs_destroy(fs), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model m;

	if (!size)
		return 0;
	model_init(&m, 0);
	m.food = data + 1;
	m.left = size - 1;
	if (data[0] & 1)
		use_memfs(&m);
	else
		use_files(&m);
	model_fini(&m);
	return 0;
}
