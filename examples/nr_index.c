/* SPDX-License-Identifier: MIT */
/*
 * nr_index: the ordered map below nr_omap by itself, for one thread: which
 * words begin like this?
 */
#include <inttypes.h>
#include <nr_sorted.h>
#include <stdio.h>
#include <string.h>

static const char *const words[] = { "node", "replica", "log",	"reader",
				     "read", "combine", "real", "lock" };

static int print(const struct nr_entry *entry, void *arg)
{
	printf(" %.*s", (int)entry->klen, (const char *)entry->key);
	return arg != NULL; /* go on? */
}

int main(void)
{
	struct nr_sorted *index;
	struct nr_entry last;
	int err;

	err = nr_sorted_create(&index);
	if (err) {
		fprintf(stderr, "nr_index: %s\n", strerror(-err));
		return 1;
	}
	for (uint32_t i = 0; i < sizeof(words) / sizeof(*words) && !err; i++)
		err = nr_sorted_put(index, words[i], strlen(words[i]), &i,
				    sizeof(i), NR_CREATE);
	printf("%" PRIu64 " words, with rea:", nr_sorted_count(index));
	nr_sorted_range(index, "rea", 3, "reb", 3, print, NULL);
	nr_sorted_remove(index, "replica", 7);
	if (nr_sorted_find(index, NULL, 0, NR_LAST, &last) == 0)
		printf("; the last is now %.*s\n", (int)last.klen,
		       (const char *)last.key);
	nr_sorted_destroy(index);
	return err;
}
