/* SPDX-License-Identifier: MIT */
/*
 * nr_show_test.c - statistics that a process shows others: they are its own;
 * whoever connects, or listens in its place, can do no harm
 */
#include "testlib.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "nr_map.h"
#include "nr_stats.h"
#include "show.h"

/* ---- what is seen -------------------------------------------------------- */

#define SEEN_MAX 64

struct found {
	pid_t pid; /* only that one's */
	unsigned n;
	struct {
		int err;
		uint32_t uid;
		char name[NR_SHOW_NAME];
		uint64_t tail, replicas, updates;
	} of[SEEN_MAX];
};

static int note(const struct nr_seen *s, void *arg)
{
	struct found *f = arg;

	assert_true(s->size == sizeof(*s));
	if (s->pid != f->pid)
		return 0;
	assert_true(f->n < SEEN_MAX);
	f->of[f->n].err = s->err;
	f->of[f->n].uid = s->uid;
	if (!s->err) {
		snprintf(f->of[f->n].name, NR_SHOW_NAME, "%s", s->name);
		f->of[f->n].tail = s->stats->log_tail;
		f->of[f->n].replicas = s->n;
		if (s->n)
			f->of[f->n].updates = s->replicas->updates;
	}
	f->n++;
	return 0;
}

static struct found look_at(pid_t pid)
{
	struct found f = { .pid = pid };

	assert_int_equal(nr_look(note, &f), 0);
	return f;
}

static unsigned threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* A map with @puts entries. */
static struct nr_map *make(unsigned puts, const char *topology)
{
	struct nr_map_attr attr = NR_MAP_ATTR_INIT;
	struct nr_attr nr = NR_ATTR_INIT;
	struct nr_map_context *c;
	struct nr_map *map;

	nr.topology = topology;
	attr.nr = &nr;
	assert_int_equal(nr_map_create(&attr, &map), 0);
	assert_int_equal(nr_map_register(map, NULL, &c), 0);
	for (unsigned i = 0; i < puts; i++)
		assert_int_equal(nr_map_put(c, &i, sizeof(i), "x", 1, 0), 0);
	nr_map_leave(c);
	return map;
}

static void shown(void **state)
{
	struct nr_map *a = make(3, "2x1"), *b = make(5, "1x1");
	struct nr_shown *sa, *sb;
	unsigned before;
	char name[NR_SHOW_NAME + 1];
	struct found f;

	(void)state;
	assert_int_equal(look_at(getpid()).n, 0);
	/* TSan has a thread of its own, from the first one on. */
	assert_int_equal(nr_show(nr_map_nr(a), "", &sa), 0);
	nr_hide(sa);
	before = under_tsan() ? 2 : 1;
	WAIT_FOR(threads() == before);
	memset(name, 'n', NR_SHOW_NAME);
	name[NR_SHOW_NAME] = 0;
	assert_int_equal(nr_show(nr_map_nr(a), name, &sa), -ENAMETOOLONG);
	assert_int_equal(nr_show(nr_map_nr(a), name + 1, &sa), 0);
	assert_int_equal(nr_show(nr_map_nr(b), "b", &sb), 0);
	f = look_at(getpid());
	assert_int_equal(f.n, 2);
	assert_int_equal(f.of[0].err, 0);
	assert_string_equal(f.of[0].name, "b");
	assert_string_equal(f.of[1].name, name + 1);
	assert_true(f.of[0].uid == geteuid());
	assert_true(f.of[0].replicas == 1 && f.of[1].replicas == 2);
	/* getting memory takes one */
	assert_true(f.of[0].tail >= 5 && f.of[1].tail >= 3);
	assert_true(f.of[0].updates == f.of[0].tail);
	nr_hide(sb);
	assert_int_equal(look_at(getpid()).n, 1);
	assert_int_equal(threads(), before + 1);
	nr_hide(sa);
	assert_int_equal(look_at(getpid()).n, 0);
	WAIT_FOR(threads() == before);
	nr_hide(NULL);
	/* And again. */
	assert_int_equal(nr_show(nr_map_nr(a), "again", &sa), 0);
	assert_int_equal(look_at(getpid()).n, 1);
	nr_hide(sa);
	nr_map_destroy(a);
	nr_map_destroy(b);
}

static int stop_at_first(const struct nr_seen *s, void *arg)
{
	if (s->pid != getpid())
		return 0;
	++*(int *)arg;
	return 77;
}

static void ended_early(void **state)
{
	struct nr_map *a = make(0, "1x1");
	struct nr_shown *s[2];
	int n = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(nr_show(nr_map_nr(a), "a", &s[i]), 0);
	assert_int_equal(nr_look(stop_at_first, &n), 77);
	assert_int_equal(n, 1);
	for (int i = 0; i < 2; i++)
		nr_hide(s[i]);
	nr_map_destroy(a);
}

/* ---- other processes ------------------------------------------------------
 */

/* A child that does @fn; its exit status. */
static int child(int (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct two {
	struct nr_map *map;
	struct nr_shown *shown;
};

static int inherits(void *arg)
{
	const struct two *t = arg;
	struct nr_shown *mine;

	if (look_at(getppid()).n != 1 || look_at(getpid()).n)
		return 1;
	if (nr_show(nr_map_nr(t->map), "child's", &mine))
		return 2;
	/* That is not the last: the child's own stays. */
	nr_hide(t->shown);
	if (look_at(getpid()).n != 1 ||
	    strcmp(look_at(getpid()).of[0].name, "child's") != 0)
		return 3;
	nr_hide(mine);
	return look_at(getpid()).n || look_at(getppid()).n != 1 ? 4 : 0;
}

static void after_fork(void **state)
{
	struct two t = { .map = make(1, "1x1") };

	(void)state;
	assert_int_equal(nr_show(nr_map_nr(t.map), "parent's", &t.shown), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(child(inherits, &t), 0);
	assert_int_equal(look_at(getpid()).n, 1);
	nr_hide(t.shown);
	nr_map_destroy(t.map);
}

static socklen_t address(struct sockaddr_un *sun, const char *name)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	strcpy(sun->sun_path + 1, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   strlen(name));
}

/* nr_look() does not even ask; nor is somebody answered who does. */
static int is_refused(void *arg)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = *(pid_t *)arg;
	struct sockaddr_un sun;
	struct found f;
	char name[64], c;
	socklen_t len;

	if (setgid(65534) || setuid(65534))
		return 1;
	f = look_at(pid);
	if (f.n != 1 || f.of[0].err != -EACCES || f.of[0].uid != 0)
		return 2;
	snprintf(name, sizeof(name), SHOW_PREFIX "%d", (int)pid);
	len = address(&sun, name);
	if (connect(fd, (struct sockaddr *)&sun, len))
		return 3;
	return recv(fd, &c, 1, 0) ? 4 : 0;
}

static void other_users(void **state)
{
	struct nr_map *map = make(1, "1x1");
	struct nr_shown *s;
	pid_t pid = getpid();

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(nr_show(nr_map_nr(map), "root's", &s), 0);
	assert_int_equal(child(is_refused, &pid), 0);
	assert_int_equal(look_at(pid).of[0].err, 0);
	nr_hide(s);
	nr_map_destroy(map);
}

/* ---- hostile ones ---------------------------------------------------------
 */

/* Other variants of this test run at the same time. */
static const char *own_name(const char *what)
{
	static char name[64];

	snprintf(name, sizeof(name), SHOW_PREFIX "%s%d", what, (int)getpid());
	return name;
}

static int listen_as(const char *name)
{
	struct sockaddr_un sun;
	socklen_t len = address(&sun, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* The name that we would have is taken: there are others. */
static void name_taken(void **state)
{
	struct nr_map *map = make(1, "1x1");
	struct nr_shown *s;
	int fd;

	(void)state;
	fd = listen_as(own_name(""));
	assert_int_equal(nr_show(nr_map_nr(map), "other name", &s), 0);
	close(fd);
	assert_int_equal(look_at(getpid()).n, 1);
	nr_hide(s);
	nr_map_destroy(map);
}

/* Who connects and does not read. */
static void slow_client(void **state)
{
	struct nr_map *map = make(1, "1x1");
	struct nr_shown *s[SEEN_MAX];
	int fds[8];

	(void)state;
	for (int i = 0; i < SEEN_MAX; i++)
		assert_int_equal(nr_show(nr_map_nr(map), "many", &s[i]), 0);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		struct sockaddr_un sun;
		socklen_t len = address(&sun, own_name(""));
		int little = 1;

		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &little,
			   sizeof(little));
		assert_int_equal(connect(fds[i], (struct sockaddr *)&sun, len),
				 0);
	}
	for (int i = 0; i < SEEN_MAX; i++)
		nr_hide(s[i]);
	assert_int_equal(look_at(getpid()).n, 0);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	nr_map_destroy(map);
}

/* What a liar says, and what that is to be. */
struct lie {
	const char *what;
	uint32_t magic, word, items;
	uint32_t stats_size, replica_size, replicas;
	size_t item_bytes, bytes; /* that are really sent */
	int err;		  /* of what is seen */
};

#define GOOD SHOW_MAGIC, sizeof(size_t)
#define S sizeof(struct nr_stats)
#define R sizeof(struct nr_replica_stats)
#define I sizeof(struct show_item)

static const struct lie lies[] = {
	{ "nothing", 0, 0, 0, 0, 0, 0, 0, 0, -EACCES },
	{ "another language", 0x20544547, 8, 1, S, R, 0, I, S,
	  -EPROTONOSUPPORT },
	{ "other words", SHOW_MAGIC, 3, 1, S, R, 0, I, S, -EPROTONOSUPPORT },
	{ "too many", GOOD, UINT32_MAX, S, R, 0, I, S, -EPROTO },
	{ "no item", GOOD, 1, S, R, 0, 0, 0, -EPROTO },
	{ "half an item", GOOD, 1, S, R, 0, I / 2, 0, -EPROTO },
	{ "no statistics", GOOD, 1, S, R, 0, I, 0, -EPROTO },
	{ "sizes of nothing", GOOD, 1, 0, R, 0, I, S, -EPROTO },
	{ "odd sizes", GOOD, 1, S, R + 4, 1, I, S + R + 4, -EPROTO },
	{ "large ones", GOOD, 1, S, 1 << 20, 1, I, S, -EPROTO },
	{ "replicas for ever", GOOD, 1, S, R, UINT32_MAX, I, S, -EPROTO },
	{ "replicas that do not come", GOOD, 1, S, R, 65536, I, S + R,
	  -EPROTO },
	{ "little", GOOD, 1, 8, 8, 3, I, 8 + 3 * 8, 0 },
	{ "more than we know", GOOD, 1, S + 64, R + 64, 2, I,
	  S + 64 + 2 * (R + 64), 0 },
};

/* Who has heard enough closes. */
static void send_what(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

/* Everything that can be, in bytes that are not zero. */
static void tell(int fd, const struct lie *l)
{
	const struct show_head head = { l->magic, l->word, l->items, 1 };
	struct show_item item = { .stats_size = l->stats_size,
				  .replica_size = l->replica_size,
				  .replicas = l->replicas };
	char *bytes = malloc(l->bytes + 1);

	assert_non_null(bytes);
	memset(bytes, 0xff, l->bytes + 1);
	memset(item.name, 0xff, sizeof(item.name));
	if (l->magic)
		send_what(fd, &head, sizeof(head));
	send_what(fd, &item, l->item_bytes);
	send_what(fd, bytes, l->bytes);
	free(bytes);
}

static int tells_lies(void *arg)
{
	int fd = *(int *)arg;

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			return 1;
		tell(conn, &lies[i]);
		close(conn);
	}
	return 0;
}

/* All that is told of it can be printed, and is JSON. */
static int print_it(const struct nr_seen *s, void *arg)
{
	struct found *f = arg;
	FILE *null;

	if (s->pid != f->pid)
		return 0;
	f->of[0].err = s->err;
	f->n++;
	if (s->err)
		return 0;
	assert_true(strlen(s->name) < NR_SHOW_NAME);
	null = fopen("/dev/null", "w");
	assert_non_null(null);
	for (unsigned flags = 0; flags < 2; flags++)
		assert_int_equal(nr_stats_print(null, s->stats, s->replicas,
						s->n, flags),
				 0);
	fclose(null);
	return 0;
}

static void liars(void **state)
{
	int fd = listen_as(own_name("liar")), status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(tells_lies(&fd));
	}
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		/* who listens is who has called listen(): us */
		struct found f = { .pid = getpid() };

		assert_int_equal(nr_look(print_it, &f), 0);
		if (f.n != 1 || f.of[0].err != lies[i].err)
			fail_msg("%s: seen %u, error %d", lies[i].what, f.n,
				 f.of[0].err);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

/* Who listens, and never answers; and whose queue is full. */
static void silent(void **state)
{
	int fd = listen_as(own_name("silent")), queued[16];
	struct sockaddr_un sun;
	socklen_t len = address(&sun, own_name("silent"));
	struct found f = { .pid = getpid() };
	unsigned n = 0, busy = 0;

	(void)state;
	assert_int_equal(nr_look(note, &f), 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.of[0].err, -ETIMEDOUT);
	for (; n < ARRAY_LEN(queued); n++) {
		queued[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(queued[n], (struct sockaddr *)&sun, len))
			break;
	}
	assert_true(n < ARRAY_LEN(queued));
	/* Who that is nobody knows; perhaps there are more. */
	f = (struct found){ .pid = 0 };
	assert_int_equal(nr_look(note, &f), 0);
	for (unsigned i = 0; i < f.n; i++)
		busy += f.of[i].err == -EBUSY;
	assert_true(busy > 0);
	for (unsigned i = 0; i <= n; i++)
		close(queued[i]);
	close(fd);
}

/*
 * Whoever else is looked at here, by other tests, would answer in between, and
 * ask those who lie: names are those of a network namespace. Where no new one
 * can be had this test has to be the only one.
 */
static void be_alone(void)
{
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		printf("# no network namespace: %s\n", strerror(errno));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shown),      cmocka_unit_test(ended_early),
		cmocka_unit_test(after_fork), cmocka_unit_test(other_users),
		cmocka_unit_test(name_taken), cmocka_unit_test(slow_client),
		cmocka_unit_test(liars),      cmocka_unit_test(silent),
	};

	be_alone();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
