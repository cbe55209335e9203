/* SPDX-License-Identifier: MIT */
/*
 * nr_tables: the page tables below nr_vspace by themselves, for one thread: a
 * guest's memory in large pages, of which one gets a hole.
 */
#include <inttypes.h>
#include <nr_pagetable.h>
#include <stdio.h>
#include <string.h>

static void print(const struct nr_pagetable *tables, uint64_t va)
{
	struct nr_page page;

	if (nr_pagetable_resolve(tables, va, &page))
		printf("%" PRIx64 ": nothing\n", va);
	else
		printf("%" PRIx64 ": %" PRIx64 ", in a page of %" PRIu64
		       " KiB, %s\n",
		       va, page.frame + (va & (page.bytes - 1)),
		       page.bytes / 1024,
		       page.rights & NR_PAGE_WRITE ? "written" : "read only");
}

int main(void)
{
	const uint64_t frame = UINT64_C(0x1c0000000), len = 2 * NR_PAGE_1G;
	struct nr_pagetable *tables;
	int err;

	err = nr_pagetable_create(NULL, &tables);
	if (err) {
		fprintf(stderr, "nr_tables: %s\n", strerror(-err));
		return 1;
	}
	err = nr_pagetable_map(tables, 0, frame, len, NR_PAGE_ANY,
			       NR_PAGE_WRITE);
	if (!err)
		err = nr_pagetable_unmap(tables, 0xa0000, 0x20000);
	if (!err)
		err = nr_pagetable_protect(tables, 0xc0000, 0x40000, 0);
	print(tables, 0xb8000);
	print(tables, 0xfffff);
	print(tables, 0x200000);
	print(tables, 0x7fffffff);
	printf("the first table has %sentry for it\n",
	       nr_pagetable_table(tables, nr_pagetable_root(tables))[0] & 1
		       ? "an "
		       : "no ");
	nr_pagetable_destroy(tables);
	return err ? 1 : 0;
}
