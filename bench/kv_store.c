/* SPDX-License-Identifier: MIT */
/* A chained hash table that grows. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"
#include "util.h"

struct entry {
	struct entry *next;
	uint64_t hash;
	size_t len, room;
	unsigned char *value;
	size_t key_len;
	char key[];
};

struct kv_store {
	pthread_mutex_t lock;
	struct entry **bucket;
	size_t buckets, entries;
};

/* FNV-1a */
static uint64_t hash_of(const char *key, size_t len)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
	return h;
}

struct kv_store *kv_store_new(void)
{
	struct kv_store *s = xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	s->buckets = 1024;
	s->bucket = xcalloc(s->buckets, sizeof(struct entry *));
	return s;
}

static struct entry *find(struct kv_store *s, const struct kv_request *r,
			  uint64_t hash)
{
	struct entry *e = s->bucket[hash & (s->buckets - 1)];

	while (e && (e->hash != hash || e->key_len != r->key_len ||
		     memcmp(e->key, r->key, e->key_len)))
		e = e->next;
	return e;
}

static void grow(struct kv_store *s)
{
	size_t n = 2 * s->buckets;
	struct entry **bucket = calloc(n, sizeof(struct entry *));

	if (!bucket)
		return; /* longer chains, then */
	for (size_t i = 0; i < s->buckets; i++) {
		struct entry *e = s->bucket[i], *next;

		for (; e; e = next) {
			next = e->next;
			e->next = bucket[e->hash & (n - 1)];
			bucket[e->hash & (n - 1)] = e;
		}
	}
	free(s->bucket);
	s->bucket = bucket;
	s->buckets = n;
}

static struct entry *add(struct kv_store *s, const struct kv_request *r,
			 uint64_t hash)
{
	struct entry *e = calloc(1, sizeof(*e) + r->key_len), **to;

	if (!e)
		return NULL;
	if (s->entries++ >= s->buckets)
		grow(s);
	e->hash = hash;
	e->key_len = r->key_len;
	memcpy(e->key, r->key, r->key_len);
	to = &s->bucket[hash & (s->buckets - 1)];
	e->next = *to;
	*to = e;
	return e;
}

static int put(struct kv_store *s, const struct kv_request *r)
{
	uint64_t hash = hash_of(r->key, r->key_len);
	struct entry *e = find(s, r, hash);

	if (!e)
		e = add(s, r, hash);
	if (!e)
		return -ENOMEM;
	if (e->room < r->len) {
		unsigned char *value = realloc(e->value, r->len);

		if (!value)
			return -ENOMEM;
		e->value = value;
		e->room = r->len;
	}
	memcpy(e->value, r->value, r->len);
	e->len = r->len;
	return 0;
}

int kv_store_put(struct kv_store *s, const struct kv_request *r)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = put(s, r);
	pthread_mutex_unlock(&s->lock);
	return err;
}

ssize_t kv_store_get(struct kv_store *s, const struct kv_request *r, void *out,
		     size_t room)
{
	ssize_t n = -ENOENT;
	struct entry *e;

	pthread_mutex_lock(&s->lock);
	e = find(s, r, hash_of(r->key, r->key_len));
	if (e && e->len > room)
		n = -EMSGSIZE;
	else if (e) {
		memcpy(out, e->value, e->len);
		n = (ssize_t)e->len;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}
