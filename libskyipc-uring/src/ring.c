/* SPDX-License-Identifier: MIT */
/*
 * ring.c - one ring: transfers go in, results come out
 *
 * What is done for each transfer touches memory that has been there since the
 * ring was made, and calls nothing but inline functions of liburing's. (Its
 * io_uring_peek_cqe() and io_uring_submit() do not make system calls either
 * while all is well. But they do not tell whether they have, and we count.)
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "uring.h"

/* ---- making one ---------------------------------------------------------- */

static void say(struct skyipc_uring *u, const char *what, int err)
{
	snprintf(u->why, sizeof(u->why), "%s: %s", what, strerror(-err));
}

static int set_up(struct ring *r, const struct skyipc_uring_attr *attr,
		  const struct ring *first)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_CLAMP,
		.sq_thread_idle = attr->idle_ms,
	};
	int err;

	if (first) {
		p.flags |= IORING_SETUP_ATTACH_WQ;
		p.wq_fd = (uint32_t)first->uring.ring_fd;
	} else if (attr->set_cpu) {
		p.flags |= IORING_SETUP_SQ_AFF;
		p.sq_thread_cpu = attr->cpu;
	}
	/*
	 * Twice what there will be under way: the poller gives back the places
	 * of what it has taken out at once (so many at most) when it is through
	 * with all of it; meanwhile we may have seen the results, and put as
	 * many in again. So there always is a place.
	 */
	err = io_uring_queue_init_params(
		(uint32_t)min_u64(attr->depth, UINT32_MAX / 2) * 2, &r->uring,
		&p);
	if (err)
		return err;
	r->room = r->uring.sq.ring_entries / 2;
	/* Before 5.11 its poller knew registered files only. */
	if (!(r->uring.features & IORING_FEAT_SQPOLL_NONFIXED)) {
		io_uring_queue_exit(&r->uring);
		return -EOPNOTSUPP;
	}
	return 0;
}

int ring_make(struct skyipc_uring *u, const struct skyipc_uring_attr *attr,
	      const struct ring *first, struct ring **out)
{
	struct ring *r = aligned_alloc(_Alignof(struct ring), sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->files = u->files;
	r->poll_ticks = ns_to_ticks(attr->poll_ns);
	err = set_up(r, attr, first);
	if (err) {
		free(r);
		return err;
	}
	/* Without them it is the same, but slower. */
	if (u->nfiles) {
		err = io_uring_register_files(&r->uring, u->files, u->nfiles);
		r->has_files = !err;
		if (err)
			say(u, "registering files", err);
	}
	if (u->nbuffers) {
		err = io_uring_register_buffers(&r->uring, u->buffers,
						u->nbuffers);
		r->has_buffers = !err;
		if (err)
			say(u, "registering buffers", err);
	}
	*out = r;
	return 0;
}

void ring_free(struct ring *r)
{
	/*
	 * The kernel takes a ring apart some time after it has been closed. Its
	 * files and buffers are let go of before.
	 */
	if (r->has_files)
		io_uring_unregister_files(&r->uring);
	if (r->has_buffers)
		io_uring_unregister_buffers(&r->uring);
	ring_leave(r);
	free(r);
}

void ring_leave(struct ring *r)
{
	io_uring_queue_exit(&r->uring);
}

/* ---- putting in ---------------------------------------------------------- */

static void put(struct ring *r, uint32_t i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->uring);
	const struct skyipc_uring_io *io = &r->io[i];
	uint64_t offset = (uint64_t)io->offset + (uint64_t)io->result;
	char *buf = (char *)io->buf + io->result;
	int fixed = r->has_buffers && (io->flags & SKYIPC_URING_BUFFER);

	switch (io->op) {
	case SKYIPC_URING_READ:
		io_uring_prep_rw(fixed ? IORING_OP_READ_FIXED : IORING_OP_READ,
				 sqe, io->fd, buf, io_left(io), offset);
		break;
	case SKYIPC_URING_WRITE:
		io_uring_prep_rw(fixed ? IORING_OP_WRITE_FIXED
				       : IORING_OP_WRITE,
				 sqe, io->fd, buf, io_left(io), offset);
		if (io->flags & SKYIPC_URING_ONDISK)
			sqe->rw_flags = RWF_DSYNC;
		break;
	default:
		io_uring_prep_fsync(sqe, io->fd,
				    io->op == SKYIPC_URING_DATASYNC
					    ? IORING_FSYNC_DATASYNC
					    : 0);
	}
	if (fixed)
		sqe->buf_index = (uint16_t)io->buffer;
	if (io->flags & SKYIPC_URING_FILE) {
		if (r->has_files)
			sqe->flags |= IOSQE_FIXED_FILE;
		else
			sqe->fd = r->files[io->fd];
	}
	sqe->user_data = i;
}

/* The poller sees what has been put in, and is awake. */
static void flush(struct ring *r)
{
	struct io_uring_sq *sq = &r->uring.sq;

	if (sq->sqe_head == sq->sqe_tail)
		return;
	sq->sqe_head = sq->sqe_tail;
	/* Pairs with the poller's acquire: it sees the entries filled in. */
	io_uring_smp_store_release(sq->ktail, sq->sqe_tail);
	/*
	 * Pairs with the poller's barrier between saying that it sleeps and
	 * looking at the tail once more: either it sees ours, or we see that.
	 */
	io_uring_smp_mb();
	if (likely(!(IO_URING_READ_ONCE(*sq->kflags) & IORING_SQ_NEED_WAKEUP)))
		return;
	stat_add(r->wakes, 1);
	io_uring_enter((unsigned)r->uring.ring_fd, 0, 0, IORING_ENTER_SQ_WAKEUP,
		       NULL);
}

static void fill(struct skyipc_uring *u, struct ring *r)
{
	while (r->next < r->n && r->under_way < r->room) {
		struct skyipc_uring_io *io = &r->io[r->next];
		int err = io_check(u, io);

		io->result = err;
		if (!err) {
			put(r, r->next);
			r->under_way++;
		}
		r->next++;
	}
	flush(r);
}

void ring_start(struct skyipc_uring *u, struct ring *r,
		struct skyipc_uring_io *io, uint32_t n)
{
	r->io = io;
	r->n = n;
	r->next = 0;
	r->under_way = 0;
	fill(u, r);
}

/* ---- taking out ---------------------------------------------------------- */

/* All results that are there. */
static void reap(struct ring *r)
{
	struct io_uring_cqe *cqe;
	uint32_t n = 0, ended = 0;
	unsigned head;

	io_uring_for_each_cqe(&r->uring, head, cqe)
	{
		uint32_t i = (uint32_t)cqe->user_data;

		n++;
		if (io_add(&r->io[i], cqe->res))
			put(r, i);
		else
			ended++;
	}
	io_uring_cq_advance(&r->uring, n);
	r->under_way -= ended;
	stat_add(r->done, ended);
}

/* Until there is a result: first by looking only. */
static void await(struct ring *r)
{
	uint64_t start = ticks();

	do {
		if (io_uring_cq_ready(&r->uring))
			return;
		cpu_relax();
	} while (ticks() - start < r->poll_ticks);
	stat_add(r->waits, 1);
	/*
	 * If that fails, it was a signal; or the process ends, and with it the
	 * poller, and then nobody must write to the array's memory any more.
	 */
	if (io_uring_enter((unsigned)r->uring.ring_fd, 0, 1,
			   IORING_ENTER_GETEVENTS, NULL) < 0)
		sched_yield();
}

void ring_finish(struct skyipc_uring *u, struct ring *r)
{
	for (;;) {
		reap(r);
		fill(u, r);
		if (!r->under_way)
			return;
		await(r);
	}
}
