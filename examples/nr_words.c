/* SPDX-License-Identifier: MIT */
/*
 * nr_words: the hash table below nr_map by itself, for one thread: how often
 * does each word occur?
 */
#include <inttypes.h>
#include <nr_table.h>
#include <stdio.h>
#include <string.h>

static const char text[] = "rose is a rose is a rose is a rose";

static int print(const void *key, size_t klen, const void *value, size_t vlen,
		 void *arg)
{
	uint32_t n;

	memcpy(&n, value, vlen);
	if (n >= *(uint32_t *)arg)
		printf("%.*s: %" PRIu32 "\n", (int)klen, (const char *)key, n);
	return 0;
}

int main(void)
{
	uint32_t n, often = 4;
	struct nr_table *t;
	int err;

	err = nr_table_create(&t);
	if (err) {
		fprintf(stderr, "nr_words: %s\n", strerror(-err));
		return 1;
	}
	for (const char *at = text; *at && !err; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		const void *had = nr_table_get(t, at, len, NULL);

		n = 1;
		if (had) {
			memcpy(&n, had, sizeof(n));
			n++;
		}
		err = nr_table_put(t, at, len, &n, sizeof(n), 0) < 0;
		at += len;
	}
	printf("%" PRIu64 " words\n", nr_table_count(t));
	if (nr_table_remove(t, "is", 2) == 0)
		nr_table_each(t, print, &often);
	nr_table_destroy(t);
	return err;
}
