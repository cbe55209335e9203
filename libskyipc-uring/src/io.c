/* SPDX-License-Identifier: MIT */
/* io.c - transfers: through a ring if one is free, else by system calls */
#include <errno.h>

#include "uring.h"

/*
 * A ring for the caller, or NULL. Threads begin to look at different ones, and
 * each at the same one again: they are told apart by where their stacks are,
 * for thread-local storage may have to be made first.
 */
static struct ring *take(struct skyipc_uring *u)
{
	uint64_t sp = (uintptr_t)__builtin_frame_address(0);
	uint32_t i;

	if (!u->nrings)
		return NULL;
	/* Multiplied by the golden ratio, all bits tell on the upper ones. */
	i = (uint32_t)((sp >> 16) * UINT64_C(0x9e3779b97f4a7c15) >> 32) %
	    u->nrings;
	for (uint32_t n = 0; n < u->nrings; n++) {
		struct ring *r = u->rings[(i + n) % u->nrings];

		/* (Looking does not take the cache line from its owner.) */
		if (!atomic_load_explicit(&r->taken, memory_order_relaxed) &&
		    !atomic_exchange_explicit(&r->taken, 1,
					      memory_order_acquire))
			return r;
	}
	return NULL;
}

static void give_back(struct ring *r)
{
	r->io = NULL;
	/* Pairs with the exchange of the next one who takes it. */
	atomic_store_explicit(&r->taken, 0, memory_order_release);
}

static void all_direct(struct skyipc_uring *u, struct skyipc_uring_io *io,
		       uint32_t n)
{
	uint64_t direct = 0;

	for (uint32_t i = 0; i < n; i++) {
		io[i].result = io_check(u, &io[i]);
		if (io[i].result)
			continue;
		io_direct(u, &io[i]);
		direct++;
	}
	atomic_fetch_add_explicit(&u->direct, direct, memory_order_relaxed);
	if (u->nrings)
		atomic_fetch_add_explicit(&u->busy, 1, memory_order_relaxed);
}

SKY_PUBLIC int skyipc_uring_submit(struct skyipc_uring *u,
				   struct skyipc_uring_io *io, uint32_t n)
{
	struct ring *r;

	if (u->forked)
		return -ECHILD;
	if (!n)
		return 0;
	r = take(u);
	io[0].own = r ? r->number : 0;
	if (r)
		ring_start(u, r, io, n);
	else
		all_direct(u, io, n);
	return 0;
}

SKY_PUBLIC int skyipc_uring_wait(struct skyipc_uring *u,
				 struct skyipc_uring_io *io, uint32_t n)
{
	struct ring *r;

	if (u->forked)
		return -ECHILD;
	if (!n || !io[0].own)
		return 0;
	r = u->rings[io[0].own - 1];
	ring_finish(u, r);
	io[0].own = 0;
	give_back(r);
	return 0;
}

static int64_t one(struct skyipc_uring *u, struct skyipc_uring_io io)
{
	int err = skyipc_uring_submit(u, &io, 1);

	if (!err)
		err = skyipc_uring_wait(u, &io, 1);
	return err ? err : io.result;
}

SKY_PUBLIC ssize_t skyipc_uring_read(struct skyipc_uring *u, int fd, void *buf,
				     size_t len, int64_t offset)
{
	return one(u, (struct skyipc_uring_io){ .op = SKYIPC_URING_READ,
						.fd = fd,
						.buf = buf,
						.len = len,
						.offset = offset });
}

SKY_PUBLIC ssize_t skyipc_uring_write(struct skyipc_uring *u, int fd,
				      const void *buf, size_t len,
				      int64_t offset)
{
	return one(u, (struct skyipc_uring_io){ .op = SKYIPC_URING_WRITE,
						.fd = fd,
						.buf = (void *)(uintptr_t)buf,
						.len = len,
						.offset = offset });
}

SKY_PUBLIC int skyipc_uring_sync(struct skyipc_uring *u, int fd)
{
	return (int)one(u, (struct skyipc_uring_io){ .op = SKYIPC_URING_SYNC,
						     .fd = fd });
}
