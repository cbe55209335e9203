/* SPDX-License-Identifier: MIT */
/* Real values: the texts found on the machine, or those given. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"
#include "util.h"

#define DATA_MAX (4u << 20)

static const char *const default_paths[] = { "/usr/share/common-licenses",
					     "/usr/share/doc", NULL };

static struct kv_data *loading;
static size_t chunk_size;

static void add(const char *path, size_t number, const unsigned char *value,
		size_t len)
{
	struct kv_item *item;
	char key[KV_KEY_MAX];
	int n = snprintf(key, sizeof(key), "%s:%zu", path, number);

	if (n < 0 || (size_t)n >= sizeof(key))
		return;
	/* doubling, whenever the count is a power of two */
	if (!(loading->n & (loading->n - 1))) {
		size_t room = loading->n ? 2 * loading->n : 1;

		loading->items =
			realloc(loading->items, room * sizeof(*loading->items));
		if (!loading->items)
			dief(1, "out of memory");
	}
	item = &loading->items[loading->n++];
	item->key = strdup(key);
	if (!item->key)
		dief(1, "out of memory");
	item->key_len = (size_t)n;
	item->value = value;
	item->len = len;
	loading->bytes += len;
}

static int load_file(const char *path, const struct stat *st, int type,
		     struct FTW *ftw)
{
	size_t left = DATA_MAX - loading->bytes, len, before;
	unsigned char *data;
	FILE *f;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode) || st->st_size == 0)
		return 0;
	f = fopen(path, "re");
	if (!f)
		return 0; /* not ours to read */
	if ((size_t)st->st_size < left)
		left = (size_t)st->st_size;
	data = xcalloc(1, left);
	len = fread(data, 1, left, f);
	fclose(f);
	before = loading->n;
	for (size_t at = 0, i = 0; at < len; at += chunk_size, i++)
		add(path, i, data + at,
		    len - at < chunk_size ? len - at : chunk_size);
	if (loading->n == before) /* nothing read, or too long a name */
		free(data);
	else
		loading->files++;
	return loading->bytes >= DATA_MAX;
}

int kv_data_load(struct kv_data *d, const char *path, size_t chunk)
{
	memset(d, 0, sizeof(*d));
	loading = d;
	chunk_size = chunk;
	if (path && nftw(path, load_file, 32, FTW_PHYS) < 0) {
		warnf("%s: %s", path, strerror(errno));
		return -1;
	}
	for (int i = 0; !path && default_paths[i]; i++)
		if (nftw(default_paths[i], load_file, 32, FTW_PHYS) > 0)
			break; /* enough; -1: not on every machine */
	if (d->n)
		return 0;
	warnf("%s: nothing to store; give a file or directory with --data",
	      path ? path : default_paths[0]);
	return -1;
}

void kv_data_free(struct kv_data *d)
{
	/* A file's first chunk is where its memory begins. */
	for (size_t i = 0; i < d->n; i++) {
		if (!strcmp(strrchr(d->items[i].key, ':'), ":0"))
			free((void *)(uintptr_t)d->items[i].value);
		free(d->items[i].key);
	}
	free(d->items);
}
