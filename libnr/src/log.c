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
	store_relaxed(&log->room, size);
	log->entry_size = entry;
	log->op_size = entry - LOG_ENTRY_HEAD;
	log->bytes = (size_t)size * entry;
	/* All nodes write it and read it. */
	log->entries = mem_spread_alloc(log->bytes);
	return log->entries ? 0 : -ENOMEM;
}

void log_drop_copy(struct log *log, const struct log_entry *e)
{
	if (log_long(log, e->len))
		mem_free((void *)(uintptr_t)log_op(log, e));
}

void log_fini(struct log *log)
{
	if (!log->entries)
		return;
	for (uint64_t i = 0; i < log->size; i++)
		log_drop_copy(log, log_entry(log, i));
	mem_node_free(log->entries, log->bytes);
	log->entries = NULL;
}
