/* SPDX-License-Identifier: MIT */
/* The protocol by hand, and the honest ones who must not suffer from it. */
#include "hostile.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

int raw_socket(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return -errno;
	if (strchr(name, '/'))
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", name);
	else
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s.sock",
			 getenv("SKYIPC_DIR"), name);
	if (connect(sock, (void *)&addr, sizeof(addr)) < 0) {
		int err = -errno;

		close(sock);
		return err;
	}
	return sock;
}

int raw_send(int sock, const void *msg, size_t len, const int *fds,
	     unsigned nfds)
{
	union {
		char buf[CMSG_SPACE(SKYIPC_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { (void *)msg, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	return sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

ssize_t raw_recv(int sock, union proto_msg *msg, int *fd)
{
	union {
		char buf[CMSG_SPACE(SKYIPC_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	struct cmsghdr *c;
	ssize_t len;

	*fd = -1;
	if (poll(&pfd, 1, (int)(LIMIT_MS * slowness)) != 1)
		fail_msg("the server neither answers nor hangs up");
	mh.msg_control = &control;
	mh.msg_controllen = sizeof(control);
	len = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	if (len < 0)
		return errno == ECONNRESET ? 0 : -errno;
	c = CMSG_FIRSTHDR(&mh);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return len;
}

int raw_dropped(int sock)
{
	union proto_msg msg;
	ssize_t n;
	int fd;

	do {
		n = raw_recv(sock, &msg, &fd);
		if (fd >= 0)
			close(fd);
	} while (n > 0);
	return n == 0;
}

size_t raw_msg(union proto_msg *msg, unsigned type)
{
	size_t size = proto_init(msg, type);

	if (type == PROTO_HELLO) {
		snprintf(msg->hello.transport, sizeof(msg->hello.transport),
			 "shm");
		msg->hello.depth = RAW_DEPTH;
		msg->hello.bufs = RAW_BUFS;
		msg->hello.buf_size = RAW_BUF_SIZE;
	}
	return size;
}

void raw_open(struct raw *r, const char *name)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_HELLO);

	memset(r, 0, sizeof(*r));
	r->mem_fd = -1;
	r->sock = raw_socket(name);
	assert_true(r->sock >= 0);
	assert_int_equal(raw_send(r->sock, &msg, len, NULL, 0), 0);
	assert_int_equal(raw_recv(r->sock, &msg, &r->bell),
			 proto_size(PROTO_WELCOME));
	assert_int_equal(msg.answer.result, 0);
	assert_true(r->bell >= 0);
}

void raw_chan(struct raw *r)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_CHAN_OPEN);
	char *map;

	assert_int_equal(raw_send(r->sock, &msg, len, NULL, 0), 0);
	assert_int_equal(raw_recv(r->sock, &msg, &r->mem_fd),
			 proto_size(PROTO_CHAN));
	assert_int_equal(msg.answer.result, 0);
	r->chan = msg.answer.chan;
	map = mmap(NULL, shm_chan_size(RAW_DEPTH), PROT_READ | PROT_WRITE,
		   MAP_SHARED, r->mem_fd, 0);
	assert_true(map != MAP_FAILED);
	r->head = (void *)map;
	r->req = (void *)(map + shm_req_offset());
	r->rep = (void *)(map + shm_rep_offset(RAW_DEPTH));
}

int raw_bufs(struct raw *r, uint32_t chan)
{
	union proto_msg msg;
	size_t len = raw_msg(&msg, PROTO_BUFS_OPEN);
	int fd;

	msg.bufs_open.chan = chan;
	assert_int_equal(raw_send(r->sock, &msg, len, NULL, 0), 0);
	assert_int_equal(raw_recv(r->sock, &msg, &fd), proto_size(PROTO_BUFS));
	if (fd >= 0)
		close(fd);
	return msg.answer.result;
}

void raw_ring(struct raw *r)
{
	uint64_t one = 1;

	/* A full counter is the attacker's own doing. */
	if (write(r->bell, &one, sizeof(one)) < 0)
		assert_int_equal(errno, EAGAIN);
}

uint64_t raw_put(struct raw *r, uint32_t op, uint32_t flags, uint64_t ext)
{
	static const uint64_t none[SKYIPC_WORDS];
	uint64_t pos = r->pos++;
	struct shm_slot *slot = &r->req[pos % RAW_DEPTH];

	shm_put(slot, none, ext);
	atomic_store(&slot->head, shm_head(pos, flags, op));
	return pos;
}

uint64_t raw_reply(struct raw *r, uint64_t pos)
{
	uint64_t head = 0;

	atomic_store(&r->head->server.park, SHM_AWAKE);
	raw_ring(r);
	if (!WAIT_FOR(shm_ready(&r->rep[pos % RAW_DEPTH], pos, &head)))
		return 0;
	return head;
}

void raw_close(struct raw *r)
{
	if (r->head)
		munmap(r->head, shm_chan_size(RAW_DEPTH));
	if (r->mem_fd >= 0)
		close(r->mem_fd);
	close(r->bell);
	close(r->sock);
}

/* ---- an honest client --------------------------------------------------- */

static _Atomic uint64_t *rounds; /* shared */

static void honest_round(struct skyipc_conn *conn, uint64_t i)
{
	uint64_t in[SKYIPC_WORDS] = { i, 2 }, out[SKYIPC_WORDS];
	static char data[3000];
	int fds[2] = { 0, 1 }, back[2];
	struct skyipc_msg req = { .op = OP_ECHO, .data = data };
	struct skyipc_msg rep = { .nfds = 0 };

	for (int n = 0; n < 20; n++) {
		CHECK(!skyipc_call(conn, OP_ECHO, in, out, NULL,
				   LIMIT * slowness));
		CHECK(out[0] == i + 1 && out[1] == 3);
	}
	req.len = i % sizeof(data) + 1;
	pattern_fill(data, req.len, i);
	CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT * slowness));
	CHECK(rep.len == req.len && pattern_is(rep.data, rep.len, i));
	req = (struct skyipc_msg){ .op = OP_FDS_BACK, .fds = fds, .nfds = 2 };
	rep.fds = back;
	rep.nfds = 2;
	CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT * slowness));
	CHECK(rep.nfds == 2);
	close(back[0]);
	close(back[1]);
}

static int honest(struct child *me, void *arg)
{
	struct pollfd pfd = { .fd = me->from, .events = POLLIN };
	struct skyipc_conn *conn = NULL, *other;

	CHECK(!skyipc_connect(arg, NULL, &conn));
	for (uint64_t i = 0; !poll(&pfd, 1, 0); i++) {
		honest_round(conn, i);
		/* New connections are possible, too. */
		if (!(i & 15)) {
			CHECK(!skyipc_connect(arg, NULL, &other));
			honest_round(other, i);
			skyipc_close(other);
		}
		++*rounds;
		moment();
	}
	skyipc_close(conn);
	return 0;
}

void honest_start(struct child *c, const char *name)
{
	if (!rounds)
		rounds = mmap(NULL, sizeof(*rounds), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(rounds != MAP_FAILED);
	child_start(c, honest, (void *)name);
	honest_goes_on(c);
}

void honest_goes_on(struct child *c)
{
	uint64_t was = *rounds;

	(void)c;
	if (!WAIT_FOR(*rounds > was + 2))
		fail_msg("the honest client is stuck");
}

/* ---- a server to be attacked -------------------------------------------- */

char target_path[108];

void target_up(struct target *t, void **state,
	       const struct skyipc_server_attr *attr)
{
	struct skyipc_server_attr a = SKYIPC_SERVER_ATTR_INIT;
	const struct variant *v = *state;

	if (attr)
		a = *attr;
	a.handler = test_handler;
	a.mode = v ? v->mode : SKYIPC_ADAPTIVE;
	t->name = target_path[0] ? target_path : new_name();
	server_spawn(&t->server, t->name, &a);
	t->before = footprint_of(t->server.pid);
	honest_start(&t->honest, t->name);
}

void target_well(struct target *t, const char *what)
{
	struct skyipc_server_info info;

	honest_goes_on(&t->honest);
	if (child_end(&t->honest))
		fail_msg("%s: the honest client has failed", what);
	if (!WAIT_FOR_MS((query_of(t->name, &info), info.stats.conns == 0),
			 1000 * slowness))
		fail_msg("%s: %d connections are left", what,
			 (int)info.stats.conns);
	footprint_is(t->server.pid, &t->before, what);
	honest_start(&t->honest, t->name);
}

void target_down(struct target *t)
{
	target_well(t, "in the end");
	assert_int_equal(child_end(&t->honest), 0);
	/* Under ASan this is the check for leaks, too. */
	assert_int_equal(child_end(&t->server), 0);
}
