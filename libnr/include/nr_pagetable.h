/* SPDX-License-Identifier: MIT */
/*
 * nr_pagetable - page tables of four levels, for one thread
 *
 * Tables as x86-64 hardware walks them (Intel SDM, volume 3, 4-level paging):
 * 48 bits of virtual address, pages of 4 KiB, 2 MiB and 1 GiB, each table a
 * page of memory with 512 entries. Made to be replicated (nr_vspace.h). Whoever
 * calls any of these functions for tables that another thread may be using has
 * to lock them, for reading only if nobody changes them. Errors are negative
 * errno values, as in nr.h.
 *
 * The entries: directories allow everything, so that the rights of a page are
 * those of its last entry. The bits for accessed and, where a page can be
 * written, dirty are set from the start: hardware has nothing to write, and who
 * wants to know what was accessed has to find another way. Bits 52 to 61 of a
 * directory's entry, which hardware ignores, count the entries that its table
 * has in use. There is no table without any but the root.
 *
 * An entry refers to a table by its physical address, which is what struct
 * nr_page_memory says; by default the number of a page in the memory of these
 * tables: bits 36 to 51 are the number of a piece of that memory, what is below
 * the offset in there. Either way nr_pagetable_table() knows where that is.
 */
#ifndef NR_PAGETABLE_H
#define NR_PAGETABLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_pagetable;

/** Bytes of a page. */
#define NR_PAGE_4K (UINT64_C(1) << 12)
#define NR_PAGE_2M (UINT64_C(1) << 21)
#define NR_PAGE_1G (UINT64_C(1) << 30)
/** When mapping: of each part of the range, the largest that fits. */
#define NR_PAGE_ANY UINT64_C(0)

/** What may be done with a page; 0: only the kernel, and only reading. */
enum nr_page_rights {
	NR_PAGE_WRITE = 1,
	NR_PAGE_USER = 2,
	NR_PAGE_EXEC = 4,
	NR_PAGE_THROUGH = 8,   /* caches: write through */
	NR_PAGE_UNCACHED = 16, /* caches: not at all */
	NR_PAGE_GLOBAL = 32,   /* stays in the TLB when tables are changed */
};

/**
 * struct nr_page - what is mapped at an address
 * @frame:  physical address at which the page begins.
 * @bytes:  of the page: NR_PAGE_4K, NR_PAGE_2M or NR_PAGE_1G.
 * @rights: of enum nr_page_rights.
 */
struct nr_page {
	uint64_t frame;
	uint64_t bytes;
	uint32_t rights;
	uint32_t reserved;
};

/**
 * struct nr_page_memory - what memory of tables is to the hardware
 * @phys:  the physical address of a table, a page of memory that has been
 *         mapped in this process; a multiple of 4096, less than 2^52.
 * @table: the other way. Both or neither; they do nothing else, and always say
 *         the same.
 * @flush: called before tables that are not in use any more are used again for
 *         something else; returns when no hardware that walks from the table at
 *         @root goes on with, or has in its caches, what was read before this
 *         was called. NULL: there is none. (Walks by nr_vspace_walk() are known
 *         to the library.)
 * @arg:   given to them.
 *
 * None may call anything for the same tables.
 */
struct nr_page_memory {
	uint64_t (*phys)(const void *table, void *arg);
	void *(*table)(uint64_t phys, void *arg);
	void (*flush)(uint64_t root, void *arg);
	void *arg;
};

/**
 * nr_pagetable_create - tables that map nothing
 * @memory: copied; NULL: physical addresses of tables are numbers of pages.
 * @out:    the caller's to destroy.
 *
 * Return: 0; -EINVAL: @memory has one of phys and table; -ENOMEM.
 */
int nr_pagetable_create(const struct nr_page_memory *memory,
			struct nr_pagetable **out);

/** nr_pagetable_destroy - free them; NULL is ignored */
void nr_pagetable_destroy(struct nr_pagetable *tables);

/**
 * nr_pagetable_map - map a range
 * @va:     where it begins; canonical (bits 47 to 63 are equal).
 * @frame:  physical address of what it shall be, less than 2^52.
 * @len:    bytes, more than none. The range does not go past the end of the
 *          half that it begins in.
 * @bytes:  of each page; or NR_PAGE_ANY. @va, @frame and @len are multiples of
 *          it; of 4096 if it is NR_PAGE_ANY.
 * @rights: of enum nr_page_rights.
 *
 * Return: 0; -EEXIST: some of it is mapped already; -EINVAL; -ENOMEM; -EMSGSIZE
 * it would take a GiB of tables. An error has changed nothing.
 */
int nr_pagetable_map(struct nr_pagetable *tables, uint64_t va, uint64_t frame,
		     uint64_t len, uint64_t bytes, unsigned rights);

/**
 * nr_pagetable_unmap - map a range no more
 * @va, @len: as for nr_pagetable_map(), multiples of 4096. Large pages that are
 *            in it in part are split; what is not mapped is passed over.
 *
 * Return: 0; -ENOENT: none of it was mapped; -EINVAL; -ENOMEM: there is none
 * for splitting; nothing has been changed.
 */
int nr_pagetable_unmap(struct nr_pagetable *tables, uint64_t va, uint64_t len);

/**
 * nr_pagetable_protect - other rights for a range
 * @va, @len: as for nr_pagetable_unmap().
 *
 * Return: as nr_pagetable_unmap().
 */
int nr_pagetable_protect(struct nr_pagetable *tables, uint64_t va, uint64_t len,
			 unsigned rights);

/**
 * nr_pagetable_resolve - what is mapped at an address?
 * @va:   any address.
 * @page: what was found.
 *
 * Return: 0; -ENOENT: nothing, or @va is not canonical.
 */
int nr_pagetable_resolve(const struct nr_pagetable *tables, uint64_t va,
			 struct nr_page *page);

/** nr_pagetable_root - physical address of the first table, as for CR3 */
uint64_t nr_pagetable_root(const struct nr_pagetable *tables);

/**
 * nr_pagetable_table - where a table is
 * @phys: its physical address: nr_pagetable_root(), or that in an entry.
 *
 * Return: its 512 entries.
 */
const uint64_t *nr_pagetable_table(const struct nr_pagetable *tables,
				   uint64_t phys);

#ifdef __cplusplus
}
#endif

#endif /* NR_PAGETABLE_H */
