/* SPDX-License-Identifier: MIT */
/* Hostile clients: what they write into the memory they share. */
#include "hostile.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Every word of the channel, with anything, while others work. */
static void test_scribble(void **state)
{
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	for (int round = 0; round < 4; round++) {
		_Atomic uint64_t *w;
		size_t n = shm_chan_size(RAW_DEPTH) / sizeof(*w);

		raw_open(&r, t.name);
		raw_chan(&r);
		if (round & 1)
			assert_int_equal(raw_bufs(&r, r.chan), 0);
		w = (_Atomic uint64_t *)r.head;
		for (int i = 0; i < 400000; i++) {
			uint64_t v = rnd();
			size_t at = rnd() % n;

			/* Heads that look right come further. */
			if (i % 4 == 0) {
				uint64_t pos = r.pos++;

				at = (size_t)((char *)&r.req[pos % RAW_DEPTH]
						      .head -
					      (char *)w) /
				     sizeof(*w);
				v = (v & UINT64_C(0x001f0000)) |
				    shm_head(pos, 0,
					     (uint32_t)(v >> 60) % OP_FDS_IN);
			}
			atomic_store_explicit(&w[at], v, memory_order_relaxed);
			if (i % 1024 == 0)
				raw_ring(&r);
		}
		honest_goes_on(&t.honest);
		raw_close(&r);
	}
	target_down(&t);
}

static int error_of(uint64_t head)
{
	assert_true(head != 0);
	return shm_head_flags(head) & CALL_ERROR ? (int32_t)shm_head_code(head)
						 : 0;
}

#define EXT(len, buf) ((uint64_t)(len) | (uint64_t)(buf) << 32)

static void test_requests(void **state)
{
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	/* Long parts without buffers, then beyond them. */
	assert_int_equal(error_of(raw_reply(&r, raw_put(&r, 0, CALL_LONG, 8))),
			 -EINVAL);
	assert_int_equal(raw_bufs(&r, r.chan), 0);
	assert_int_equal(error_of(raw_reply(&r, raw_put(&r, 0, CALL_LONG, 8))),
			 0);
	for (uint64_t buf = RAW_BUFS; buf < UINT32_MAX; buf = buf * 3 + 1)
		assert_int_equal(
			error_of(raw_reply(
				&r, raw_put(&r, 0, CALL_LONG, EXT(8, buf)))),
			-EINVAL);
	for (uint64_t len = RAW_BUF_SIZE + 1; len <= UINT32_MAX; len *= 2)
		assert_int_equal(
			error_of(raw_reply(
				&r, raw_put(&r, 0, CALL_LONG, EXT(len, 1)))),
			-EINVAL);
	assert_int_equal(error_of(raw_reply(&r, raw_put(&r, 0, CALL_LONG,
							EXT(RAW_BUF_SIZE, 1)))),
			 0);
	for (uint32_t flag = CALL_ERROR; flag < 0x10000; flag <<= 1)
		assert_int_equal(
			error_of(raw_reply(&r, raw_put(&r, 0, flag, 0))),
			-EINVAL);
	assert_int_equal(
		error_of(raw_reply(&r, raw_put(&r, 0, CALL_CANCEL, 0))),
		-ECANCELED);
	assert_true(error_of(raw_reply(&r, raw_put(&r, 0, CALL_FDS, 0))) < 0);
	/* Whatever the handler says to it, it is an answer. */
	assert_true(raw_reply(&r, raw_put(&r, UINT32_MAX, 0, 0)) != 0);
	assert_true(raw_reply(&r, raw_put(&r, UINT32_MAX, 0xffff, 0)) != 0);
	raw_close(&r);
	target_down(&t);
}

static uint64_t counted(struct raw *r)
{
	uint64_t pos = raw_put(r, OP_COUNTED, 0, 0);

	assert_true(raw_reply(r, pos) != 0);
	return atomic_load(&r->rep[pos % RAW_DEPTH].w[0]);
}

/* A request is run once, and no request out of turn. */
static void test_replays(void **state)
{
	struct target t;
	uint64_t was, pos;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	was = counted(&r);
	for (unsigned i = 0; i < 3 * RAW_DEPTH; i++) {
		pos = raw_put(&r, OP_COUNT, 0, 0);
		assert_true(raw_reply(&r, pos) != 0);
		/* Again, later, earlier, in every slot. */
		for (uint64_t s = 0; s < RAW_DEPTH; s++)
			for (int64_t d = -2; d <= 2; d++)
				if ((pos + 1) % RAW_DEPTH != s || d != 1)
					atomic_store(&r.req[s].head,
						     shm_head(pos + (uint64_t)d,
							      0, OP_COUNT));
		raw_ring(&r);
		assert_int_equal(counted(&r), was + i + 1);
	}
	raw_close(&r);
	target_down(&t);
}

/* The word by which the sides tell each other that they sleep. */
static void test_park_words(void **state)
{
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	for (uint32_t i = 0; i < 2000; i++) {
		uint64_t pos;

		atomic_store(&r.head->client.park, (uint32_t)rnd());
		atomic_store(&r.head->client.cpu, (uint32_t)rnd());
		atomic_store(&r.head->server.cpu, (uint32_t)rnd());
		pos = raw_put(&r, OP_ECHO, 0, 0);
		atomic_store(&r.head->server.park, (uint32_t)rnd());
		raw_ring(&r);
		if (!WAIT_FOR(shm_ready(&r.rep[pos % RAW_DEPTH], pos,
					&(uint64_t){ 0 })))
			fail_msg("who rings is not served");
	}
	raw_close(&r);
	target_down(&t);
}

static int rings_until_dropped(struct raw *r, int max)
{
	char byte;

	for (int i = 0; i < max; i++) {
		raw_ring(r);
		if (!(i & 63) &&
		    recv(r->sock, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
			return 1;
		if (!(i & 7))
			sched_yield();
	}
	return 0;
}

/* Nobody needs to serve a bell that rings for nothing. */
static void test_bell_flood(void **state)
{
	const struct variant *v = *state;
	uint64_t fill = UINT64_C(0xfffffffffffffffe);
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	/* A polling server does not listen. */
	if (v->mode != SKYIPC_POLLING)
		assert_true(rings_until_dropped(&r, 3000000));
	raw_close(&r);
	honest_goes_on(&t.honest);

	/* Full, so that nobody can ring; emptied behind the server's back. */
	raw_open(&r, t.name);
	raw_chan(&r);
	if (write(r.bell, &fill, sizeof(fill)) < 0)
		assert_int_equal(errno, EAGAIN);
	raw_ring(&r);
	honest_goes_on(&t.honest);
	assert_int_equal(read(r.bell, &fill, sizeof(fill)), sizeof(fill));
	assert_int_equal(error_of(raw_reply(&r, raw_put(&r, 0, 0, 0))), 0);
	raw_close(&r);
	target_down(&t);
}

/* Who rings late, when the call is being served already, is not hostile. */
static void test_late_rings(void **state)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	const struct variant *v = *state;
	struct target t;
	struct raw r;

	if (v->mode != SKYIPC_ADAPTIVE || cpus_allowed() < 2)
		return; /* every call is rung for */
	/* Alone, and side by side, it sees requests without being rung for. */
	attr.spin_ns = 3600000000000u;
	pin_to(0);
	target_up(&t, state, &attr);
	child_kill(&t.honest);
	pin_to(1);
	raw_open(&r, t.name);
	raw_chan(&r);
	assert_true(raw_reply(&r, raw_put(&r, 0, 0, 0)) != 0);
	for (int i = 0; i < 30000; i++) {
		uint64_t pos = raw_put(&r, OP_ECHO, 0, 0), head;
		uint64_t until = time_ns() + LIMIT_MS * UINT64_C(1000000);

		if (atomic_load(&r.head->server.park) != SHM_AWAKE)
			raw_ring(&r);
		while (!shm_ready(&r.rep[pos % RAW_DEPTH], pos, &head))
			if (time_ns() > until)
				fail_msg("no reply to call %d", i);
		raw_ring(&r);
		/* Until it has heard that, with nothing to do. */
		until = time_ns() + 45000;
		while (time_ns() < until)
			;
	}
	assert_true(raw_reply(&r, raw_put(&r, 0, 0, 0)) != 0);
	raw_close(&r);
	pin_to(-1);
	honest_start(&t.honest, t.name);
	target_down(&t);
}

static void test_seals(void **state)
{
	struct target t;
	struct raw r;

	target_up(&t, state, NULL);
	raw_open(&r, t.name);
	raw_chan(&r);
	assert_int_equal(ftruncate(r.mem_fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(r.mem_fd, 1 << 20), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(r.mem_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	/* Holes are zeros for both sides, nothing worse. */
	assert_int_equal(fallocate(r.mem_fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, 4096),
			 0);
	assert_int_equal(error_of(raw_reply(&r, raw_put(&r, 0, 0, 0))), 0);
	raw_close(&r);
	target_down(&t);
}

const struct CMUnitTest memory_tests[] = {
	cmocka_unit_test(test_scribble),   cmocka_unit_test(test_requests),
	cmocka_unit_test(test_replays),	   cmocka_unit_test(test_park_words),
	cmocka_unit_test(test_bell_flood), cmocka_unit_test(test_late_rings),
	cmocka_unit_test(test_seals),
};
const size_t nmemory_tests = ARRAY_LEN(memory_tests);
