/* SPDX-License-Identifier: MIT */
/* unit_test.c - the parts that need no second process */
#include "testlib.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "clock.h"
#include "fdq.h"
#include "hist.h"
#include "info.h"
#include "memfd.h"
#include "name.h"
#include "proto.h"
#include "query.h"
#include "quota.h"
#include "flags.h"
#include "shm_layout.h"

/* ---- histogram ---------------------------------------------------------- */

static void hist_buckets(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SKYIPC_HIST_BUCKETS - 1; i++) {
		assert_int_equal(hist_index(hist_upper(i)), i);
		assert_int_equal(hist_index(hist_upper(i) + 1), i + 1);
		assert_true(hist_upper(i) < hist_upper(i + 1));
	}
	assert_int_equal(hist_index(0), 0);
	assert_int_equal(hist_index(UINT64_MAX), SKYIPC_HIST_BUCKETS - 1);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void hist_quantiles(void **state)
{
	static const double qs[] = { 0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
	static struct skyipc_hist h, sum;
	static uint64_t v[10000];
	uint64_t x = 88172645463325252u;

	(void)state;
	assert_true(skyipc_hist_quantile(&h, 0.5) == 0);
	for (unsigned i = 0; i < ARRAY_LEN(v); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[i] = x >> (24 + i % 40); /* all magnitudes up to 2^40 */
		hist_record(&h, v[i]);
	}
	qsort(v, ARRAY_LEN(v), sizeof(v[0]), ascending);
	assert_true(h.count == ARRAY_LEN(v));
	assert_true(h.max_ns == v[ARRAY_LEN(v) - 1]);
	for (unsigned i = 0; i < ARRAY_LEN(qs); i++) {
		unsigned rank = (unsigned)(qs[i] * ARRAY_LEN(v) + 0.5);
		uint64_t truth = v[rank ? rank - 1 : 0];
		uint64_t told = skyipc_hist_quantile(&h, qs[i]);

		assert_true(told >= truth);
		assert_true(told - truth <= truth / 8);
	}
	assert_true(skyipc_hist_quantile(&h, -1) ==
		    skyipc_hist_quantile(&h, 0));
	assert_true(skyipc_hist_quantile(&h, 2) == skyipc_hist_quantile(&h, 1));
	assert_true(skyipc_hist_quantile(&h, 1) == h.max_ns);
	hist_merge(&sum, &h);
	hist_merge(&sum, &h);
	assert_true(sum.count == 2 * h.count && sum.max_ns == h.max_ns);
	assert_true(skyipc_hist_quantile(&sum, 0.5) ==
		    skyipc_hist_quantile(&h, 0.5));
}

/* ---- messages of the rendezvous ----------------------------------------- */

static void proto(void **state)
{
	union proto_msg m;

	(void)state;
	assert_int_equal(proto_size(0), 0);
	assert_int_equal(proto_size(PROTO_FDS + 1), 0);
	assert_int_equal(proto_size(UINT32_MAX), 0);
	for (unsigned type = PROTO_HELLO; type <= PROTO_FDS; type++) {
		size_t len = proto_init(&m, (enum proto_type)type);

		assert_in_range(len, sizeof(m.head), sizeof(m));
		assert_int_equal(proto_check(&m, len), type);
		for (size_t wrong = 0; wrong <= sizeof(m); wrong++)
			if (wrong != len)
				assert_int_equal(proto_check(&m, wrong),
						 -EPROTO);
		m.head.version++;
		assert_int_equal(proto_check(&m, len), -EPROTONOSUPPORT);
		proto_init(&m, (enum proto_type)type);
		m.head.magic ^= 1;
		assert_int_equal(proto_check(&m, len), -EPROTO);
		proto_init(&m, (enum proto_type)type);
		m.head.type = PROTO_FDS + 1;
		assert_int_equal(proto_check(&m, len), -EPROTO);
	}
	proto_init(&m, PROTO_HELLO);
	memset(m.hello.transport, 'x', sizeof(m.hello.transport));
	assert_int_equal(proto_check(&m, sizeof(m.hello)), PROTO_HELLO);
	assert_int_equal(strlen(m.hello.transport),
			 sizeof(m.hello.transport) - 1);
	for (unsigned type = PROTO_WELCOME; type <= PROTO_BUFS; type++) {
		static const int32_t results[] = { 0,	  -1,	 -4095,	   1,
						   -4096, 12345, INT32_MIN };
		size_t len = proto_init(&m, (enum proto_type)type);

		memset(m.answer.text, 'x', sizeof(m.answer.text));
		if (type == PROTO_WELCOME)
			memset(m.welcome.transport, 'x',
			       sizeof(m.welcome.transport));
		for (unsigned i = 0; i < ARRAY_LEN(results); i++) {
			m.answer.result = results[i];
			assert_int_equal(proto_check(&m, len),
					 i < 3 ? (int)type : -EPROTO);
		}
		assert_int_equal(strlen(m.answer.text),
				 sizeof(m.answer.text) - 1);
		if (type == PROTO_WELCOME)
			assert_int_equal(strlen(m.welcome.transport),
					 sizeof(m.welcome.transport) - 1);
	}
}

/* ---- the layout --------------------------------------------------------- */

static void layout(void **state)
{
	(void)state;
	for (uint32_t depth = 2; depth <= SHM_DEPTH_MAX; depth *= 2) {
		assert_int_equal(shm_req_offset() % 64, 0);
		assert_int_equal(shm_rep_offset(depth) % 128, 0);
		assert_true(shm_rep_offset(depth) >=
			    shm_req_offset() + depth * sizeof(struct shm_slot));
		assert_int_equal(shm_chan_size(depth) % 4096, 0);
		assert_true(shm_chan_size(depth) >=
			    shm_rep_offset(depth) +
				    depth * sizeof(struct shm_slot));
		/* No two positions of a slot in a row look alike. */
		for (uint64_t pos = 0; pos < 300000; pos += 4097)
			assert_int_not_equal(shm_seq(pos),
					     shm_seq(pos + depth));
	}
	for (uint64_t pos = 65530; pos < 65540; pos++) {
		uint64_t head = shm_head(pos, 0xffff, 0xdeadbeef), seen;
		struct shm_slot slot;

		assert_int_equal(shm_head_flags(head), 0xffff);
		assert_int_equal(shm_head_code(head), 0xdeadbeef);
		atomic_store(&slot.head, head);
		assert_true(shm_ready(&slot, pos, &seen) && seen == head);
		assert_false(shm_ready(&slot, pos + 1, &seen));
		assert_false(shm_ready(&slot, pos - 1, &seen));
		assert_true(shm_ready_sc(&slot, pos));
	}
	assert_true(bufs_bytes(4096, BUF_SIZE_MAX) ==
		    UINT64_C(2) * 4096 * BUF_SIZE_MAX);
	assert_int_equal(roundup_pow2(0), 1);
	assert_int_equal(roundup_pow2(1), 1);
	assert_int_equal(roundup_pow2(2), 2);
	assert_int_equal(roundup_pow2(3), 4);
	assert_int_equal(roundup_pow2(4096), 4096);
	assert_int_equal(roundup_pow2(4097), 8192);
	assert_int_equal(roundup_pow2(1u << 31), 1u << 31);
	assert_true(align_up(0, 4096) == 0 && align_up(1, 4096) == 4096 &&
		    align_up(4096, 4096) == 4096);
}

/* ---- queues and quotas -------------------------------------------------- */

static int some_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void queue(void **state)
{
	int fds[3], *got, before = fds_open(getpid());
	struct fdq q = { .first = NULL };

	(void)state;
	assert_int_equal(fdq_take(&q, 0, 0, &got), -ENOENT);
	for (uint32_t chan = 0; chan < 3; chan++)
		for (uint64_t pos = 0; pos < 4; pos++) {
			for (int i = 0; i < 3; i++)
				fds[i] = some_fd();
			assert_int_equal(fdq_put(&q, chan, pos, fds, 3), 0);
		}
	assert_int_equal(q.total, 36);
	assert_int_equal(fdq_put(&q, 9, 9, fds, 0), 0);
	assert_int_equal(fdq_lose(&q, 5, 5, -EMFILE), 0);
	assert_int_equal(fdq_lose(&q, 5, 6, -EDQUOT), 0);
	assert_int_equal(q.lost, 2);
	assert_int_equal(fdq_take(&q, 3, 0, &got), -ENOENT);
	assert_int_equal(fdq_take(&q, 0, 4, &got), -ENOENT);
	assert_int_equal(fdq_take(&q, 5, 6, &got), -EDQUOT);
	assert_int_equal(fdq_take(&q, 5, 6, &got), -ENOENT);
	assert_int_equal(fdq_take(&q, 9, 9, &got), 0);
	free(got);
	assert_int_equal(fdq_take(&q, 1, 2, &got), 3);
	for (int i = 0; i < 3; i++)
		close(got[i]);
	free(got);
	assert_int_equal(fdq_take(&q, 1, 2, &got), -ENOENT);
	assert_int_equal(q.total, 33);
	assert_int_equal(q.lost, 1);
	fdq_clear(&q);
	assert_int_equal(q.total, 0);
	assert_int_equal(q.lost, 0);
	assert_int_equal(fds_open(getpid()), before);
}

static void quotas(void **state)
{
	struct quota q = { NULL };
	struct quota_user *u[50];

	(void)state;
	for (uid_t i = 0; i < 50; i++) {
		u[i] = quota_user(&q, i * 7 % 50);
		assert_non_null(u[i]);
		u[i]->conns = 1;
	}
	/* One for each user, as long as somebody refers to it */
	for (uid_t i = 0; i < 50; i++) {
		assert_ptr_equal(quota_user(&q, i * 7 % 50), u[i]);
		assert_int_equal(u[i]->uid, i * 7 % 50);
		assert_int_equal(u[i]->refs, 2);
		quota_put(&q, u[i]);
		assert_ptr_equal(quota_user(&q, i * 7 % 50), u[i]);
		assert_int_equal(u[i]->conns, 1);
		quota_put(&q, u[i]);
	}
	for (uid_t i = 0; i < 50; i++)
		quota_put(&q, u[i]);
	assert_null(q.tree);
}

/* ---- time --------------------------------------------------------------- */

static void deadlines(void **state)
{
	uint64_t before = time_ns(), d;

	(void)state;
	assert_true(deadline_of(SKYIPC_FOREVER, 5) == DEADLINE_NONE);
	assert_true(deadline_of(SKYIPC_DEFAULT, 0) == DEADLINE_NONE);
	assert_true(deadline_of(SKYIPC_DEFAULT, SKYIPC_FOREVER) ==
		    DEADLINE_NONE);
	assert_true(deadline_of(SKYIPC_AT(12345), 7) == 12345);
	assert_true(deadline_of(SKYIPC_AT(0), 7) != 0);
	d = deadline_of(SKYIPC_DEFAULT, 1000000);
	assert_true(d >= before + 1000000 && d <= time_ns() + 1000000);
	d = deadline_of(SKYIPC_MS(3), 0);
	assert_true(d >= before + 3000000 && d <= time_ns() + 3000000);
	d = deadline_of((UINT64_C(1) << 63) - 1, 0);
	assert_true(d > UINT64_C(1) << 62);
	assert_int_equal(deadline_ms(DEADLINE_NONE), -1);
	assert_int_equal(deadline_ms(1), 0);
	assert_in_range(deadline_ms(time_ns() + 1), 0, 1);
	assert_in_range(deadline_ms(time_ns() + 5000000000), 4000, 5000);
	assert_int_equal(deadline_ms(UINT64_MAX - 1), 0x7fffffff);
	d = ticks_to_ns(ns_to_ticks(1000000000));
	assert_in_range(d, 990000000, 1010000000);
}

/* ---- names -------------------------------------------------------------- */

static void name_rules(void **state)
{
	char path[200], *dir = strdup(getenv("SKYIPC_DIR"));
	struct name n;

	(void)state;
	assert_int_equal(name_for_server("plain", &n), 0);
	snprintf(path, sizeof(path), "%s/plain.sock", dir);
	assert_string_equal(n.path, path);
	strcat(path, ".lock");
	assert_string_equal(n.lock_path, path);
	assert_int_equal(n.lock, -1);
	assert_int_equal(name_for_server("./x", &n), 0);
	assert_string_equal(n.path, "./x");
	assert_int_equal(name_for_client("./x", path, sizeof(path)), 0);
	assert_string_equal(path, "./x");
	assert_int_equal(name_for_client("./x", path, 3), -ENAMETOOLONG);
	assert_int_equal(name_for_client("plain", path, sizeof(path)), -ENOENT);
	free(dir);
}

/* Without $SKYIPC_DIR, as somebody who is not root */
static int as_nobody(struct child *me, void *arg)
{
	const char *dir = arg;
	char path[200], want[200];
	struct name n;
	struct stat st;

	(void)me;
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(65534, 65534, 65534) == 0);
	CHECK(setresuid(65534, 65534, 65534) == 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* setuid() cleared it */
	unsetenv("SKYIPC_DIR");
	setenv("XDG_RUNTIME_DIR", dir, 1);
	CHECK(name_for_server("x", &n) == 0);
	snprintf(want, sizeof(want), "%s/skyipc/x.sock", dir);
	CHECK(!strcmp(n.path, want));
	CHECK(!n.system);
	snprintf(path, sizeof(path), "%s/skyipc", dir);
	CHECK(stat(path, &st) == 0);
	CHECK((st.st_mode & 07777) == 0700);
	CHECK(name_own(&n) == 0);
	CHECK(name_for_client("x", path, sizeof(path)) == -ENOENT);
	CHECK(mknod(n.path, S_IFREG | 0600, 0) == 0);
	CHECK(name_for_client("x", path, sizeof(path)) == 0);
	CHECK(!strcmp(path, want));
	name_disown(&n);
	CHECK(access(n.path, F_OK) && access(n.lock_path, F_OK));
	snprintf(path, sizeof(path), "%s/skyipc", dir);
	CHECK(rmdir(path) == 0);
	return 0;
}

static void user_directory(void **state)
{
	char dir[200];
	struct child c;

	(void)state;
	if (geteuid())
		skip();
	snprintf(dir, sizeof(dir), "/tmp/xdg-%d", (int)getpid());
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	child_start(&c, as_nobody, dir);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- what a server tells ------------------------------------------------ */

static void parse(void **state)
{
	static struct {
		struct info_head head;
		struct skyipc_server_info server;
		struct skyipc_conn_info conn[3];
		char more[512];
	} m;
	struct skyipc_server_info info;
	struct skyipc_conn_info *ci;
	size_t n, full = sizeof(m) - sizeof(m.more);

	(void)state;
	memset(&m, 'x', sizeof(m)); /* no string ends */
	m.head = (struct info_head){ INFO_MAGIC, sizeof(m.server),
				     sizeof(m.conn[0]), 3 };
	m.server.pid = 5;
	m.conn[2].id = 9;
	memset(&info, 0, sizeof(info));
	info.size = sizeof(info);
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(info.pid, 5);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.stats.size, sizeof(info.stats));
	assert_int_equal(strlen(info.name), sizeof(info.name) - 1);
	assert_int_equal(strlen(info.comm), sizeof(info.comm) - 1);
	assert_int_equal(ci[2].id, 9);
	assert_int_equal(ci[2].size, sizeof(ci[2]));
	assert_int_equal(strlen(ci[2].transport), sizeof(ci[2].transport) - 1);
	free(ci);
	assert_int_equal(info_parse(&m, full, &info, NULL, NULL), 0);
	/* Every shorter one is refused. */
	for (size_t len = 0; len < full; len += 1 + len / 20)
		assert_int_equal(info_parse(&m, len, &info, &ci, &n), -EPROTO);
	assert_int_equal(info_parse(&m, full - 1, &info, &ci, &n), -EPROTO);
	/* Impossible numbers */
	m.head.nconns = UINT32_MAX;
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), -EPROTO);
	m.head.conn_size = 0;
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), -EPROTO);
	m.head.conn_size = UINT32_MAX;
	m.head.nconns = 1;
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), -EPROTO);
	m.head = (struct info_head){ INFO_MAGIC, UINT32_MAX, 8, 0 };
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), -EPROTO);
	m.head = (struct info_head){ INFO_MAGIC + 1, sizeof(m.server), 8, 0 };
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), -EPROTO);
	/* A server that knows less, and one that knows more */
	m.head = (struct info_head){ INFO_MAGIC,
				     offsetof(struct skyipc_server_info, comm),
				     0, 0 };
	assert_int_equal(info_parse(&m, full, &info, &ci, &n), 0);
	assert_int_equal(info.pid, 5);
	assert_int_equal(info.comm[0], 0);
	free(ci);
	m.head.server_size = sizeof(m.server) + 100;
	m.head.conn_size = sizeof(m.conn[0]) + 60;
	m.head.nconns = 2;
	assert_int_equal(info_parse(&m, sizeof(m), &info, &ci, &n), 0);
	assert_int_equal(n, 2);
	free(ci);
}

/* ---- memory ------------------------------------------------------------- */

static void memory(void **state)
{
	const void *constant;
	void *a, *b;
	int fd;

	(void)state;
	assert_int_equal(memfd_make("x", 8192, &fd, &a), 0);
	assert_int_equal(memfd_map(fd, 8192, &b), 0);
	memset(a, 7, 8192);
	assert_memory_equal(a, b, 8192);
	assert_int_equal(munmap(b, 8192), 0);
	assert_int_equal(memfd_map(fd, 4096, &b), -EPROTO);
	assert_int_equal(memfd_map(fd, 12288, &b), -EPROTO);
	assert_int_equal(memfd_map_const(fd, 8192, &constant), -EPROTO);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(ftruncate(fd, 16384), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	munmap(a, 8192);
	close(fd);

	fd = memfd_of("x", "hello", 6);
	assert_true(fd >= 0);
	assert_int_equal(memfd_map_const(fd, 6, &constant), 0);
	assert_string_equal((const char *)constant, "hello");
	munmap((void *)constant, 6);
	assert_true(write(fd, "x", 1) < 0);
	close(fd);

	/* Not sealed; not even a memory object */
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(memfd_map(fd, 8192, &b), -EPROTO);
	close(fd);
	fd = some_fd();
	assert_int_equal(memfd_map(fd, 8192, &b), -EPROTO);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hist_buckets),
		cmocka_unit_test(hist_quantiles),
		cmocka_unit_test(proto),
		cmocka_unit_test(layout),
		cmocka_unit_test(queue),
		cmocka_unit_test(quotas),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(name_rules),
		cmocka_unit_test(user_directory),
		cmocka_unit_test(parse),
		cmocka_unit_test(memory),
	};

	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
