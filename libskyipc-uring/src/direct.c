/* SPDX-License-Identifier: MIT */
/* direct.c - what a transfer is, and how it is done without a ring */
#include <errno.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uring.h"

static int in_buffer(const struct skyipc_uring *u,
		     const struct skyipc_uring_io *io)
{
	uintptr_t at = (uintptr_t)io->buf, start;
	size_t size;

	if (io->buffer >= u->nbuffers)
		return 0;
	start = (uintptr_t)u->buffers[io->buffer].iov_base;
	size = u->buffers[io->buffer].iov_len;
	/* In this order none of it overflows. */
	return at >= start && at - start <= size &&
	       io->len <= size - (at - start);
}

int io_check(const struct skyipc_uring *u, const struct skyipc_uring_io *io)
{
	uint32_t flags = SKYIPC_URING_FILE;

	switch (io->op) {
	case SKYIPC_URING_WRITE:
		flags |= SKYIPC_URING_ONDISK;
		/* fallthrough */
	case SKYIPC_URING_READ:
		flags |= SKYIPC_URING_BUFFER | SKYIPC_URING_ALL;
		/* To a ring, -1 would be where the file is at the moment. */
		if (io->offset < 0 ||
		    io->len > (uint64_t)(INT64_MAX - io->offset))
			return -EINVAL;
		break;
	case SKYIPC_URING_SYNC:
	case SKYIPC_URING_DATASYNC:
		break;
	default:
		return -EINVAL;
	}
	if (io->flags & ~flags)
		return -EINVAL;
	if ((io->flags & SKYIPC_URING_FILE) && (uint32_t)io->fd >= u->nfiles)
		return -EBADF;
	if ((io->flags & SKYIPC_URING_BUFFER) && !in_buffer(u, io))
		return -EFAULT;
	return 0;
}

int io_add(struct skyipc_uring_io *io, int64_t res)
{
	/* Signals end no transfer. */
	if (res == -EINTR)
		return 1;
	if (res < 0) {
		/* Bytes that have come are not lost. */
		if (!io->result)
			io->result = res;
		return 0;
	}
	io->result += res;
	return (io->flags & SKYIPC_URING_ALL) && res &&
	       (uint64_t)io->result < io->len;
}

/* To a ring, what has no offsets may have any; and it waits, O_NONBLOCK or not.
 */
static ssize_t stream(int fd, const struct skyipc_uring_io *io)
{
	int reads = io->op == SKYIPC_URING_READ;
	struct pollfd p = { fd, reads ? POLLIN : POLLOUT, 0 };
	char *at = (char *)io->buf + io->result;
	ssize_t n;

	for (;;) {
		n = reads ? read(fd, at, io_left(io))
			  : write(fd, at, io_left(io));
		if (n >= 0 || errno != EAGAIN)
			return n;
		poll(&p, 1, -1);
	}
}

static ssize_t move(int fd, const struct skyipc_uring_io *io)
{
	const struct iovec v = { (char *)io->buf + io->result, io_left(io) };
	int64_t offset = io->offset + io->result;
	ssize_t n;

	if (io->op == SKYIPC_URING_READ)
		n = pread(fd, v.iov_base, v.iov_len, offset);
	else if (io->flags & SKYIPC_URING_ONDISK)
		n = pwritev2(fd, &v, 1, offset, RWF_DSYNC);
	else
		n = pwrite(fd, v.iov_base, v.iov_len, offset);
	return n < 0 && errno == ESPIPE ? stream(fd, io) : n;
}

void io_direct(const struct skyipc_uring *u, struct skyipc_uring_io *io)
{
	int fd = io->flags & SKYIPC_URING_FILE ? u->files[io->fd] : io->fd;
	ssize_t n;

	do {
		if (io->op == SKYIPC_URING_SYNC)
			n = fsync(fd);
		else if (io->op == SKYIPC_URING_DATASYNC)
			n = fdatasync(fd);
		else
			n = move(fd, io);
	} while (io_add(io, n < 0 ? -errno : n));
}
