/* SPDX-License-Identifier: MIT */
/* nr_files_test.c - libnr's file system in memory, against tables */
#include "nr_files_steps.h"

#include "files.h"

static struct model model;

/* What is used of the arena; all else is on its lists. */
static uint64_t nodes(const struct nr_files *f)
{
	return ((const struct files *)f)->map.count;
}

static void like_tables(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct subject s = { NULL, NULL };

		assert_int_equal(nr_files_create(&s.files), 0);
		model_init(&model, seed);
		for (unsigned n = 0; n < 40000 / slowness; n++) {
			model_step(&s, &model);
			if (n % 2000 == 99)
				model_check(&s, &model);
		}
		model_check(&s, &model);
		nr_files_destroy(s.files);
		model_fini(&model);
	}
}

static void refused(void **state)
{
	static char name[NR_PATH_MAX + 2];
	struct nr_files *f;
	struct nr_file st;
	uint64_t file;
	char c;

	(void)state;
	assert_int_equal(nr_files_create(&f), 0);
	assert_int_equal(nr_files_mkfile(f, 1, "f", 010000, NULL), -EINVAL);
	assert_int_equal(nr_files_mkfile(f, 1, "f", 07777, &file), 0);
	assert_int_equal(nr_files_mkdir(f, 1, "d", 0, NULL), 0);
	memset(name, 'n', NR_NAME_MAX + 1);
	assert_int_equal(nr_files_mkfile(f, 1, name, 0, NULL), -ENAMETOOLONG);
	assert_int_equal(nr_files_list(f, 1, name, NULL, NULL), -ENAMETOOLONG);
	memset(name, '/', NR_PATH_MAX + 1);
	assert_int_equal(nr_files_lookup(f, 1, name, &st), -ENAMETOOLONG);
	name[NR_PATH_MAX] = '\0';
	assert_int_equal(nr_files_lookup(f, 1, name, &st), 0);
	assert_true(st.ino == NR_FILES_ROOT);
	assert_int_equal(nr_files_lookup(f, 1, "", &st), -ENOENT);
	assert_int_equal(nr_files_lookup(f, file, "x", &st), -ENOTDIR);
	assert_int_equal(nr_files_lookup(f, 1, "f/x", &st), -ENOTDIR);
	assert_int_equal(nr_files_lookup(f, 1, "f/.", &st), -ENOTDIR);
	assert_int_equal(nr_files_lookup(f, 1, "d/..//f", &st), 0);
	assert_int_equal(nr_files_lookup(f, 1, "../../f", &st), 0);
	assert_int_equal(nr_files_rename(f, 1, "d", 1, "d/e"), -EINVAL);
	assert_int_equal(nr_files_rename(f, 1, "/", 1, "e"), -EBUSY);
	assert_int_equal(nr_files_rmdir(f, 1, "/"), -EBUSY);
	assert_int_equal(nr_files_link(f, 1, 1, "e"), -EPERM);
	assert_int_equal(nr_files_write(f, file, NR_FILE_MAX, "x", 1), -EFBIG);
	assert_int_equal(nr_files_write(f, file, NR_FILE_MAX - 1, "x", 1),
			 -EFBIG);
	assert_int_equal(nr_files_truncate(f, file, NR_FILE_MAX), -EFBIG);
	/* As far away as can be: it takes no memory to speak of. */
	assert_int_equal(nr_files_write(f, file, NR_FILE_MAX - 2, "x", 1), 1);
	assert_int_equal(nr_files_stat(f, file, &st), 0);
	assert_true(st.size == NR_FILE_MAX - 1);
	assert_int_equal(nr_files_write(f, file, NR_FILES_END, "y", 1), -EFBIG);
	assert_int_equal(nr_files_read(f, file, NR_FILE_MAX - 2, &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(nr_files_read(f, file, NR_FILE_MAX - 5, name, 9), 4);
	assert_memory_equal(name, "\0\0\0x", 4);
	assert_int_equal(nr_files_read(f, file, UINT64_MAX, &c, 1), 0);
	/* All that is left when all is gone is the root. */
	assert_int_equal(nr_files_unlink(f, 1, "f"), 0);
	assert_int_equal(nr_files_stat(f, file, &st), -ESTALE);
	assert_int_equal(nr_files_link(f, file, 1, "g"), -ESTALE);
	assert_int_equal(nr_files_rmdir(f, 1, "d"), 0);
	assert_true(nodes(f) == 1);
	nr_files_destroy(f);
	nr_files_destroy(NULL);
}

/* Long, in one piece; and what is cut off is gone. */
static void long_file(void **state)
{
	size_t len = (64u << 20) / slowness / 8 * 8;
	unsigned char *out = malloc(len), *in = malloc(len + 1);
	struct nr_files *f;
	uint64_t file, random = 7;

	(void)state;
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t r = sched_random(&random);

		memcpy(&out[i], &r, 8);
	}
	assert_int_equal(nr_files_create(&f), 0);
	assert_int_equal(nr_files_mkfile(f, 1, "long", 0, &file), 0);
	assert_int_equal(nr_files_write(f, file, 0, out, len), (int)len);
	assert_int_equal(nr_files_read(f, file, 0, in, len + 1), (int)len);
	assert_memory_equal(in, out, len);
	assert_int_equal(nr_files_truncate(f, file, 1), 0);
	assert_true(nodes(f) == 4);
	assert_int_equal(nr_files_truncate(f, file, len), 0);
	assert_int_equal(nr_files_read(f, file, 0, in, len), (int)len);
	assert_int_equal(in[0], out[0]);
	for (size_t i = 1; i < len; i++)
		if (in[i])
			fail_msg("byte %zu has come back", i);
	nr_files_destroy(f);
	free(out);
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(like_tables),
		cmocka_unit_test(long_file),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
