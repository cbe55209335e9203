/* SPDX-License-Identifier: MIT */
/*
 * rendezvous_test.c - the first words of a connection, when they go otherwise
 *
 * Another version, a name that has to be waited for, a listener that hangs up
 * or never answers, no room for what the server has given.
 */
#include "hostile.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct skyipc_server_attr plain = {
	.size = sizeof(struct skyipc_server_attr),
	.handler = test_handler,
};

/* ---- a listener by hand ------------------------------------------------- */

struct listener {
	struct sockaddr_un addr;
	int sock;
};

static void listener_up(struct listener *l, const char *name)
{
	memset(l, 0, sizeof(*l));
	l->addr.sun_family = AF_UNIX;
	snprintf(l->addr.sun_path, sizeof(l->addr.sun_path), "%s/%s.sock",
		 getenv("SKYIPC_DIR"), name);
	l->sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(l->sock >= 0);
	assert_int_equal(bind(l->sock, (void *)&l->addr, sizeof(l->addr)), 0);
	assert_int_equal(listen(l->sock, 5), 0);
}

/* Somebody has connected. */
static void listener_called(const struct listener *l)
{
	struct pollfd pfd = { .fd = l->sock, .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, (int)(LIMIT_MS * slowness)), 1);
}

/* ... and has said a @type. */
static int listener_hear(const struct listener *l, unsigned type)
{
	union proto_msg msg;
	int sock, fd;

	listener_called(l);
	sock = accept4(l->sock, NULL, NULL, SOCK_CLOEXEC);
	assert_true(sock >= 0);
	assert_int_equal(raw_recv(sock, &msg, &fd), proto_size(type));
	assert_int_equal(msg.head.type, type);
	return sock;
}

static void listener_down(struct listener *l)
{
	assert_int_equal(unlink(l->addr.sun_path), 0);
	close(l->sock);
}

/* ---- another version ---------------------------------------------------- */

static void other_version(void **state)
{
	static const uint16_t versions[] = { 0, PROTO_VERSION + 1, UINT16_MAX };
	/* Its messages may be of any size and type. */
	static const struct {
		uint16_t type;
		size_t len;
	} first[] = {
		{ PROTO_HELLO, sizeof(struct proto_hello) },
		{ PROTO_HELLO, sizeof(struct proto_head) },
		{ PROTO_HELLO, sizeof(union proto_msg) },
		{ PROTO_HELLO, sizeof(union proto_msg) + 100 },
		{ PROTO_QUERY, sizeof(struct proto_query) },
		{ 999, 100 },
	};
	struct skyipc_server_info info;
	const char *name = new_name();
	struct {
		union proto_msg msg;
		char more[100];
	} sent = { .more = "" };
	union proto_msg msg;
	unsigned n = 0;
	char ours[32];
	struct child c;
	struct raw r;
	int sock, fd;

	(void)state;
	snprintf(ours, sizeof(ours), "version %u", PROTO_VERSION);
	server_spawn(&c, name, &plain);
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		for (size_t i = 0; i < ARRAY_LEN(first); i++, n++) {
			sock = raw_socket(name);
			assert_true(sock >= 0);
			raw_msg(&sent.msg, PROTO_HELLO);
			sent.msg.head.type = first[i].type;
			sent.msg.head.version = versions[v];
			assert_int_equal(
				raw_send(sock, &sent, first[i].len, NULL, 0),
				0);
			assert_int_equal(raw_recv(sock, &msg, &fd),
					 proto_size(PROTO_WELCOME));
			assert_int_equal(fd, -1);
			assert_int_equal(msg.head.magic, PROTO_MAGIC);
			assert_int_equal(msg.head.type, PROTO_WELCOME);
			assert_int_equal(msg.head.version, PROTO_VERSION);
			assert_int_equal(msg.answer.result, -EPROTONOSUPPORT);
			assert_non_null(strstr(msg.answer.text, ours));
			/* That was all. */
			assert_int_equal(raw_recv(sock, &msg, &fd), 0);
			close(sock);
		}
	}
	/* Who has been welcomed and changes his mind is told nothing. */
	raw_open(&r, name);
	raw_msg(&msg, PROTO_CHAN_OPEN);
	msg.head.version++;
	assert_int_equal(raw_send(r.sock, &msg, sizeof(msg.chan_open), NULL, 0),
			 0);
	assert_int_equal(raw_recv(r.sock, &msg, &fd), 0);
	raw_close(&r);
	assert_true(WAIT_FOR((query_of(name, &info), info.stats.conns == 0)));
	assert_int_equal(info.stats.refused, n);
	assert_int_equal(child_end(&c), 0);
}

/* ---- waiting for a name ------------------------------------------------- */

enum how { CONNECT, QUERY, WAIT };

struct connector {
	pthread_t thread;
	_Atomic int tid;
	const char *name;
	struct skyipc_connect_attr attr;
	struct skyipc_conn *conn;
	enum how how;
	int err;
	int said_why;
};

static void *connector(void *arg)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct connector *c = arg;

	c->tid = gettid();
	if (c->how == QUERY)
		c->err = skyipc_query(c->name, &info, NULL, NULL,
				      LIMIT * slowness);
	else
		c->err = skyipc_connect(c->name, &c->attr, &c->conn);
	c->said_why = skyipc_errmsg()[0] != '\0';
	return NULL;
}

static void connector_start(struct connector *c, const char *name, enum how how)
{
	memset(c, 0, sizeof(*c));
	c->name = name;
	c->attr.size = sizeof(c->attr);
	c->attr.wait = how == WAIT;
	c->attr.timeout_ns = LIMIT * slowness;
	c->how = how;
	assert_int_equal(pthread_create(&c->thread, NULL, connector, c), 0);
}

/* A name that does not come, and one that does: a new one, a dead server's. */
static void wait_name(void **state)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr),
					    .wait = 1,
					    .timeout_ns = 20000000 };
	const char *name = new_name();
	struct skyipc_conn *conn;
	struct connector c;
	struct child s;

	(void)state;
	for (int stale_first = 0; stale_first < 2; stale_first++) {
		if (stale_first) {
			server_spawn(&s, name, &plain);
			child_kill(&s);
		}
		assert_int_equal(skyipc_connect(name, &attr, &conn),
				 -ETIMEDOUT);
		connector_start(&c, name, WAIT);
		assert_true(
			WAIT_FOR(c.tid && state_of(getpid(), c.tid) == 'S'));
		server_spawn(&s, name, &plain);
		pthread_join(c.thread, NULL);
		assert_int_equal(c.err, 0);
		assert_int_equal(ask(c.conn, OP_ECHO, 1, 0), 2);
		skyipc_close(c.conn);
		assert_int_equal(child_end(&s), 0);
	}
}

/* ---- a listener hangs up ------------------------------------------------ */

enum when { UNACCEPTED, AT_ONCE, UNHEARD, HEARD, WHENS };

/* A server that stops, seen by a client at @when. */
static void hang_up(const char *name, enum when when, enum how how,
		    struct connector *c)
{
	struct pollfd pfd = { .events = POLLIN };
	struct listener l;
	int sock = -1;

	listener_up(&l, name);
	connector_start(c, name, how);
	listener_called(&l);
	switch (when) {
	case UNACCEPTED: /* but all has been said */
		assert_true(
			WAIT_FOR(c->tid && state_of(getpid(), c->tid) == 'S'));
		break;
	case HEARD:
		sock = listener_hear(&l,
				     how == QUERY ? PROTO_QUERY : PROTO_HELLO);
		break;
	default:
		sock = accept4(l.sock, NULL, NULL, SOCK_CLOEXEC);
		assert_true(sock >= 0);
		pfd.fd = sock;
		if (when == UNHEARD)
			assert_int_equal(
				poll(&pfd, 1, (int)(LIMIT_MS * slowness)), 1);
	}
	listener_down(&l);
	if (sock >= 0)
		close(sock);
}

/* The next one is waited for ... */
static void successor(void **state)
{
	const char *name = new_name();
	struct connector c;
	struct child s;

	(void)state;
	for (int when = 0; when < WHENS; when++) {
		hang_up(name, (enum when)when, WAIT, &c);
		server_spawn(&s, name, &plain);
		pthread_join(c.thread, NULL);
		assert_int_equal(c.err, 0);
		assert_int_equal(ask(c.conn, OP_ECHO, 1, 0), 2);
		skyipc_close(c.conn);
		assert_int_equal(child_end(&s), 0);
	}
}

/* ... by those who want to wait. */
static void no_successor(void **state)
{
	const char *name = new_name();
	struct connector c;

	(void)state;
	for (int when = 0; when < WHENS; when++) {
		for (int how = CONNECT; how <= QUERY; how++) {
			hang_up(name, (enum when)when, (enum how)how, &c);
			pthread_join(c.thread, NULL);
			assert_int_equal(c.err, -ECONNREFUSED);
			assert_true(c.said_why);
		}
	}
}

/* ---- no address space --------------------------------------------------- */

#define LARGE (32u << 20)

static uint64_t address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	CHECK(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * A channel of half a megabyte, and less room than that (malloc() has its own
 * already): the server makes one, however often it is tried.
 */
static int cramped_channel(struct child *me, void *arg)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr),
					    .depth = 4096 };
	uint64_t was;
	struct skyipc_conn *conn;
	struct skyipc_stats stats;
	int before, none = fds_open(getpid());

	(void)me;
	for (int round = 0; round < 2; round++) {
		CHECK(!skyipc_connect(arg, &attr, &conn));
		before = fds_open(getpid());
		was = set_limit(RLIMIT_AS, address_space() + (256u << 10));
		for (int i = 0; i < 20; i++) {
			CHECK(skyipc_call(conn, OP_ECHO, NULL, NULL, NULL,
					  LIMIT) == -ENOMEM);
			CHECK(fds_open(getpid()) == before + 1);
		}
		set_limit(RLIMIT_AS, was);
		/* (If it never comes to that, it ends with the connection.) */
		if (!round) {
			CHECK(!skyipc_call(conn, OP_ECHO, NULL, NULL, NULL,
					   LIMIT));
			CHECK(fds_open(getpid()) == before);
			conn_stats_of(conn, &stats);
			child_say(me, (int64_t)stats.mem);
			child_hear(me);
		}
		skyipc_close(conn);
		CHECK(fds_open(getpid()) == none);
	}
	return 0;
}

static void no_room_at_all(void **state)
{
	struct skyipc_server_info info;
	const char *name = new_name();
	struct child s, c;
	int64_t mem;

	(void)state;
	over_shm_only();
	if (under_asan() || under_tsan() || under_valgrind())
		skip();
	server_spawn(&s, name, &plain);
	child_start(&c, cramped_channel, (void *)name);
	/* The server has what the client has. */
	mem = child_hear(&c);
	query_of(name, &info);
	assert_int_equal(info.stats.mem, mem);
	child_say(&c, 0);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(child_end(&s), 0);
}

static int cramped(struct child *me, void *arg)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr),
					    .buf_size = LARGE,
					    .bufs = 1 };
	struct skyipc_msg req = { .op = OP_ECHO }, rep = { .op = 0 };
	uint64_t was;
	struct skyipc_conn *conn;
	int before, none = fds_open(getpid());
	char data[5000];

	(void)me;
	CHECK(!skyipc_connect(arg, &attr, &conn));
	CHECK(!skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT));
	before = fds_open(getpid());
	was = set_limit(RLIMIT_AS, address_space() + LARGE);
	for (int i = 0; i < 20; i++) {
		CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == -ENOMEM);
		CHECK(skyipc_errmsg()[0]);
		/* What was given is kept, and that once. */
		CHECK(fds_open(getpid()) == before + 1);
		CHECK(!skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT));
	}
	set_limit(RLIMIT_AS, was);
	for (int i = 0; i < 20; i++) {
		req.data = data;
		req.len = sizeof(data) - (size_t)i;
		pattern_fill(data, req.len, (uint64_t)i);
		CHECK(!skyipc_call_msg(conn, &req, &rep, LIMIT));
		CHECK(rep.len == req.len);
		CHECK(pattern_is(rep.data, rep.len, (uint64_t)i));
		CHECK(fds_open(getpid()) == before);
	}
	skyipc_close(conn);
	/* If it never comes to that, the end of the connection is theirs. */
	CHECK(!skyipc_connect(arg, &attr, &conn));
	CHECK(!skyipc_call(conn, OP_ECHO, NULL, NULL, NULL, LIMIT));
	before = fds_open(getpid());
	was = set_limit(RLIMIT_AS, address_space() + LARGE);
	CHECK(skyipc_call_msg(conn, &req, &rep, LIMIT) == -ENOMEM);
	CHECK(fds_open(getpid()) == before + 1);
	set_limit(RLIMIT_AS, was);
	skyipc_close(conn);
	CHECK(fds_open(getpid()) == none);
	return 0;
}

static void no_room(void **state)
{
	struct skyipc_server_info info;
	const char *name = new_name();
	struct child s, c;

	(void)state;
	/* They need address space of their own. */
	if (under_asan() || under_tsan() || under_valgrind())
		skip();
	server_spawn(&s, name, &plain);
	child_start(&c, cramped, (void *)name);
	assert_int_equal(child_end(&c), 0);
	assert_true(WAIT_FOR((query_of(name, &info), info.stats.mem == 0)));
	assert_int_equal(child_end(&s), 0);
}

/* ---- fork() meanwhile --------------------------------------------------- */

struct asker {
	const char *name;
	int query;
};

static void *never_answered(void *arg)
{
	struct skyipc_connect_attr attr = { .size = sizeof(attr),
					    .timeout_ns = SKYIPC_FOREVER };
	struct skyipc_server_info info = { .size = sizeof(info) };
	const struct asker *a = arg;
	struct skyipc_conn *conn;

	if (a->query)
		skyipc_query(a->name, &info, NULL, NULL, SKYIPC_FOREVER);
	else
		skyipc_connect(a->name, &attr, &conn);
	abort(); /* it is killed before */
}

static int asks_and_forks(struct child *me, void *arg)
{
	int before = fds_open(getpid());
	pthread_t thread;
	pid_t pid;

	CHECK(!pthread_create(&thread, NULL, never_answered, arg));
	child_hear(me);
	pid = fork();
	if (!pid) {
		CHECK(fds_open(getpid()) == before);
		child_await_end(me); /* outlives its parent, not the test */
		_exit(0);
	}
	child_say(me, pid);
	child_await_end(me);
	return 0;
}

/* A process's death is heard although its child lives. */
static void forks(void **state)
{
	struct asker a = { .name = new_name() };
	struct listener l;
	struct child c;
	pid_t pid;
	int sock;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	listener_up(&l, a.name);
	for (a.query = 0; a.query < 2; a.query++) {
		child_start(&c, asks_and_forks, &a);
		/* From here on it waits for the answer. */
		sock = listener_hear(&l, a.query ? PROTO_QUERY : PROTO_HELLO);
		child_say(&c, 1);
		pid = (pid_t)child_hear(&c);
		assert_true(pid > 0);
		kill(c.pid, SIGKILL);
		assert_int_equal(wait_exit(c.pid), 1000 + SIGKILL);
		assert_true(raw_dropped(sock));
		close(sock);
		c.pid = pid;
		assert_int_equal(child_end(&c), 0);
	}
	listener_down(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_version),
		cmocka_unit_test(wait_name),
		cmocka_unit_test(successor),
		cmocka_unit_test(no_successor),
		cmocka_unit_test(no_room_at_all),
		cmocka_unit_test(no_room),
		cmocka_unit_test(forks),
	};

	return run_variants("rendezvous", tests, ARRAY_LEN(tests), 0);
}
