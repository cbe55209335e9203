/* SPDX-License-Identifier: MIT */
/* nr_sorted.c - the sequential ordered map alone: it gets its memory itself */
#include <errno.h>

#include "hash.h"
#include "nr_sorted.h"
#include "sorted.h"
#include "util.h"

struct nr_sorted {
	struct sorted sorted;
};

NR_PUBLIC int nr_sorted_create(struct nr_sorted **out)
{
	struct nr_sorted *s = mem_alloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	sorted_init(&s->sorted, hash_seed());
	*out = s;
	return 0;
}

NR_PUBLIC void nr_sorted_destroy(struct nr_sorted *s)
{
	if (!s)
		return;
	sorted_fini(&s->sorted);
	mem_free(s);
}

NR_PUBLIC int nr_sorted_put(struct nr_sorted *s, const void *key, size_t klen,
			    const void *value, size_t vlen, unsigned flags)
{
	struct sorted_key k;
	int ret;

	if (klen >= NR_KEY_MAX || vlen >= NR_VALUE_MAX)
		return -EMSGSIZE;
	if (flags > NR_REPLACE)
		return -EINVAL;
	k = sorted_key(key, klen);
	ret = sorted_put(&s->sorted, &k, value, (uint32_t)vlen, flags);
	if (ret != -ENOMEM)
		return ret;
	ret = arena_more(&s->sorted.arena, sorted_node_max(klen, vlen));
	return ret ? ret
		   : sorted_put(&s->sorted, &k, value, (uint32_t)vlen, flags);
}

NR_PUBLIC int nr_sorted_remove(struct nr_sorted *s, const void *key,
			       size_t klen)
{
	struct sorted_key k;

	if (klen >= NR_KEY_MAX)
		return -ENOENT;
	k = sorted_key(key, klen);
	return sorted_remove(&s->sorted, &k);
}

NR_PUBLIC int nr_sorted_find(const struct nr_sorted *s, const void *key,
			     size_t klen, enum nr_neighbour which,
			     struct nr_entry *entry)
{
	struct sorted_key k = { NULL, 0, 0 };
	const struct node *n;

	if ((unsigned)which > NR_LAST)
		return -EINVAL;
	if (which < NR_FIRST)
		k = sorted_key(key, klen);
	n = sorted_find(&s->sorted, &k, which);
	if (!n)
		return -ENOENT;
	*entry = sorted_entry(n);
	return 0;
}

NR_PUBLIC uint64_t nr_sorted_count(const struct nr_sorted *s)
{
	return s->sorted.count;
}

NR_PUBLIC int
nr_sorted_range(const struct nr_sorted *s, const void *from, size_t flen,
		const void *to, size_t tlen,
		int (*fn)(const struct nr_entry *entry, void *arg), void *arg)
{
	return sorted_range(&s->sorted, from, flen, to, tlen, fn, arg);
}
