/* SPDX-License-Identifier: MIT */
/*
 * AES-256-GCM. The nonce is a counter with a random start: the key lives only
 * as long as its process, so a counter of 64 bits never comes round. A sealed
 * value is the nonce, the tag, and the cipher text.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"

struct kv_crypto {
	unsigned char key[32];
	unsigned char salt[4];
	_Atomic uint64_t count;
};

/* One of each thread, keyed once: setting a key up costs as much as a page. */
static _Thread_local EVP_CIPHER_CTX *sealing, *opening;

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

static EVP_CIPHER_CTX *context(EVP_CIPHER_CTX **ctx, const unsigned char *key,
			       int enc)
{
	if (*ctx)
		return *ctx;
	*ctx = EVP_CIPHER_CTX_new();
	if (*ctx && EVP_CipherInit_ex(*ctx, EVP_aes_256_gcm(), NULL, key, NULL,
				      enc) != 1) {
		EVP_CIPHER_CTX_free(*ctx);
		*ctx = NULL;
	}
	return *ctx;
}

int kv_seal(struct kv_crypto *c, const struct kv_request *r, unsigned char *out)
{
	EVP_CIPHER_CTX *ctx = context(&sealing, c->key, 1);
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
	EVP_CIPHER_CTX *ctx = context(&opening, c->key, 0);
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
