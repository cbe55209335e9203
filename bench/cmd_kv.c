/* SPDX-License-Identifier: MIT */
#include "bench.h"
#include "util.h"

#ifdef HAVE_LIBCRYPTO

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "kv.h"
#include "kv_wire.h"
#include "loops.h"
#include "report.h"

/* What a message has beside the chunk. */
#define KV_ROOM_MORE (KV_KEY_MAX + KV_SEAL + 64)

struct kv_peer {
	struct peer peer; /* first: a peer is cast back to this */
	const struct kv_wire *wire;
};

struct crypto_node {
	struct run *run;
	const struct kv_wire *wire;
	struct kv_crypto *crypto;
	void *store; /* connection */
};

struct client {
	struct run *run;
	const struct kv_wire *wire;
	void *crypto; /* connection */
	size_t next;
};

static struct kv_data data; /* read before the forks */

static const struct kv_wire *wire_of(const struct run *run)
{
	return ((const struct kv_peer *)(const void *)run->peer)->wire;
}

/* -------------------------------------------------- the key-value server -- */

static ssize_t store_handler(void *arg, uint32_t op,
			     const unsigned char *request, size_t len,
			     unsigned char *reply, size_t room)
{
	struct kv_request r;
	int err = kv_request_get(&r, request, len);

	if (err)
		return err;
	if (op == KV_PUT)
		return kv_store_put(arg, &r);
	return op == KV_GET ? kv_store_get(arg, &r, reply, room) : -ENOSYS;
}

/* One store and one key for all clients, however many threads serve them. */
static struct kv_store *store;
static struct kv_crypto *crypto;

static void make_store(void)
{
	store = kv_store_new();
}

static void make_key(void)
{
	crypto = kv_crypto_new();
}

static int store_serve(struct run *run, unsigned client)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_store);
	return wire_of(run)->serve(run, KV_CRYPTO_STORE, client, store_handler,
				   store);
}

/* ------------------------------------------------- the encryption server -- */

static ssize_t put(struct crypto_node *n, const struct kv_request *r)
{
	const unsigned char *none;
	unsigned char *buf, *to;
	size_t room;
	int err;

	buf = n->wire->buffer(n->store, &room);
	if (!buf)
		return -EIO;
	to = kv_request_put(buf, room, r->key, r->key_len, r->len + KV_SEAL);
	if (!to)
		return -EMSGSIZE;
	err = kv_seal(n->crypto, r, to);
	if (err)
		return err;
	return n->wire->call(n->store, KV_PUT,
			     kv_request_len(r->key_len, r->len + KV_SEAL),
			     &none);
}

static ssize_t get(struct crypto_node *n, const struct kv_request *r,
		   unsigned char *reply, size_t reply_room)
{
	const unsigned char *sealed;
	unsigned char *buf;
	size_t room;
	ssize_t len;
	int err;

	buf = n->wire->buffer(n->store, &room);
	if (!buf || !kv_request_put(buf, room, r->key, r->key_len, 0))
		return -EIO;
	len = n->wire->call(n->store, KV_GET, kv_request_len(r->key_len, 0),
			    &sealed);
	if (len < 0)
		return len;
	if (len < KV_SEAL || (size_t)len - KV_SEAL > reply_room)
		return -EMSGSIZE;
	err = kv_open(n->crypto, r, sealed, (size_t)len, reply);
	return err ? err : len - KV_SEAL;
}

static ssize_t crypto_handler(void *arg, uint32_t op,
			      const unsigned char *request, size_t len,
			      unsigned char *reply, size_t room)
{
	struct kv_request r;
	int err = kv_request_get(&r, request, len);

	if (err)
		return err;
	if (op == KV_PUT)
		return put(arg, &r);
	return op == KV_GET ? get(arg, &r, reply, room) : -ENOSYS;
}

static int crypto_serve(struct run *run, unsigned client)
{
	struct crypto_node n = { .run = run, .wire = wire_of(run) };
	int state;
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	n.crypto = crypto;
	if (!crypto)
		return run_fail(run, "libcrypto gave no key");
	n.store = n.wire->connect(run, KV_CRYPTO_STORE, client);
	if (!n.store)
		return PEER_FAILED;
	state = n.wire->serve(run, KV_CLIENT_CRYPTO, client, crypto_handler,
			      &n);
	n.wire->close(n.store);
	return state;
}

/* ------------------------------------------------------------ the client -- */

static int client_put(struct client *c, const struct kv_item *item)
{
	const unsigned char *none;
	unsigned char *buf, *to;
	size_t room;
	ssize_t n;

	buf = c->wire->buffer(c->crypto, &room);
	if (!buf)
		return PEER_FAILED;
	to = kv_request_put(buf, room, item->key, item->key_len, item->len);
	if (!to)
		return run_fail(c->run, "%s: no room", item->key);
	memcpy(to, item->value, item->len);
	n = c->wire->call(c->crypto, KV_PUT,
			  kv_request_len(item->key_len, item->len), &none);
	return n ? run_fail(c->run, "put: %s", strerror((int)-n)) : 0;
}

static int client_get(struct client *c, const struct kv_item *item)
{
	const unsigned char *value;
	unsigned char *buf;
	size_t room;
	ssize_t n;

	buf = c->wire->buffer(c->crypto, &room);
	if (!buf || !kv_request_put(buf, room, item->key, item->key_len, 0))
		return PEER_FAILED;
	n = c->wire->call(c->crypto, KV_GET, kv_request_len(item->key_len, 0),
			  &value);
	if (n < 0)
		return run_fail(c->run, "get: %s", strerror((int)-n));
	if ((size_t)n != item->len || memcmp(value, item->value, item->len))
		return run_fail(c->run, "%s: not what was put", item->key);
	return 0;
}

/* Connected means: everything is stored, and was read back once. */
static void *client_open(struct run *run, unsigned client)
{
	struct client *c = run_alloc(run, sizeof(*c));

	if (!c)
		return NULL;
	c->run = run;
	c->wire = wire_of(run);
	c->crypto = c->wire->connect(run, KV_CLIENT_CRYPTO, client);
	if (!c->crypto)
		return NULL;
	for (size_t i = 0; i < data.n; i++)
		if (client_put(c, &data.items[i]))
			return NULL;
	for (size_t i = 0; i < data.n; i++)
		if (client_get(c, &data.items[i]))
			return NULL;
	return c;
}

static int client_call(void *conn)
{
	struct client *c = conn;
	const struct kv_item *item = &data.items[c->next];

	c->next = c->next + 1 < data.n ? c->next + 1 : 0;
	return c->run->cfg.variant == KV_PUT ? client_put(c, item)
					     : client_get(c, item);
}

static void client_close(void *conn)
{
	struct client *c = conn;

	c->wire->close(c->crypto);
	free(c);
}

static int kv_setup(struct run *run)
{
	return wire_of(run)->setup(run, run->cfg.size + KV_ROOM_MORE);
}

static void kv_teardown(struct run *run)
{
	wire_of(run)->teardown(run);
}

#define KV_PEER                                                                \
	.setup = kv_setup, .backend = store_serve, .serve = crypto_serve,      \
	.open = client_open, .call = client_call, .close = client_close,       \
	.teardown = kv_teardown

static const struct kv_peer kv_skyipc = {
	{ .name = "skyipc", .flags = PEER_GRACEFUL | PEER_SKYIPC, KV_PEER },
	&kv_wire_skyipc
};

static const struct kv_peer kv_pipe = {
	{ .name = "pipe", .mode = "blocking", .flags = PEER_THREADED, KV_PEER },
	&kv_wire_pipe
};

static const struct kv_peer kv_unix = { { .name = "unix-stream",
					  .mode = "blocking",
					  .flags = PEER_THREADED,
					  KV_PEER },
					&kv_wire_unix };

static int wanted(const struct options *o, const char *name)
{
	if (!o->peers_named)
		return o->peers.n != 0;
	for (size_t i = 0; i < o->peers.n; i++)
		if (!strcmp(o->peers.v[i], name))
			return 1;
	return 0;
}

static int one(const struct options *o, const char *placement, size_t size,
	       enum kv_op op)
{
	struct options own = *o;
	struct group g;
	int bad;

	own.peers.n = 0;
	group_init(&g, &own, placement, size, 1);
	g.what = op == KV_PUT ? "put" : "get";
	for (size_t i = 0; i < g.n; i++)
		g.rows[i].peer = &kv_skyipc.peer;
	if (wanted(o, kv_pipe.peer.name))
		group_add(&g, &kv_pipe.peer);
	if (wanted(o, kv_unix.peer.name))
		group_add(&g, &kv_unix.peer);
	for (size_t i = 0; i < g.n; i++)
		g.rows[i].cfg.variant = op;
	g.work.client = loop_closed;
	group_run(&g);
	bad = report_calls(&g);
	group_free(&g);
	return bad;
}

int cmd_kv(const struct options *o)
{
	int bad = 0;

	for (size_t i = 0; o->peers_named && i < o->peers.n; i++)
		if (strcmp(o->peers.v[i], kv_pipe.peer.name) &&
		    strcmp(o->peers.v[i], kv_unix.peer.name))
			dief(2, "--peer %s: kv has pipe and unix-stream",
			     o->peers.v[i]);
	report_head(o, "client -> encryption server (AES-256-GCM) -> key-value "
		       "server, and back; latency is the client's");
	for (size_t s = 0; s < o->sizes.n && !run_interrupted(); s++) {
		if (kv_data_load(&data, o->data, o->sizes.v[s]))
			return 1;
		fprintf(report_out(),
			"data        %zu files, %zu bytes in %zu values of up "
			"to %zu bytes, each verified whenever read\n",
			data.files, data.bytes, data.n, (size_t)o->sizes.v[s]);
		for (size_t p = 0; p < o->placements.n && !run_interrupted();
		     p++) {
			bad |= one(o, o->placements.v[p], o->sizes.v[s],
				   KV_PUT);
			bad |= one(o, o->placements.v[p], o->sizes.v[s],
				   KV_GET);
		}
		kv_data_free(&data);
	}
	return bad;
}

#else

int cmd_kv(const struct options *o)
{
	(void)o;
	warnf("kv encrypts with libcrypto, which was not there when this was "
	      "built: install libssl-dev and make again");
	return 1;
}

#endif
