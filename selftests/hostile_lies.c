/* SPDX-License-Identifier: MIT */
#include "hostile_lies.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- a server -------------------------------------------------------------
 */

int teller_mem(size_t size, int seals)
{
	int fd = memfd_create("skyipc-liar", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size));
	CHECK(!seals || !fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void bufs(struct teller *t, uint32_t number)
{
	union proto_msg msg;
	size_t len = proto_init(&msg, PROTO_BUFS);
	int fd = teller_mem(bufs_bytes(RAW_BUFS, RAW_BUF_SIZE), SEALED);

	msg.answer.chan = number;
	raw_send(t->sock, &msg, len, &fd, 1);
	close(fd);
}

static void hear(struct teller *t, const struct teller_ops *ops)
{
	union proto_msg msg;
	int fd;

	if (raw_recv(t->sock, &msg, &fd) <= 0) {
		close(t->sock);
		t->sock = -1;
		return;
	}
	if (fd >= 0)
		close(fd);
	switch (msg.head.type) {
	case PROTO_HELLO:
		ops->welcome(t, &msg.hello);
		break;
	case PROTO_CHAN_OPEN:
		ops->chan(t);
		break;
	case PROTO_BUFS_OPEN:
		bufs(t, msg.bufs_open.chan);
		break;
	}
}

static void path_of(struct sockaddr_un *addr, const char *name)
{
	addr->sun_family = AF_UNIX;
	snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s.sock",
		 getenv("SKYIPC_DIR"), name);
}

void teller_run(struct child *me, struct teller *t,
		const struct teller_ops *ops)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	bool again = false;

	signal(SIGPIPE, SIG_IGN);
	path_of(&addr, t->name);
	unlink(addr.sun_path);
	CHECK(!bind(s, (void *)&addr, sizeof(addr)) && !listen(s, 5));
	child_say(me, 0);
	t->sock = -1;
	for (;;) {
		struct pollfd pfd[3] = { { me->from, POLLIN, 0 },
					 { s, POLLIN, 0 },
					 { t->sock, POLLIN, 0 } };

		poll(pfd, 3, again ? 0 : -1);
		if (pfd[0].revents)
			return;
		if (pfd[1].revents && t->sock < 0)
			t->sock = accept4(s, NULL, NULL, SOCK_CLOEXEC);
		else if (pfd[2].revents)
			hear(t, ops);
		if (ops->look)
			again = ops->look(t);
	}
}

/* ---- who is lied to -------------------------------------------------------
 */

void lied_begin(struct lied *l, int lie, const char *name,
		int (*server)(struct child *, void *), void *arg)
{
	l->name = name;
	l->lie = lie;
	child_start(&l->server, server, arg);
	child_hear(&l->server);
	l->before = footprint_of(getpid());
	l->begin = time_ns();
}

void lied_attr(struct skyipc_connect_attr *attr)
{
	attr->depth = RAW_DEPTH;
	attr->bufs = RAW_BUFS;
	attr->buf_size = RAW_BUF_SIZE;
}

void lied_calls(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = 1 }, msgs[3];
	int n;

	memset(msgs, 0, sizeof(msgs));
	for (int i = 0; i < 3; i++)
		if (skyipc_submit(conn, &req))
			return;
	for (int i = 0; i < 10; i++) {
		n = skyipc_wait(conn, msgs, 3, 3, SKYIPC_MS(50));
		if (n == -ENOENT || n == -ETIMEDOUT)
			break;
	}
}

void lied_end(struct lied *l, uint64_t ns)
{
	const uint64_t took = time_ns() - l->begin;
	struct sockaddr_un addr;

	if (took > ns * slowness)
		fail_msg("lie %d: %u ms", l->lie, (unsigned)(took / 1000000));
	footprint_is(getpid(), &l->before, "after a lie");
	child_kill(&l->server);
	path_of(&addr, l->name);
	unlink(addr.sun_path);
}

void lied_beside_honest(void **state, void (*against)(int), const int *lies,
			size_t n)
{
	struct skyipc_conn *conn;
	struct target t;

	target_up(&t, state, NULL);
	conn = connect_to(t.name, NULL);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
		against(lies[i]);
		assert_int_equal(ask(conn, OP_ECHO, i, 0), i + 1);
	}
	skyipc_close(conn);
	target_down(&t);
}
