/* SPDX-License-Identifier: MIT */
/*
 * nr_vspace - an address space: page tables, replicated on every NUMA node
 *
 * Made with nr.h; what is said there of errors, attributes, threads, contexts
 * and waiting holds here, too. The tables that it replicates, real ones in the
 * format of x86-64, are described in nr_pagetable.h, and can be used alone.
 * Each node has all of them in its own memory: so a walk, by hardware or by a
 * simulator, touches no other node. (Bhardwaj et al.: NrOS, OSDI'21.) Memory is
 * as nr_map.h tells.
 *
 * Two ways to look. nr_vspace_resolve() is linearizable, like the changes.
 * nr_vspace_walk() is what an MMU does: it takes no lock, keeps nobody from
 * changing anything, and walks the tables of its replica as they are. What it
 * finds may have been unmapped elsewhere, just as what a TLB has. But where it
 * finds nothing it does as the page fault handler of NrOS does: it brings its
 * replica up to date, and walks once more. So that nothing is mapped is true at
 * a moment between its call and its return.
 *
 * What has been unmapped, or has lost rights, may therefore be used until
 *
 * 1. all replicas have applied it, and the walks that were under way have
 *    ended: nr_vspace_settle() returns after that;
 * 2. whoever keeps what walks have found has dropped it. nr_vspace_generation()
 *    tells him cheaply: it is another number once his replica has applied such
 *    a change. He asks before a walk, keeps the number with what that found,
 *    and uses this only as long as the number is the same. Whoever wants to use
 *    the frame for something else, after 1., waits until nobody works with
 *    anything older; how is the program's matter (a kernel interrupts; in
 *    examples/nr_pages.c each thread says which number it has seen).
 */
#ifndef NR_VSPACE_H
#define NR_VSPACE_H

#include <nr.h>
#include <nr_pagetable.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_vspace;
struct nr_vspace_context;

/**
 * struct nr_vspace_attr - how an address space is to be
 * @size:   sizeof(struct nr_vspace_attr).
 * @nr:     log, replicas, topology and memory policy, as for nr_create(); its
 *          arg is not used. NULL: defaults.
 * @memory: what the tables' memory is to the hardware; copied. NULL: numbers of
 *          pages, the same on all replicas.
 */
struct nr_vspace_attr {
	size_t size;
	const struct nr_attr *nr;
	const struct nr_page_memory *memory;
};

#define NR_VSPACE_ATTR_INIT NR_INIT_(nr_vspace_attr)

/**
 * nr_vspace_create - make an address space that maps nothing
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0; -EINVAL: attr->memory has one of phys and table; what nr_create()
 * says.
 */
int nr_vspace_create(const struct nr_vspace_attr *attr, struct nr_vspace **out);

/**
 * nr_vspace_destroy - free it
 *
 * All contexts must have left. NULL is ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_vspace_destroy(struct nr_vspace *space);

/**
 * nr_vspace_register - take part
 * @attr: as for nr_register().
 * @out:  to be used by one thread at a time, given back with nr_vspace_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_vspace_register(struct nr_vspace *space,
		       const struct nr_context_attr *attr,
		       struct nr_vspace_context **out);

/** nr_vspace_leave - take part no more; NULL is ignored */
void nr_vspace_leave(struct nr_vspace_context *context);

/**
 * nr_vspace_map - map a range
 *
 * Arguments and return are as for nr_pagetable_map(). Linearizable, as the next
 * two; all of the range at once, for nr_vspace_resolve(). It takes every
 * replica as long as there are pages: what maps many small ones is better
 * divided.
 */
int nr_vspace_map(struct nr_vspace_context *context, uint64_t va,
		  uint64_t frame, uint64_t len, uint64_t bytes,
		  unsigned rights);

/**
 * nr_vspace_unmap - map a range no more
 *
 * Arguments and return are as for nr_pagetable_unmap(). Walks may still find
 * it: see above.
 */
int nr_vspace_unmap(struct nr_vspace_context *context, uint64_t va,
		    uint64_t len);

/**
 * nr_vspace_protect - other rights for a range
 *
 * Arguments and return are as for nr_pagetable_protect(). Walks may still find
 * the old ones: see above.
 */
int nr_vspace_protect(struct nr_vspace_context *context, uint64_t va,
		      uint64_t len, unsigned rights);

/**
 * nr_vspace_resolve - what is mapped at an address?
 * @va, @page: as for nr_pagetable_resolve().
 *
 * Linearizable. Waits for whoever is changing the local replica, and keeps such
 * out meanwhile.
 *
 * Return: 0; -ENOENT: nothing.
 */
int nr_vspace_resolve(struct nr_vspace_context *context, uint64_t va,
		      struct nr_page *page);

/**
 * nr_vspace_walk - what do the local tables say is mapped at an address?
 * @va, @page: as for nr_pagetable_resolve().
 *
 * Takes no lock: see above.
 *
 * Return: 0; -ENOENT: nothing, also after the replica has been brought up to
 * date.
 */
int nr_vspace_walk(struct nr_vspace_context *context, uint64_t va,
		   struct nr_page *page);

/**
 * nr_vspace_generation - how often has something been taken away?
 *
 * Counts the nr_vspace_unmap() and nr_vspace_protect() that the local replica
 * has applied. What a walk finds that begins after this is as new as that, or
 * newer.
 */
uint64_t nr_vspace_generation(struct nr_vspace_context *context);

/**
 * nr_vspace_settle - until no walk finds what is gone
 *
 * Brings every replica up to date, and waits for the walks that are under way
 * there; it takes each replica's combiner lock in turn.
 *
 * Return: the generation that all replicas have come to, or more: whoever has
 * seen it with nr_vspace_generation() finds nothing of what had been taken away
 * when this was called.
 */
uint64_t nr_vspace_settle(struct nr_vspace *space);

/**
 * nr_vspace_root - physical address of the first table of the local replica
 *
 * As for CR3; it stays the same.
 */
uint64_t nr_vspace_root(struct nr_vspace_context *context);

/**
 * nr_vspace_table - where a table of the local replica is
 * @phys: its physical address.
 *
 * Who reads it beside changes reads each entry at once; and sees to it, with
 * flush of struct nr_page_memory, that tables that are taken out stay while he
 * is there.
 *
 * Return: its 512 entries, to be read only.
 */
const uint64_t *nr_vspace_table(struct nr_vspace_context *context,
				uint64_t phys);

/**
 * nr_vspace_replica_add - one replica more, as nr_replica_add()
 *
 * Return: its number; -EINVAL: no such place; -ENOMEM.
 */
int nr_vspace_replica_add(struct nr_vspace *space, int place);

/** nr_vspace_replica_remove - one replica less, as nr_replica_remove() */
int nr_vspace_replica_remove(struct nr_vspace *space, uint32_t replica);

/**
 * nr_vspace_nr - what it is made with: for nr_stats() and nr_topology_of()
 *
 * Replicas may not be added or removed with it, nor contexts registered.
 */
struct nr *nr_vspace_nr(struct nr_vspace *space);

#ifdef __cplusplus
}
#endif

#endif /* NR_VSPACE_H */
