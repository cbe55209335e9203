/* SPDX-License-Identifier: MIT */
/* What carries the key-value scenario's calls. */
#ifndef BENCH_KV_WIRE_H
#define BENCH_KV_WIRE_H

#include "peer.h"

/**
 * Serve one request.
 *
 * @reply: room for the reply; apart from @request.
 *
 * Return: its length or -errno. Called by several threads at the same time.
 */
typedef ssize_t (*kv_handler)(void *arg, uint32_t op,
			      const unsigned char *request, size_t len,
			      unsigned char *reply, size_t room);

/** From whom to whom: each has names or descriptors of its own. */
enum kv_hop { KV_CLIENT_CRYPTO, KV_CRYPTO_STORE, KV_HOPS };

/**
 * struct kv_wire - table of functions
 * @room:    longest message.
 * @serve:   as struct peer's; run_ready() when clients can connect.
 * @connect: NULL: run_fail() was called.
 * @buffer:  where the next request is to be built.
 * @call:    send what was built and wait; the reply stays valid until the next
 *           call. Its length or -errno.
 */
struct kv_wire {
	const char *copies;
	int (*setup)(struct run *run, size_t room);
	int (*serve)(struct run *run, enum kv_hop hop, unsigned client,
		     kv_handler fn, void *arg);
	void *(*connect)(struct run *run, enum kv_hop hop, unsigned client);
	unsigned char *(*buffer)(void *conn, size_t *room);
	ssize_t (*call)(void *conn, uint32_t op, size_t len,
			const unsigned char **reply);
	void (*close)(void *conn);
	void (*teardown)(struct run *run);
};

extern const struct kv_wire kv_wire_pipe, kv_wire_unix, kv_wire_skyipc;

#endif /* BENCH_KV_WIRE_H */
