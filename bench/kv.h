/* SPDX-License-Identifier: MIT */
/*
 * Three processes: a client, an encryption server that holds the key, and a
 * key-value server that sees only what is encrypted. The client calls the
 * encryption server, which calls the key-value server before it answers.
 *
 * The same code runs over every wire; see kv_wire.h.
 */
#ifndef BENCH_KV_H
#define BENCH_KV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KV_KEY_MAX 1024
#define KV_NONCE 12
#define KV_TAG 16
#define KV_SEAL (KV_NONCE + KV_TAG) /* what encryption adds to a value */

enum kv_op { KV_PUT = 1, KV_GET };

/* ------------------------------------------------------------- messages -- */

/*
 * A request is the key's length, the key, and for a put the value. A reply is
 * the value of a get. In the client's memory a request may change while it is
 * read, so its head is read once, into a struct kv_request.
 */
struct kv_request {
	uint16_t key_len;
	char key[KV_KEY_MAX];
	const unsigned char *value;
	size_t len;
};

/** Write all but the value; where the value goes, or NULL: no room. */
unsigned char *kv_request_put(unsigned char *buf, size_t room, const char *key,
			      size_t key_len, size_t value_len);

/** 0, or -EBADMSG. */
int kv_request_get(struct kv_request *r, const unsigned char *msg, size_t len);

static inline size_t kv_request_len(size_t key_len, size_t value_len)
{
	return sizeof(uint16_t) + key_len + value_len;
}

/* ----------------------------------------------------------------- data -- */

struct kv_item {
	char *key; /* "path:chunk" */
	size_t key_len;
	const unsigned char *value;
	size_t len;
};

struct kv_data {
	struct kv_item *items;
	size_t n;
	size_t bytes;
	size_t files;
};

/** Read files in chunks of @chunk bytes; 0, or -1 after an error message. */
int kv_data_load(struct kv_data *d, const char *path, size_t chunk);
void kv_data_free(struct kv_data *d);

/* ---------------------------------------------------------------- store -- */

struct kv_store;

struct kv_store *kv_store_new(void);
int kv_store_put(struct kv_store *s, const struct kv_request *r);
/** Copy the value to @out; its length, -ENOENT or -EMSGSIZE. */
ssize_t kv_store_get(struct kv_store *s, const struct kv_request *r, void *out,
		     size_t room);

/* --------------------------------------------------------------- crypto -- */

struct kv_crypto;

/** A fresh AES-256-GCM key, known to nobody else; NULL: libcrypto failed. */
struct kv_crypto *kv_crypto_new(void);

/** Encrypt to @out, @len + KV_SEAL bytes; the key is authenticated with it. */
int kv_seal(struct kv_crypto *c, const struct kv_request *r,
	    unsigned char *out);

/** Decrypt @sealed to @out, @len - KV_SEAL bytes; -EBADMSG: was tampered with.
 */
int kv_open(struct kv_crypto *c, const struct kv_request *r,
	    const unsigned char *sealed, size_t len, unsigned char *out);

#endif /* BENCH_KV_H */
