/* SPDX-License-Identifier: MIT */
/* nr_spaces_memory_test.c - address spaces and file systems without memory */
#include "nr_no_memory.h"

#include "nr_memfs_equal.h"
#include "nr_vspace_equal.h"

/* Every page needs tables of its own, and half of them lose some again. */
static uint64_t va_of(uint64_t i)
{
	return i % 8 * (UINT64_C(5) << 39) + i / 8 * NR_PAGE_1G;
}

#define MAPS 24

static void an_address_space(void)
{
	struct nr_vspace_attr attr = NR_VSPACE_ATTR_INIT;
	struct nr_attr small = small_log();
	struct nr_vspace_context *c;
	struct nr_vspace *space;
	struct nr_page page;
	int id = -1;

	attr.nr = &small;
	if (!tried_to_make(vspace, &attr, &space, &c))
		return;
	for (uint64_t i = 0; i < MAPS; i++) {
		uint64_t size = i % 2 ? NR_PAGE_4K : NR_PAGE_1G;
		int there, hole;

		if (i == MAPS / 2)
			id = nr_vspace_replica_add(space, -1);
		there = tried(nr_vspace_map(c, va_of(i), 0, size, size, 0));
		assert_int_equal(nr_vspace_resolve(c, va_of(i), &page),
				 there ? 0 : -ENOENT);
		if (!there)
			continue;
		hole = tried(nr_vspace_unmap(c, va_of(i), NR_PAGE_4K));
		assert_int_equal(nr_vspace_resolve(c, va_of(i), &page),
				 hole ? -ENOENT : 0);
		assert_int_equal(
			nr_vspace_walk(c, va_of(i) + NR_PAGE_4K, &page),
			i % 2 ? -ENOENT : 0);
		assert_true(page.bytes == (hole ? NR_PAGE_4K : size));
		assert_true(vspace_is_equal(space));
	}
	if (tried(id))
		assert_int_equal(nr_vspace_replica_remove(space, (uint32_t)id),
				 0);
	nr_vspace_leave(c);
	assert_int_equal(nr_vspace_destroy(space), 0);
}

static void a_pagetable(void)
{
	struct nr_pagetable *t;
	struct nr_page page;

	if (!tried(nr_pagetable_create(NULL, &t)))
		return;
	for (uint64_t i = 0; i < MAPS; i++) {
		uint64_t va = va_of(i);
		int there = tried(
			nr_pagetable_map(t, va, 0, NR_PAGE_1G, NR_PAGE_ANY, 0));

		assert_int_equal(nr_pagetable_resolve(t, va, &page),
				 there ? 0 : -ENOENT);
		if (there && tried(nr_pagetable_protect(t, va, NR_PAGE_4K, 1)))
			assert_int_equal(nr_pagetable_resolve(t, va, &page), 0);
		assert_true(!there || page.bytes == NR_PAGE_4K || !page.rights);
	}
	nr_pagetable_destroy(t);
}

#define FILES 12

/* What is in a file; nothing of a write that failed. */
static void is_length(struct nr_memfs_context *c, uint64_t ino, size_t len)
{
	static char bytes[3000];

	assert_int_equal(nr_memfs_read(c, ino, 0, bytes, sizeof(bytes)),
			 (int)len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], 'x');
}

static void a_file_system(void)
{
	struct nr_memfs_attr attr = NR_MEMFS_ATTR_INIT;
	struct nr_attr small = small_log();
	struct nr_memfs_context *c;
	struct nr_memfs *fs;
	struct nr_file st;
	char bytes[1500], path[64], to[64];
	uint64_t n = 0;
	int id = -1;

	memset(bytes, 'x', sizeof(bytes));
	attr.nr = &small;
	attr.seed = 5;
	if (!tried_to_make(memfs, &attr, &fs, &c))
		return;
	for (unsigned i = 0; i < FILES; i++) {
		size_t len = 100 + i * 77, more = len + 300;
		uint64_t ino = 0;

		if (i == FILES / 2)
			id = nr_memfs_replica_add(fs, -1);
		sprintf(path, "/a file with a name that is long %u", i);
		sprintf(to, "/another one with one that is longer %u", i);
		if (!tried(i % 3 == 2 ? nr_memfs_mkdir(c, 1, path, 0, &ino)
				      : nr_memfs_mkfile(c, 1, path, 0, &ino))) {
			assert_int_equal(nr_memfs_lookup(c, 1, path, &st),
					 -ENOENT);
			continue;
		}
		n++;
		if (i % 3 != 2) {
			if (!tried(nr_memfs_write(c, ino, 0, bytes, len)))
				len = 0;
			is_length(c, ino, len);
			if (tried(nr_memfs_write(c, ino, len, bytes, more)))
				len += more;
			is_length(c, ino, len);
			n += (uint64_t)tried(
				nr_memfs_link(c, ino, NR_FILES_ROOT, to));
		}
		/* Two names of one file stay. */
		if (!tried(nr_memfs_rename(c, 1, path, 1, to)))
			assert_int_equal(nr_memfs_lookup(c, 1, path, &st), 0);
		else if (i % 3 == 2)
			n -= (uint64_t)tried(nr_memfs_rmdir(c, 1, to));
		assert_int_equal(nr_memfs_stat(c, NR_FILES_ROOT, &st), 0);
		assert_true(st.size == n);
		assert_true(memfs_is_equal(fs));
	}
	if (tried(id))
		assert_int_equal(nr_memfs_replica_remove(fs, (uint32_t)id), 0);
	nr_memfs_leave(c);
	assert_int_equal(nr_memfs_destroy(fs), 0);
}

static void files_alone(void)
{
	static const char bytes[9000];
	struct nr_files *f;
	struct nr_file st;
	uint64_t ino, size = 0;

	if (!tried(nr_files_create(&f)))
		return;
	for (unsigned i = 0; i < 25; i++) {
		char path[] = { (char)('a' + i), '\0' };
		size_t len = 10 + i * 350;

		if (!tried(nr_files_mkfile(f, 1, path, 0, &ino)))
			continue;
		if (!tried(nr_files_write(f, ino, 0, bytes, len)))
			len = 0;
		assert_int_equal(nr_files_stat(f, ino, &st), 0);
		assert_true(st.size == len);
		size += len;
	}
	assert_true(size > 0);
	nr_files_destroy(f);
}

static void address_space(void **state)
{
	(void)state;
	each_allocation_fails(an_address_space, 0);
}

static void pagetable(void **state)
{
	(void)state;
	each_allocation_fails(a_pagetable, 0);
}

static void file_system(void **state)
{
	(void)state;
	each_allocation_fails(a_file_system, 0);
}

static void files(void **state)
{
	(void)state;
	each_allocation_fails(files_alone, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_space),
		cmocka_unit_test(pagetable),
		cmocka_unit_test(file_system),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests_name("spaces, without memory", tests,
					   NULL, NULL);
}
