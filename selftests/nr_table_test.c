/* SPDX-License-Identifier: MIT */
/* nr_table_test.c - libnr's hash table, and the arena below it */
#include "arena.h"
#include "hash.h"
#include "nr_map_model.h"
#include "table_find.h"

/* ---- the arena ---------------------------------------------------------- */

#define BLOCKS 200

/* What is allocated does not overlap, and what is freed is used again. */
static void arena_blocks(void **state)
{
	static struct arena a;
	static struct {
		arena_ref ref;
		size_t bytes;
	} b[BLOCKS];
	uint64_t rng = 1;
	uint32_t chunks;

	(void)state;
	memset(&a, 0, sizeof(a));
	for (int round = 0; round < 20000; round++) {
		unsigned i = sched_random(&rng) % BLOCKS;
		uint64_t most = UINT64_C(16) << sched_random(&rng) % 9;

		if (b[i].ref) {
			unsigned char *p = arena_at(&a, b[i].ref);

			for (size_t k = 0; k < b[i].bytes; k++)
				assert_int_equal(p[k], i);
			arena_free(&a, b[i].ref, b[i].bytes);
		}
		b[i].bytes = 1 + sched_random(&rng) % most;
		b[i].ref = arena_alloc(&a, b[i].bytes);
		if (!b[i].ref) {
			size_t more = arena_wants(&a, b[i].bytes, round & 1);

			arena_add(&a, mem_node_alloc(more, -1, NR_MEMORY_ANY),
				  more);
			b[i].ref = arena_alloc(&a, b[i].bytes);
		}
		assert_true(b[i].ref != 0);
		memset(arena_at(&a, b[i].ref), (int)i, b[i].bytes);
	}
	chunks = a.n;
	for (int round = 0; round < 10000; round++) {
		unsigned i = sched_random(&rng) % BLOCKS;

		arena_free(&a, b[i].ref, b[i].bytes);
		assert_true(arena_alloc(&a, b[i].bytes) == b[i].ref);
	}
	assert_int_equal(a.n, chunks);
	arena_fini(&a);
}

/* The least that an allocation of @bytes would do with. */
static size_t least(const struct arena *a, size_t bytes)
{
	size_t size, last = 0;

	for (unsigned tries = 0; (size = arena_wants(a, bytes, tries)); tries++)
		last = size;
	return last;
}

#define CHUNKS 600

/*
 * Where memory is short there are many chunks, of the least size; when it is
 * not any more the next one is as long as all of them.
 */
static void arena_many_chunks(void **state)
{
	static struct arena a, b;
	static arena_ref ref[CHUNKS];
	size_t size, all = 0;

	(void)state;
	memset(&a, 0, sizeof(a));
	for (uint32_t i = 0; i < CHUNKS; i++) {
		/* Half as much each time, so less is soon reached. */
		assert_true(arena_wants(&a, 40000, 20) == 0);
		size = least(&a, 40000);
		assert_true(size && size <= 65536);
		all += size;
		arena_add(&a, mem_node_alloc(size, -1, NR_MEMORY_ANY), size);
		ref[i] = arena_alloc(&a, 40000);
		assert_true(ref[i] != 0);
		memset(arena_at(&a, ref[i]), (int)(i & 255), 40000);
	}
	assert_int_equal(a.n, CHUNKS);
	size = arena_wants(&a, 1, 0);
	assert_true(size > all / 20 * 19 && size <= all);
	assert_true(arena_wants(&a, 1, 1) > size / 2 - ARENA_UNIT &&
		    arena_wants(&a, 1, 1) <= size / 2);
	memset(&b, 0, sizeof(b));
	assert_int_equal(arena_clone(&b, &a), 0);
	arena_fini(&a);
	arena_add(&b, mem_node_alloc(size, -1, NR_MEMORY_ANY), size);
	assert_true(arena_alloc(&b, size / 2) != 0);
	for (uint32_t i = 0; i < CHUNKS; i++) {
		const unsigned char *p = arena_at(&b, ref[i]);

		assert_int_equal(p[0], i & 255);
		assert_int_equal(p[39999], i & 255);
	}
	arena_fini(&b);
}

/* ---- the table ---------------------------------------------------------- */

static void table_is_a_map(void **state)
{
	unsigned char key[KEYS], value[VALUE_MAX];
	static struct model m, left;
	struct nr_table *t;

	(void)state;
	memset(&m, 0, sizeof(m));
	assert_int_equal(nr_table_create(&t), 0);
	for (unsigned n = 0; n < 200000 / slowness; n++) {
		unsigned i = below(&m, KEYS), flags = below(&m, 3);
		size_t klen = make_key(key, i), len = make_len(&m);
		const void *v;

		switch (below(&m, 4)) {
		case 0:
			memset(value, (int)(n & 255), len);
			assert_int_equal(
				nr_table_put(t, key, klen, value, len, flags),
				model_put(&m, i, len, n & 255, flags));
			break;
		case 1:
			assert_int_equal(nr_table_remove(t, key, klen),
					 model_remove(&m, i));
			break;
		default:
			v = nr_table_get(t, key, klen, &len);
			check_value(&m, i, v, len);
		}
		assert_true(nr_table_count(t) == m.count);
	}
	left = m;
	assert_int_equal(nr_table_each(t, is_in_model, &left), 0);
	assert_true(left.count == 0);
	nr_table_destroy(t);
	nr_table_destroy(NULL);
}

/* Many: buckets and arena grow again and again, and nothing gets lost. */
static void table_grows(void **state)
{
	uint64_t n = 300000 / slowness;
	struct nr_table *t;

	(void)state;
	assert_int_equal(nr_table_create(&t), 0);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(nr_table_put(t, &i, 8, &i, 8, 0), 0);
		if (i % 3 == 2) {
			uint64_t gone = i / 3;

			assert_int_equal(nr_table_remove(t, &gone, 8), 0);
		}
	}
	assert_true(nr_table_count(t) == n - n / 3);
	for (uint64_t i = 0; i < n; i++) {
		const void *v = nr_table_get(t, &i, 8, NULL);

		assert_int_equal(v != NULL, i >= n / 3);
		assert_true(!v || !memcmp(v, &i, 8));
	}
	nr_table_destroy(t);
}

/* Who goes through the table may come back with a key that lies in it. */
static int save_key(const void *key, size_t klen, const void *value,
		    size_t vlen, void *arg)
{
	(void)klen;
	(void)value;
	(void)vlen;
	*(const void **)arg = key;
	return 1;
}

static void table_own_key(void **state)
{
	static const char old[40];
	const void *own = NULL, *v;
	struct nr_table *t;
	size_t len;

	(void)state;
	for (size_t had = 0; had <= sizeof(old); had++)
		for (size_t gets = 0; gets <= sizeof(old); gets++) {
			assert_int_equal(nr_table_create(&t), 0);
			assert_int_equal(nr_table_put(t, "key", 3, old, had, 0),
					 0);
			assert_int_equal(nr_table_each(t, save_key, &own), 1);
			assert_int_equal(nr_table_put(t, own, 3, old, gets, 0),
					 1);
			v = nr_table_get(t, "key", 3, &len);
			assert_non_null(v);
			assert_int_equal(len, gets);
			assert_true(nr_table_count(t) == 1);
			nr_table_destroy(t);
		}
}

/* ---- a full bucket ------------------------------------------------------ */

#define CROWD 60

/* Is it there, as it was put there for the @n-th time? */
static void look_at(const struct table *t, const struct table_key *key, int n)
{
	struct table_entry e = { .key = NULL };

	assert_int_equal(table_find(t, key, &e), n >= 0);
	if (n < 0)
		return;
	assert_int_equal(e.klen, key->len);
	assert_memory_equal(e.key, key->bytes, key->len);
	assert_int_equal(e.vlen, n % 23);
	for (uint32_t i = 0; i < e.vlen; i++)
		assert_int_equal(e.value[i], n & 255);
}

static int count_one(const struct table_entry *e, void *arg)
{
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

/* Put and remove at random, and look at all, each time. */
static void crowd(struct table *t, const struct table_key *keys, int *there,
		  uint64_t *rng, unsigned times)
{
	unsigned char value[23];

	while (times--) {
		unsigned i = (unsigned)(sched_random(rng) % CROWD), n = 0;

		if (sched_random(rng) % 3) {
			int new = (int)(sched_random(rng) % 10000);

			memset(value, new & 255, sizeof(value));
			assert_int_equal(table_put(t, &keys[i], value,
						   (uint32_t) new % 23, 0),
					 there[i] >= 0);
			there[i] = new;
		} else {
			assert_int_equal(table_remove(t, &keys[i]),
					 there[i] >= 0 ? 0 : -ENOENT);
			there[i] = -1;
		}
		for (i = 0; i < CROWD; i++)
			look_at(t, &keys[i], there[i]);
		assert_int_equal(table_each(t, count_one, &n), 0);
		assert_int_equal(n, t->count);
	}
}

/* On free lists, whose classes are those of arena.c, and behind all */
static uint64_t units_free(const struct arena *a)
{
	uint64_t units = a->chunks[a->n - 1].units - a->used;

	for (unsigned i = 0; i < ARENA_CLASSES; i++) {
		uint64_t each =
			i < 8 ? i + 1 : (5 + (i - 8) % 4) << ((i - 8) / 4 + 1);

		for (arena_ref at = a->free[i]; at;
		     memcpy(&at, arena_at(a, at), sizeof(at)))
			units += each;
	}
	return units;
}

/*
 * Many entries of all lengths in one bucket: more than it has slots. That part
 * by part they move to others, at a time when none can have memory, loses none;
 * and when all are gone, none of their memory is.
 */
static void table_crowded(void **state)
{
	static unsigned char bytes[CROWD][40];
	struct table_key keys[CROWD];
	uint64_t rng = 1, hash;
	int there[CROWD];
	struct table t;
	uint32_t bits;

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(table_init(&t, 7), 0);
	assert_int_equal(arena_first(&t.arena, 60000), 0);
	for (unsigned i = 0; i < CROWD; i++) {
		uint32_t len = i % 4 ? 4 + i % 14 : 4 + i % 37;

		for (uint64_t n = i * 1000000;; n++) {
			memcpy(bytes[i], &n, 4);
			hash = hash_bytes(bytes[i], len, 7);
			/* All in the last of 64, which moves last; then a few
			 * have a dozen each, and at last most have their own.
			 */
			if ((hash & 63) == 63)
				break;
		}
		keys[i] = (struct table_key){ hash, bytes[i], len };
		there[i] = -1;
	}
	crowd(&t, keys, there, &rng, 3000);
	for (bits = t.bits + 3; bits < 17; bits += 3) {
		while (t.old)
			table_move_some(&t);
		table_add(&t,
			  mem_node_alloc(table_bytes(bits), -1, NR_MEMORY_ANY),
			  bits);
		crowd(&t, keys, there, &rng, 500);
	}
	for (unsigned i = 0; i < CROWD; i++)
		if (there[i] >= 0)
			assert_int_equal(table_remove(&t, &keys[i]), 0);
	assert_true(t.count == 0);
	for (uint64_t i = 0; i < table_bytes(t.bits); i++)
		assert_int_equal(((unsigned char *)t.buckets)[i], 0);
	assert_true(units_free(&t.arena) + 1 == t.arena.all);
	table_fini(&t);
}

/*
 * A put into a full bucket takes two records, and there is room for one: then
 * nothing has changed.
 */
static void table_full_bucket(void **state)
{
	uint64_t words[TABLE_SLOTS + 1], n = 0, value = 5;
	struct table_key keys[TABLE_SLOTS + 1];
	arena_ref last = 0, before = 0, ref;
	struct table t;

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(table_init(&t, 7), 0);
	assert_int_equal(arena_first(&t.arena, 1000), 0);
	for (unsigned i = 0; i <= TABLE_SLOTS; i++) {
		do {
			words[i] = n++;
			keys[i].hash = hash_bytes(&words[i], 8, 7);
		} while (keys[i].hash & 31);
		keys[i].bytes = &words[i];
		keys[i].len = 8;
	}
	for (unsigned i = 0; i < TABLE_SLOTS; i++)
		assert_int_equal(table_put(&t, &keys[i], &value, 8, 0), 0);
	while ((ref = arena_alloc(&t.arena, table_record(8, 8)))) {
		before = last;
		last = ref;
	}
	for (unsigned room = 0; room < 2; room++) {
		if (room)
			arena_free(&t.arena, last, table_record(8, 8));
		for (unsigned times = 0; times < 3; times++)
			assert_int_equal(
				table_put(&t, &keys[TABLE_SLOTS], &value, 8, 0),
				-ENOMEM);
		assert_true(t.count == TABLE_SLOTS);
		for (unsigned i = 0; i <= TABLE_SLOTS; i++) {
			struct table_entry e;

			assert_int_equal(table_find(&t, &keys[i], &e),
					 i < TABLE_SLOTS);
		}
	}
	arena_free(&t.arena, before, table_record(8, 8));
	assert_int_equal(table_put(&t, &keys[TABLE_SLOTS], &value, 8, 0), 0);
	for (unsigned i = 0; i <= TABLE_SLOTS; i++)
		assert_int_equal(table_remove(&t, &keys[i]), 0);
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_blocks),
		cmocka_unit_test(arena_many_chunks),
		cmocka_unit_test(table_is_a_map),
		cmocka_unit_test(table_grows),
		cmocka_unit_test(table_own_key),
		cmocka_unit_test(table_crowded),
		cmocka_unit_test(table_full_bucket),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
