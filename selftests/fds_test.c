/* SPDX-License-Identifier: MIT */
/* fds_test.c - descriptors with requests and replies: who has which, and when
 * they are closed */
#include "testlib.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int files[SKYIPC_MAX_FDS + 1];

/* Different files, so that order and identity can be seen. */
static void open_files(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		char text[16];

		files[i] = memfd_create("file", MFD_CLOEXEC);
		assert_true(files[i] >= 0);
		snprintf(text, sizeof(text), "%u", i);
		assert_true(write(files[i], text, strlen(text) + 1) > 0);
	}
}

static void close_files(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(files); i++)
		close(files[i]);
}

static unsigned number_of(int fd)
{
	char text[16] = "";

	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	return (unsigned)strtoul(text, NULL, 10);
}

static uint64_t inodes(unsigned n)
{
	uint64_t sum = 0;
	struct stat st;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(fstat(files[i], &st), 0);
		sum += st.st_ino;
	}
	return sum;
}

static int send_n(struct skyipc_conn *conn, uint32_t op, uint32_t n,
		  struct skyipc_msg *rep, uint64_t w0)
{
	struct skyipc_msg req = {
		.op = op, .fds = files, .nfds = n, .w = { w0 }
	};

	return skyipc_call_msg(conn, &req, rep, LIMIT * slowness);
}

static const uint32_t counts[] = { 0, 1, 2, 64, SKYIPC_MAX_FDS };

/* What both sides have open now, to be compared later. */
struct open_now {
	int client;
	uint64_t server;
};

static struct open_now count(struct fixture *f)
{
	struct open_now n;

	n.server = ask(f->conn, OP_FDS_OPEN, 0, 0);
	n.client = fds_open(getpid());
	return n;
}

static void assert_same(struct fixture *f, struct open_now before)
{
	struct open_now now = count(f);

	assert_int_equal(now.server, before.server);
	assert_int_equal(now.client, before.client);
}

static void to_server(void **state)
{
	struct open_now before;
	struct skyipc_msg rep = { .op = 0 };
	struct fixture f;

	open_files();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 1, &rep, 0), 0);
	before = count(&f);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		assert_int_equal(send_n(f.conn, OP_FDS_IN, counts[i], &rep, 0),
				 0);
		assert_int_equal(rep.status, 0);
		assert_int_equal(rep.w[0], counts[i]);
		assert_true(rep.w[1] == inodes(counts[i]));
		/* Ours are still ours. */
		for (unsigned k = 0; k < counts[i]; k++)
			assert_int_equal(number_of(files[k]), k);
	}
	assert_int_equal(send_n(f.conn, OP_FDS_IN, SKYIPC_MAX_FDS + 1, &rep, 0),
			 -EINVAL);
	assert_same(&f, before);
	fixture_down(&f);
	close_files();
}

static void kept(void **state)
{
	struct skyipc_msg rep = { .op = 0 };
	struct open_now before;
	struct fixture f;

	open_files();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 1, &rep, 0), 0);
	before = count(&f);
	for (unsigned i = 0; i < 3; i++) {
		/* 7 are kept, 3 are not */
		assert_int_equal(send_n(f.conn, OP_FDS_KEEP, 10, &rep, 3), 0);
		assert_int_equal(rep.w[0], 7 * (i + 1));
		assert_int_equal(ask(f.conn, OP_FDS_OPEN, 0, 0),
				 before.server + 7 * (i + 1));
	}
	ask(f.conn, OP_FDS_DROP, 0, 0);
	assert_same(&f, before);
	fixture_down(&f);
	close_files();
}

static void back(void **state)
{
	int got[SKYIPC_MAX_FDS + 1];
	struct skyipc_msg rep = { .op = 0 };
	struct open_now before;
	struct fixture f;

	open_files();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 1, &rep, 0), 0);
	before = count(&f);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		/* room for all, for one less, for none at all */
		for (unsigned less = 0; less < 3; less++) {
			unsigned room = counts[i], want;

			rep.fds = less == 2 ? NULL : got;
			if (less == 1 && room)
				room--;
			rep.nfds = room;
			want = less == 2 ? 0 : room;
			memset(got, 0xff, sizeof(got));
			assert_int_equal(
				send_n(f.conn, OP_FDS_BACK, counts[i], &rep, 0),
				0);
			assert_int_equal(rep.nfds, want);
			for (unsigned k = 0; k < want; k++) {
				assert_int_equal(number_of(got[k]), k);
				assert_int_equal(fcntl(got[k], F_GETFD),
						 FD_CLOEXEC);
				close(got[k]);
			}
			assert_int_equal(got[want], -1);
		}
	}
	assert_same(&f, before);
	fixture_down(&f);
	close_files();
}

static void made(void **state)
{
	struct skyipc_msg req = { .op = OP_FDS_MAKE }, rep = { .op = 0 };
	int got[SKYIPC_MAX_FDS];
	struct open_now before;
	struct fixture f;

	fixture_up(&f, state, NULL, NULL);
	req.w[0] = 1;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	before = count(&f);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		for (uint64_t how = 0; how < 4; how++) {
			req.w[0] = counts[i];
			req.w[1] = how & 1;  /* an array of its own */
			req.w[2] = how >> 1; /* SKYIPC_CLOSE_FDS */
			rep.fds = got;
			rep.nfds = SKYIPC_MAX_FDS;
			assert_int_equal(
				skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
			assert_int_equal(rep.status, 0);
			assert_int_equal(rep.nfds, counts[i]);
			for (unsigned k = 0; k < rep.nfds; k++)
				close(got[k]);
		}
	/* skyipc_call_fds() refuses; an array of one too many is refused */
	req.w[0] = SKYIPC_MAX_FDS + 1;
	req.w[1] = 0;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), 0);
	assert_int_equal(rep.status, -ENOBUFS);
	req.w[1] = 1;
	assert_int_equal(skyipc_call_msg(f.conn, &req, &rep, LIMIT), -EINVAL);

	/* A short call has room for none: they are closed, and that is all. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(f.conn, OP_FDS_MAKE, 5, 0), 0);
	assert_int_equal(ask(f.conn, OP_ECHO, 3, 0), 4);
	assert_same(&f, before);
	fixture_down(&f);
}

static void not_open(void **state)
{
	struct skyipc_msg rep = { .op = 0 };
	struct open_now before;
	struct fixture f;

	open_files();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 1, &rep, 0), 0);
	before = count(&f);
	close(files[3]);
	assert_int_equal(send_n(f.conn, OP_COUNT, 10, &rep, 0), -EBADF);
	assert_true(skyipc_errmsg()[0]);
	files[3] = -1;
	for (int i = 0; i < 20; i++) /* more often than there are buffers */
		assert_int_equal(send_n(f.conn, OP_COUNT, 10, &rep, 0), -EBADF);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 3, &rep, 0), 0);
	assert_int_equal(rep.w[0], 3);
	files[3] = dup(files[0]);
	assert_same(&f, before);
	fixture_down(&f);
	close_files();
}

/* Many under way at once, with long parts, reaped in order. */
static void many(void **state)
{
	struct skyipc_msg req = { .op = OP_FDS_BACK }, rep[8];
	int got[8][SKYIPC_MAX_FDS];
	struct open_now before;
	struct fixture f;

	memset(rep, 0, sizeof(rep));
	open_files();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 1, &rep[0], 0), 0);
	before = count(&f);
	for (unsigned round = 0; round < 20 / slowness + 1; round++) {
		for (unsigned i = 0; i < 8; i++) {
			memset(&rep[i], 0, sizeof(rep[i]));
			rep[i].fds = got[i];
			rep[i].nfds = SKYIPC_MAX_FDS;
			req.fds = files + i;
			req.nfds = 1 + i * 4;
			req.tag = i;
			assert_int_equal(skyipc_submit(f.conn, &req), 0);
		}
		assert_int_equal(skyipc_wait(f.conn, rep, 8, 8, LIMIT), 8);
		for (unsigned i = 0; i < 8; i++) {
			assert_int_equal(rep[i].result, 0);
			assert_int_equal(rep[i].nfds, 1 + i * 4);
			for (unsigned k = 0; k < rep[i].nfds; k++) {
				assert_int_equal(number_of(got[i][k]), i + k);
				close(got[i][k]);
			}
		}
	}
	assert_same(&f, before);
	fixture_down(&f);
	close_files();
}

/* Those of calls that nobody waits for any longer are closed, on both sides. */
static void abandoned(void **state)
{
	const struct variant *v = *state;
	struct skyipc_server_attr attr = { .size = sizeof(attr),
					   .mode = v->mode,
					   .handler = test_handler };
	struct skyipc_msg req = { .op = OP_FDS_BACK, .fds = files, .nfds = 5 };
	struct skyipc_msg rep = { .op = 0 };
	const char *name = new_name();
	struct skyipc_server *server;
	struct skyipc_conn *conn;
	struct skyipc_msg blocker = { .op = OP_BLOCK };
	int before;

	open_files();
	server = server_here(name, &attr);
	conn = connect_to(name, NULL);
	assert_int_equal(send_n(conn, OP_FDS_IN, 1, &rep, 0), 0);
	before = fds_open(getpid());
	for (int i = 0; i < 5; i++) {
		assert_int_equal(skyipc_submit(conn, &blocker), 0);
		assert_int_equal(
			skyipc_call_msg(conn, &req, &rep, SKYIPC_MS(2)),
			-ETIMEDOUT);
		test_unblock(1);
		assert_int_equal(skyipc_wait(conn, &rep, 1, 1, LIMIT), 1);
		ask(conn, OP_ECHO, 0, 0);
	}
	assert_int_equal(fds_open(getpid()), before);
	/* Submitted, answered, never reaped: closed with the connection. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(skyipc_submit(conn, &req), 0);
	ask(conn, OP_ECHO, 0, 0);
	skyipc_close(conn);
	assert_int_equal(skyipc_server_stop(server, LIMIT), 0);
	skyipc_server_destroy(server);
	close_files();
	conn = NULL;
}

/* More than one thread's worth of descriptors in flight at a time. */
static void *many_fds(void *arg)
{
	struct skyipc_msg req = { .op = OP_FDS_IN, .fds = files, .nfds = 200 };
	struct skyipc_msg rep = { .op = 0 };
	int err;

	for (unsigned i = 0; i < 30 / slowness + 1; i++) {
		err = skyipc_call_msg(arg, &req, &rep, LIMIT * slowness);
		/* a quota, which costs this call and nothing else */
		if (err == -EDQUOT)
			continue;
		CHECK(err == 0);
		CHECK(rep.w[0] == 200);
	}
	return NULL;
}

/*
 * In the module each thread that calls has a descriptor, and each worker; with
 * views two, and a worker for each.
 */
static void assert_few_more(struct fixture *f, struct open_now before, int n)
{
	struct open_now now = count(f);

	if (!strcmp(f->v->transport, "shm"))
		n = 0;
	if (!strcmp(f->v->transport, "vmfunc"))
		n *= 2;
	assert_in_range(now.server, before.server, before.server + n);
	assert_in_range(now.client, before.client, before.client + n);
}

static void threads(void **state)
{
	struct open_now before;
	struct skyipc_msg rep = { .op = 0 };
	pthread_t thread[4];
	struct fixture f;

	open_files();
	fixture_up(&f, state, NULL, NULL);
	assert_int_equal(send_n(f.conn, OP_FDS_IN, 1, &rep, 0), 0);
	before = count(&f);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, many_fds, f.conn), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_few_more(&f, before, 4);
	fixture_down(&f);
	close_files();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_server), cmocka_unit_test(kept),
		cmocka_unit_test(back),	     cmocka_unit_test(made),
		cmocka_unit_test(not_open),  cmocka_unit_test(many),
		cmocka_unit_test(abandoned), cmocka_unit_test(threads),
	};
	struct rlimit rl;

	/* Both sides in one process need more than the usual 1024. */
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max < 4096 ? rl.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &rl);
	return run_variants("descriptors", tests, ARRAY_LEN(tests), BY_MODE);
}
