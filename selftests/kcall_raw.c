/* SPDX-License-Identifier: MIT */
#include "kcall_raw.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kcall_dev.h"

#define FOREVER SKYIPC_DEV_FOREVER

int kraw_ioctl(int fd, unsigned long number, void *arg)
{
	int ret = ioctl(fd, number, arg);

	return ret < 0 ? -errno : ret;
}

const char *kraw_over(void)
{
	const char *only = getenv("SKY_TRANSPORT");

	return only && !strcmp(only, "vmfunc") ? only : "kcall";
}

/* ---- a client -------------------------------------------------------------
 */

void kraw_hello(struct kraw *k, const char *name)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_HELLO);
	int fd;

	memset(k, 0, sizeof(*k));
	k->conn = k->link = k->raw.bell = k->raw.mem_fd = -1;
	strcpy(msg.hello.transport, kraw_over());
	k->raw.sock = raw_socket(name);
	assert_true(k->raw.sock >= 0);
	assert_int_equal(raw_send(k->raw.sock, &msg, len, NULL, 0), 0);
	assert_int_equal(raw_recv(k->raw.sock, &msg, &fd),
			 proto_size(PROTO_WELCOME));
	assert_int_equal(msg.answer.result, 0);
	assert_string_equal(msg.welcome.transport, kraw_over());
	assert_int_equal(fd, -1);
}

void kraw_chan(struct kraw *k)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_CHAN_OPEN);
	int fd;

	assert_int_equal(raw_send(k->raw.sock, &msg, len, NULL, 0), 0);
	assert_int_equal(raw_recv(k->raw.sock, &msg, &fd),
			 proto_size(PROTO_CHAN));
	assert_int_equal(msg.answer.result, 0);
	assert_true(fd >= 0);
	k->raw.chan = msg.answer.chan;
	if (k->conn < 0)
		k->conn = fd;
	else
		close(fd);
}

void kraw_link(struct kraw *k, unsigned depth)
{
	struct skyipc_dev_link attr = { .size = sizeof(attr), .depth = depth };

	k->link = kraw_ioctl(k->conn, SKYIPC_CONN_LINK, &attr);
	assert_true(k->link >= 0);
}

void kraw_open(struct kraw *k, const char *name)
{
	kraw_hello(k, name);
	kraw_chan(k);
	kraw_link(k, RAW_DEPTH);
}

void kraw_close(struct kraw *k)
{
	close(k->raw.sock);
	if (k->link >= 0)
		close(k->link);
	if (k->conn >= 0)
		close(k->conn);
}

uint64_t kraw_flags(uint32_t flags, uint32_t chan)
{
	return kcall_flags(flags, chan);
}

uint32_t kraw_reply_flags(const struct skyipc_dev_call *c)
{
	return (uint32_t)(c->msg.ext[KCALL_FLAGS] >> 32);
}

struct skyipc_dev_call kraw_call(struct kraw *k, uint32_t op)
{
	struct skyipc_dev_call c = {
		.size = sizeof(c),
		.deadline = time_ns() + LIMIT * slowness,
		.msg.op = op,
	};

	c.msg.ext[KCALL_FLAGS] = kraw_flags(0, k->raw.chan);
	c.msg.ext[KCALL_POS] = k->pos++;
	return c;
}

/* ---- a server that lies ----------------------------------------------------
 */

static struct kliar *kliar_of(struct teller *t)
{
	return (struct kliar *)t;
}

static void welcome(struct teller *t, const struct proto_hello *hello)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_WELCOME);

	strcpy(msg.welcome.transport, kraw_over());
	msg.welcome.depth = hello->depth;
	msg.welcome.bufs = hello->bufs;
	msg.welcome.buf_size = hello->buf_size;
	raw_send(t->sock, &msg, len, NULL, 0);
}

static int new_conn(struct kliar *l)
{
	struct skyipc_dev_connect attr = { .size = sizeof(attr) };
	int conn = kraw_ioctl(l->server, SKYIPC_SERVER_CONNECT, &attr);

	CHECK(conn >= 0);
	return conn;
}

/* Its first user has it; there may be no other. */
static int taken(struct kliar *l)
{
	struct skyipc_dev_link attr = { .size = sizeof(attr) };
	int conn = new_conn(l);

	CHECK(kraw_ioctl(conn, SKYIPC_CONN_LINK, &attr) >= 0);
	return conn;
}

static int killed(struct kliar *l)
{
	int conn = new_conn(l);

	CHECK(!kraw_ioctl(conn, SKYIPC_CONN_KILL, NULL));
	return conn;
}

/* Its thread is this one, which does not serve. */
static int new_worker(struct kliar *l)
{
	struct skyipc_dev_worker attr = { .size = sizeof(attr), .bell = -1 };

	return kraw_ioctl(l->server, SKYIPC_SERVER_WORKER, &attr);
}

static int something(struct kliar *l)
{
	int p[2];

	switch (l->lie) {
	case K_FILE:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case K_PIPE:
		CHECK(!pipe2(p, O_CLOEXEC));
		close(p[1]);
		return p[0];
	case K_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case K_EVENTFD:
		return eventfd(0, EFD_CLOEXEC);
	case K_EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case K_MEMFD:
		return memfd_create("liar", MFD_CLOEXEC);
	case K_SERVER:
		return dup(l->server);
	case K_WORKER:
		return new_worker(l);
	case K_TAKEN:
		return taken(l);
	case K_KILLED:
		return killed(l);
	default:
		return new_conn(l);
	}
}

static void chan(struct teller *t)
{
	struct kliar *l = kliar_of(t);
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_CHAN);
	int fds[2];

	l->conn = fds[0] = fds[1] = something(l);
	CHECK(fds[0] >= 0);
	raw_send(l->t.sock, &msg, len, fds,
		 l->lie == K_NOTHING ? 0 : 1 + (l->lie == K_TWO));
}

static void answer(struct kliar *l, struct skyipc_dev_msg *msg)
{
	static const struct {
		uint32_t flags;
		int32_t status;
		uint64_t ext;
	} as[K_LIES] = {
		[K_FLAGS] = { 0x40, 0, 0 },
		[K_CANCEL] = { CALL_CANCEL, 0, 0 },
		[K_LEN] = { CALL_LONG, 0, EXT(RAW_BUF_SIZE + 1, 0) },
		[K_OFFSET] = { CALL_LONG, 0, EXT(2, RAW_BUF_SIZE - 1) },
		[K_OVERFLOW] = { CALL_LONG, 0, EXT(UINT32_MAX, UINT32_MAX) },
		[K_INREQ] = { CALL_LONG | CALL_INREQ, 0, EXT(1, RAW_BUF_SIZE) },
		[K_NO_FDS] = { CALL_FDS, 0, 0 },
		[K_ERRNO] = { CALL_ERROR, -4096, 0 },
		[K_ERRNO_POSITIVE] = { CALL_ERROR, 1, 0 },
		[K_ERRNO_ZERO] = { CALL_ERROR, 0, 0 },
	};

	if (l->lie == K_DIE)
		raise(SIGKILL);
	if (l->lie == K_KILL)
		CHECK(!kraw_ioctl(l->conn, SKYIPC_CONN_KILL, NULL));
	msg->status = as[l->lie].status;
	msg->ext[KCALL_LONG] = as[l->lie].ext;
	msg->ext[KCALL_FLAGS] = kraw_flags(as[l->lie].flags, 0);
}

static void *serve(void *arg)
{
	struct skyipc_dev_serve s = { .size = sizeof(s),
				      .flags = SKYIPC_SERVE_WAIT,
				      .deadline = FOREVER };
	struct kliar *l = arg;
	int worker = new_worker(l), err;

	CHECK(worker >= 0);
	for (;;) {
		err = kraw_ioctl(worker, SKYIPC_WORKER_SERVE, &s);
		s.flags = SKYIPC_SERVE_WAIT;
		if (err == -ESTALE || err == -EINTR)
			continue;
		CHECK(!err);
		if (l->lie == K_NO_REPLY)
			continue;
		answer(l, &s.msg);
		s.flags |= SKYIPC_SERVE_REPLY;
	}
	return NULL;
}

int kliar(struct child *me, void *arg)
{
	static const struct teller_ops ops = { welcome, chan, NULL };
	struct skyipc_dev_server attr = { .size = sizeof(attr) };
	int dev = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	struct kliar *l = arg;
	pthread_t thread;

	CHECK(dev >= 0);
	l->server = kraw_ioctl(dev, SKYIPC_DEV_SERVER, &attr);
	CHECK(l->server >= 0);
	CHECK(!pthread_create(&thread, NULL, serve, l));
	teller_run(me, &l->t, &ops);
	/* Its thread serves to the end. */
	_exit(0);
}
