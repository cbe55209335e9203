/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>

#include "mem.h"

int log_init(struct log *log, uint64_t size, size_t op_size)
{
	size_t entry = align_up(LOG_ENTRY_HEAD + op_size, NR_LINE);

	if (size > SIZE_MAX / 2 / entry)
		return -ENOMEM;
	log->size = size;
	log->entry_size = entry;
	log->op_size = entry - LOG_ENTRY_HEAD;
	log->bytes = (size_t)size * entry;
	/* All nodes write it and read it. */
	log->entries = mem_spread_alloc(log->bytes);
	return log->entries ? 0 : -ENOMEM;
}

/* The copy of a long operation that entry @e had the last time. */
static void free_copy(struct log *log, const struct log_entry *e)
{
	if (log_long(log, e->len))
		mem_free((void *)(uintptr_t)log_op(log, e));
}

void log_fini(struct log *log)
{
	if (!log->entries)
		return;
	for (uint64_t i = 0; i < log->size; i++)
		free_copy(log, log_entry(log, i));
	mem_node_free(log->entries, log->bytes);
	log->entries = NULL;
}

void log_write(struct log *log, uint64_t i, const void *op, uint32_t len)
{
	struct log_entry *e = log_entry(log, i);

	invariant(mutant(ALIVE_FLAG) || !log_alive(log, i));
	if (mutant(ALIVE_FIRST))
		store_release(&e->alive, log_parity(log, i));
	if (unlikely(log_long(log, e->len)))
		free_copy(log, e);
	point();
	e->len = len;
	if (unlikely(log_long(log, len)))
		memcpy(e->data, &op, sizeof(op));
	else
		memcpy(e->data, op, len);
	/* Release pairs with log_alive(). */
	store_release_or_relaxed(&e->alive, log_parity(log, i), RELAXED_ALIVE);
}
