/* SPDX-License-Identifier: MIT */
/*
 * AES-256-GCM. The nonce is a counter with a random start: the key lives only
 * as long as its process, so a counter of 64 bits never comes round. A sealed
 * value is the nonce, the tag, and the cipher text.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"

struct kv_crypto {
	unsigned char key[32];
	unsigned char salt[4];
	_Atomic uint64_t count;
};

/* Of each thread, keyed once: setting a key up costs as much as a page. */
struct contexts {
	EVP_CIPHER_CTX *seal, *open;
};

static _Thread_local struct contexts *contexts;
static pthread_key_t contexts_end; /* frees them with their thread */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_contexts(void *arg)
{
	struct contexts *c = arg;

	EVP_CIPHER_CTX_free(c->seal);
	EVP_CIPHER_CTX_free(c->open);
	free(c);
}

static void make_key(void)
{
	pthread_key_create(&contexts_end, free_contexts);
}

static EVP_CIPHER_CTX *keyed(const unsigned char *key, int enc)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, NULL,
				     enc) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	return ctx;
}

static struct contexts *get_contexts(const struct kv_crypto *c)
{
	if (contexts)
		return contexts;
	pthread_once(&once, make_key);
	contexts = calloc(1, sizeof(*contexts));
	if (!contexts)
		return NULL;
	contexts->seal = keyed(c->key, 1);
	contexts->open = keyed(c->key, 0);
	if (!contexts->seal || !contexts->open) {
		free_contexts(contexts);
		contexts = NULL;
		return NULL;
	}
	pthread_setspecific(contexts_end, contexts);
	return contexts;
}

struct kv_crypto *kv_crypto_new(void)
{
	struct kv_crypto *c = calloc(1, sizeof(*c));
	uint64_t start;

	if (!c || RAND_bytes(c->key, sizeof(c->key)) != 1 ||
	    RAND_bytes(c->salt, sizeof(c->salt)) != 1 ||
	    RAND_bytes((unsigned char *)&start, sizeof(start)) != 1) {
		free(c);
		return NULL;
	}
	atomic_init(&c->count, start);
	return c;
}

int kv_seal(struct kv_crypto *c, const struct kv_request *r, unsigned char *out)
{
	struct contexts *mine = get_contexts(c);
	EVP_CIPHER_CTX *ctx = mine ? mine->seal : NULL;
	unsigned char *nonce = out, *tag = out + KV_NONCE;
	uint64_t count = atomic_fetch_add(&c->count, 1);
	int n;

	memcpy(nonce, c->salt, sizeof(c->salt));
	memcpy(nonce + sizeof(c->salt), &count, sizeof(count));
	if (!ctx || EVP_CipherInit_ex(ctx, NULL, NULL, NULL, nonce, 1) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)r->key,
			     r->key_len) != 1 ||
	    EVP_CipherUpdate(ctx, out + KV_SEAL, &n, r->value, (int)r->len) !=
		    1 ||
	    EVP_CipherFinal_ex(ctx, out + KV_SEAL + n, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, KV_TAG, tag) != 1)
		return -EIO;
	return 0;
}

int kv_open(struct kv_crypto *c, const struct kv_request *r,
	    const unsigned char *sealed, size_t len, unsigned char *out)
{
	struct contexts *mine = get_contexts(c);
	EVP_CIPHER_CTX *ctx = mine ? mine->open : NULL;
	unsigned char head[KV_SEAL]; /* read once from shared memory */
	int n;

	if (len < KV_SEAL)
		return -EBADMSG;
	memcpy(head, sealed, sizeof(head));
	if (!ctx || EVP_CipherInit_ex(ctx, NULL, NULL, NULL, head, 0) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)r->key,
			     r->key_len) != 1 ||
	    EVP_CipherUpdate(ctx, out, &n, sealed + KV_SEAL,
			     (int)(len - KV_SEAL)) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, KV_TAG,
				head + KV_NONCE) != 1)
		return -EIO;
	return EVP_CipherFinal_ex(ctx, out + n, &n) == 1 ? 0 : -EBADMSG;
}
