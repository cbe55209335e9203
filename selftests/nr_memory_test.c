/* SPDX-License-Identifier: MIT */
/* nr_memory_test.c - one log, several, and the reader lock without memory */
#include "nr_no_memory.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "nr_cnr.h"
#include "nr_show.h"

struct list {
	uint64_t n;
	void *heap;
};

static int list_init(void *object, void *arg)
{
	struct list *l = object;

	(void)arg;
	l->heap = nr_test_no_memory(8) ? NULL : malloc(8);
	return l->heap ? 0 : -ENOMEM;
}

static void list_fini(void *object, void *arg)
{
	(void)arg;
	free(((struct list *)object)->heap);
}

static int list_clone(void *object, const void *from, void *arg)
{
	int err = list_init(object, arg);

	((struct list *)object)->n = ((const struct list *)from)->n;
	return err;
}

static void list_update(void *object, const void *op, size_t len, void *result)
{
	(void)op;
	(void)len;
	(void)result;
	((struct list *)object)->n++;
}

static void list_read(const void *object, const void *op, size_t len,
		      void *result)
{
	(void)op;
	(void)len;
	*(uint64_t *)result = ((const struct list *)object)->n;
}

static const struct nr_ops list_ops = {
	.size = sizeof(list_ops),
	.object_size = sizeof(struct list),
	.init = list_init,
	.fini = list_fini,
	.update = list_update,
	.read = list_read,
	.clone = list_clone,
};

static int all_equal(uint32_t replica, const void *object, void *arg)
{
	(void)replica;
	return ((const struct list *)object)->n != *(uint64_t *)arg;
}

static void use(struct nr *nr, struct nr_context *c, uint64_t *n)
{
	static const char op[100]; /* long: on the heap */
	uint64_t saw;

	for (int i = 0; i < 10; i++) {
		*n += (uint64_t)tried(nr_update(c, op, sizeof(op), NULL));
		*n += (uint64_t)tried(nr_submit(c, op, sizeof(op), NULL, 0));
		nr_wait(c, NULL, 1, 1);
		*n += (uint64_t)tried(nr_update(c, op, 1, NULL));
		assert_int_equal(nr_read(c, NULL, 0, &saw), 0);
		assert_true(saw == *n);
	}
	assert_int_equal(nr_inspect(nr, all_equal, n), 0);
}

/* As many as make both arrays of contexts grow. */
#define CONTEXTS 9

static void everything(void)
{
	struct nr_context *c[CONTEXTS] = { NULL };
	struct nr_attr attr = NR_ATTR_INIT;
	uint64_t n = 0;
	struct nr *nr;
	int id;

	attr.topology = "2x1";
	attr.log_size = 4;
	if (!tried(nr_create(&list_ops, &attr, &nr)))
		return;
	for (int i = 0; i < CONTEXTS; i++) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;

		cattr.replica = 1;
		if (tried(nr_register(nr, &cattr, &c[i])))
			use(nr, c[i], &n);
	}
	id = nr_replica_add(nr, -1);
	if (tried(id)) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;
		struct nr_context *late;

		cattr.replica = (uint32_t)id;
		if (tried(nr_register(nr, &cattr, &late))) {
			use(nr, late, &n);
			nr_leave(late);
		}
		assert_int_equal(nr_replica_remove(nr, (uint32_t)id), 0);
	}
	assert_int_equal(nr_inspect(nr, all_equal, &n), 0);
	for (int i = 0; i < CONTEXTS; i++)
		nr_leave(c[i]);
	assert_int_equal(nr_destroy(nr), 0);
}

static void a_reader_lock(void)
{
	struct nr_reader *r[CONTEXTS] = { NULL };
	struct nr_rwlock *lock;

	if (!tried(nr_rwlock_create(&lock)))
		return;
	for (int i = 0; i < CONTEXTS; i++)
		if (tried(nr_rwlock_join(lock, &r[i]))) {
			nr_read_lock(r[i]);
			nr_read_unlock(r[i]);
		}
	nr_write_lock(lock);
	nr_write_unlock(lock);
	for (int i = 0; i < CONTEXTS; i++)
		nr_rwlock_leave(r[i]);
	assert_int_equal(nr_rwlock_destroy(lock), 0);
}

/* Operations of one class, of all, and too long for an entry: of either. */
static uint64_t class_of(const void *op, size_t len, struct nr_classes *more)
{
	(void)more;
	return len % 2 && *(const unsigned char *)op < 99
		       ? *(const unsigned char *)op
		       : NR_CLASS_ALL;
}

static void several_logs(void)
{
	struct nr_cnr_ops ops = NR_CNR_OPS_INIT;
	struct nr_cnr_attr attr = NR_CNR_ATTR_INIT;
	struct nr_attr small = small_log();
	struct nr_cnr_context *c = NULL, *late;
	static char op[100];
	uint64_t n = 0, saw;
	struct nr_cnr *cnr;
	int id, ret;

	ops.object_size = sizeof(struct list);
	ops.init = list_init;
	ops.fini = list_fini;
	ops.clone = list_clone;
	ops.update = list_update;
	ops.read = list_read;
	ops.update_class = ops.read_class = class_of;
	attr.nr = &small;
	attr.logs = 3;
	if (!tried(nr_cnr_create(&ops, &attr, &cnr)))
		return;
	if (!tried(nr_cnr_register(cnr, NULL, &c))) {
		assert_int_equal(nr_cnr_destroy(cnr), 0);
		return;
	}
	for (int i = 0; i < 10; i++) {
		char one = (char)i;

		n += (uint64_t)tried(nr_cnr_update(c, &one, 1, NULL));
		n += (uint64_t)tried(nr_cnr_update(c, op, 2, NULL));
		n += (uint64_t)tried(nr_cnr_update(c, op, sizeof(op), NULL));
		/* Long, and of one class. */
		if (tried(nr_cnr_submit(c, op, 99, NULL, 7))) {
			assert_int_equal(nr_cnr_wait(c, NULL, 1, 1), 1);
			n++;
		}
		assert_int_equal(nr_cnr_poll(c, NULL, 1), -ENOENT);
		if (tried(nr_cnr_read(c, op, 2, &saw)))
			assert_true(saw == n);
	}
	id = nr_cnr_replica_add(cnr, -1);
	if (tried(id)) {
		struct nr_context_attr cattr = NR_CONTEXT_ATTR_INIT;

		cattr.replica = (uint32_t)id;
		if (tried(nr_cnr_register(cnr, &cattr, &late))) {
			if (tried(nr_cnr_read(late, op, 2, &saw)))
				assert_true(saw == n);
			nr_cnr_leave(late);
		}
		assert_int_equal(nr_cnr_replica_remove(cnr, (uint32_t)id), 0);
	}
	ret = nr_cnr_inspect(cnr, all_equal, &n);
	assert_true(!ret || !tried(ret));
	nr_cnr_leave(c);
	assert_int_equal(nr_cnr_destroy(cnr), 0);
}

/* Both sides are this process, whose thread has -EACCES for want of memory; but
 * there may be others. */
static int saw(const struct nr_seen *seen, void *arg)
{
	int own = seen->pid == getpid();

	failures += seen->err == -ENOMEM || (own && seen->err);
	*(int *)arg += own && !seen->err;
	return 0;
}

static void a_shown(void)
{
	struct nr_shown *shown;
	struct nr *nr;
	int n = 0;

	if (!tried(nr_create(&list_ops, NULL, &nr)))
		return;
	if (tried(nr_show(nr, "shown", &shown))) {
		tried(nr_look(saw, &n));
		assert_true(n == 1 || (!n && failures == 1));
		nr_hide(shown);
	}
	assert_int_equal(nr_destroy(nr), 0);
}

static void replication(void **state)
{
	(void)state;
	each_allocation_fails(everything, 1);
}

static void shown_to_others(void **state)
{
	(void)state;
	/* Of others some are made, too, that we do not see. */
	each_allocation_fails(a_shown, 0);
}

static void reader_lock(void **state)
{
	(void)state;
	each_allocation_fails(a_reader_lock, 1);
}

static void logs(void **state)
{
	(void)state;
	each_allocation_fails(several_logs, 1);
}

/* All mappings that the kernel allows; 0: it allows very many. */
static int take_all_mappings(void)
{
	for (unsigned i = 0; i < 300000; i++)
		/* Neighbours that differ are not made one. */
		if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return 1;
	return 0;
}

/*
 * What the kernel has made one mapping of cannot be unmapped in the middle when
 * there are as many as there can be: that is nobody's error.
 */
static void too_many_mappings(void **state)
{
	struct nr_rwlock *locks[64];
	int status;
	pid_t pid;

	(void)state;
	if (under_valgrind() || under_tsan() || under_asan())
		skip(); /* they need some themselves */
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		for (size_t i = 0; i < ARRAY_LEN(locks); i++)
			if (nr_rwlock_create(&locks[i]))
				_exit(1);
		if (!take_all_mappings())
			_exit(2);
		for (size_t i = 0; i < ARRAY_LEN(locks); i++)
			if (nr_rwlock_destroy(locks[i * 7 % ARRAY_LEN(locks)]))
				_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replication),
		cmocka_unit_test(shown_to_others),
		cmocka_unit_test(reader_lock),
		cmocka_unit_test(logs),
		cmocka_unit_test(too_many_mappings),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
