/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "kv.h"

unsigned char *kv_request_put(unsigned char *buf, size_t room, const char *key,
			      size_t key_len, size_t value_len)
{
	uint16_t n = (uint16_t)key_len;

	if (key_len > KV_KEY_MAX || kv_request_len(key_len, value_len) > room)
		return NULL;
	memcpy(buf, &n, sizeof(n));
	memcpy(buf + sizeof(n), key, key_len);
	return buf + sizeof(n) + key_len;
}

int kv_request_get(struct kv_request *r, const unsigned char *msg, size_t len)
{
	uint16_t n;

	if (len < sizeof(n))
		return -EBADMSG;
	memcpy(&n, msg, sizeof(n));
	if (n > KV_KEY_MAX || len - sizeof(n) < n)
		return -EBADMSG;
	r->key_len = n;
	memcpy(r->key, msg + sizeof(n), n);
	r->value = msg + sizeof(n) + n;
	r->len = len - sizeof(n) - n;
	return 0;
}
