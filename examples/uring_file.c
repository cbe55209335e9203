/* SPDX-License-Identifier: MIT */
/*
 * A server that keeps records in a file, and reads and writes them without
 * system calls: through io_uring, whose kernel thread takes the transfers out
 * of shared memory. Over the transport vmfunc its handlers therefore never
 * leave their clients' threads. Where there is no io_uring it works as well.
 *
 * Offsets and lengths are clients' words: the file's end and the reply's room
 * are the limits, whatever they say.
 */
#include "pair.h"

#include <skyipc_uring.h>

#include <inttypes.h>

#define NAME "example-uring-file"

enum op {
	OP_READ,    /* offset, length; the bytes out */
	OP_WRITE,   /* offset; the bytes in; how many in word 0 */
	OP_COMPARE, /* two offsets; word 0: are the blocks there equal? */
	OP_KEEP,    /* what was written is on the disk */
	OP_COUNT,
};

enum { BLOCK = 512, BLOCKS = 100 };

static struct skyipc_uring *rings;
static FILE *file;

static int32_t read_some(struct skyipc_call *call, void *arg)
{
	ssize_t n;

	(void)arg;
	if (call->in[1] > call->reply_cap)
		return EMSGSIZE;
	/* straight to where the client will read it */
	n = skyipc_uring_read(rings, fileno(file), call->reply, call->in[1],
			      (int64_t)call->in[0]);
	if (n < 0)
		return (int32_t)-n;
	call->reply_len = (size_t)n;
	return 0;
}

static int32_t write_some(struct skyipc_call *call, void *arg)
{
	ssize_t n = skyipc_uring_write(rings, fileno(file), call->data,
				       call->len, (int64_t)call->in[0]);

	(void)arg;
	if (n < 0)
		return (int32_t)-n;
	call->out[0] = (uint64_t)n;
	return 0;
}

/* Two transfers at a time, of the file that the rings know by its index */
static int32_t compare(struct skyipc_call *call, void *arg)
{
	char block[2][BLOCK];
	struct skyipc_uring_io io[2];
	int err;

	(void)arg;
	for (int i = 0; i < 2; i++)
		io[i] = (struct skyipc_uring_io){
			.op = SKYIPC_URING_READ,
			.flags = SKYIPC_URING_FILE | SKYIPC_URING_ALL,
			.fd = 0,
			.buf = block[i],
			.len = BLOCK,
			.offset = (int64_t)call->in[i],
		};
	err = skyipc_uring_submit(rings, io, 2);
	/* ... here is time for other things ... */
	if (!err)
		err = skyipc_uring_wait(rings, io, 2);
	if (err)
		return -err;
	for (int i = 0; i < 2; i++)
		if (io[i].result != BLOCK)
			return io[i].result < 0 ? (int32_t)-io[i].result
						: ENODATA;
	call->out[0] = !memcmp(block[0], block[1], BLOCK);
	return 0;
}

static int32_t keep(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return -skyipc_uring_sync(rings, fileno(file));
}

static int make(struct skyipc_server **server)
{
	static const struct skyipc_op ops[OP_COUNT] = {
		[OP_READ] = { read_some, NULL },
		[OP_WRITE] = { write_some, NULL },
		[OP_COMPARE] = { compare, NULL },
		[OP_KEEP] = { keep, NULL },
	};
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct skyipc_uring_attr uattr = SKYIPC_URING_ATTR_INIT;
	int err, fd;

	file = tmpfile();
	if (!file)
		return -errno;
	fd = fileno(file);
	attr.ops = ops;
	attr.nops = OP_COUNT;
	attr.workers = 2;
	uattr.rings = attr.workers; /* so that everybody has one */
	uattr.files = &fd;
	uattr.nfiles = 1;
	err = skyipc_uring_create(&uattr, &rings);
	return err ? err : skyipc_server_create(NAME, &attr, server);
}

static int ask(struct skyipc_conn *conn, struct skyipc_msg *req,
	       struct skyipc_msg *rep)
{
	int err = skyipc_call_msg(conn, req, rep, SKYIPC_DEFAULT);

	return err ? err : -rep->status;
}

static int write_all(struct skyipc_conn *conn)
{
	char block[BLOCK];
	struct skyipc_msg req = { .op = OP_WRITE, .data = block, .len = BLOCK };
	struct skyipc_msg rep = { 0 };
	int err = 0;

	/* each third one is the same */
	for (uint64_t i = 0; !err && i < BLOCKS; i++) {
		memset(block, 'a' + (int)(i % 3), BLOCK);
		req.w[0] = i * BLOCK;
		err = ask(conn, &req, &rep);
		if (!err && rep.w[0] != BLOCK)
			err = -ENOSPC;
	}
	if (!err) {
		req = (struct skyipc_msg){ .op = OP_KEEP };
		err = ask(conn, &req, &rep);
	}
	if (err)
		return complain("write", err);
	printf("%d blocks written\n", BLOCKS);
	return 0;
}

static int read_back(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_READ }, rep = { 0 };
	int err;

	for (uint64_t i = 0; i < BLOCKS; i++) {
		const char *data;

		req.w[0] = i * BLOCK;
		req.w[1] = BLOCK;
		err = ask(conn, &req, &rep);
		if (err)
			return complain("read", err);
		data = rep.data;
		for (size_t k = 0; k < BLOCK; k++)
			if (rep.len != BLOCK || data[k] != 'a' + (int)(i % 3))
				return complain("read", -EBADMSG);
	}
	printf("and read\n");
	/* at the end, behind it, and nowhere */
	req.w[0] = BLOCK * BLOCKS - 10;
	err = ask(conn, &req, &rep);
	printf("at the end: %zu bytes\n", err ? 0 : rep.len);
	req.w[0] = BLOCK * BLOCKS;
	err = ask(conn, &req, &rep);
	printf("behind it: %zu bytes\n", err ? 1 : rep.len);
	req.w[0] = UINT64_MAX;
	printf("nowhere: %s\n", strerror(-ask(conn, &req, &rep)));
	return 0;
}

static int compare_some(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_COMPARE }, rep = { 0 };
	int err;

	for (uint64_t i = 1; i < 7; i++) {
		req.w[0] = BLOCK;
		req.w[1] = BLOCK + i * BLOCK;
		err = ask(conn, &req, &rep);
		if (err)
			return complain("compare", err);
		if (rep.w[0] != (i % 3 == 0))
			return complain("compare", -EBADMSG);
	}
	printf("compared\n");
	return 0;
}

static int client(void)
{
	struct skyipc_conn *conn;
	int err = connect_to(NAME, &conn), ret;

	if (err)
		return complain(NAME, err);
	ret = write_all(conn) || read_back(conn) || compare_some(conn);
	skyipc_close(conn);
	return ret;
}

int main(void)
{
	struct skyipc_uring_stats stats = { .size = sizeof(stats) };
	int ret = run_pair(make, client);

	if (ret)
		return ret;
	ret = skyipc_uring_stats(rings, &stats);
	printf("server: %" PRIu64 " transfers\n", stats.done + stats.direct);
	fprintf(stderr, "skyipc-uring %s, %u rings%s%s\n",
		skyipc_uring_version(), (unsigned)stats.rings,
		stats.why[0] ? ": " : "", stats.why);
	fprintf(stderr,
		"%" PRIu64 " transfers without a ring; the poller was woken "
		"%" PRIu64 " times, and waited for %" PRIu64 " times\n",
		stats.direct, stats.wakes, stats.waits);
	skyipc_uring_destroy(rings);
	fclose(file);
	return ret;
}
