/* SPDX-License-Identifier: MIT */
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Pages are taken so many bytes at a time: about a millisecond. */
#define PIECE (UINT64_C(4) << 20)
#define PIECE_MIN 4096u

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int memfd_new(const char *name)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	/* Kernels before 6.3 do not know NOEXEC_SEAL and say EINVAL. */
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	return fd < 0 ? -errno : fd;
}

int memfd_begin(const char *name, size_t size, int *fdp, void **mem)
{
	int fd = memfd_new(name);
	int err;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		goto fail;
	*mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*mem == MAP_FAILED)
		goto fail;
	*fdp = fd;
	return 0;
fail:
	err = errno == ENOSPC ? -ENOMEM : -errno;
	close(fd);
	return err;
}

int memfd_fill(int fd, struct memfd_fill *f)
{
	uint64_t left = f->size - f->done, n;

	if (!f->piece)
		f->piece = PIECE;
	n = f->piece < left ? f->piece : left;
	if (!fallocate(fd, 0, (off_t)f->done, (off_t)n)) {
		f->done += n;
		if (f->piece < PIECE)
			f->piece *= 2;
		return f->done < f->size;
	}
	if (errno != EINTR)
		return errno == ENOSPC ? -ENOMEM : -errno;
	/*
	 * A signal undoes what has been done of a piece. Where they come faster
	 * than this machine fills it, half of it may do; a page always does.
	 */
	if (f->piece > PIECE_MIN)
		f->piece /= 2;
	return 1;
}

int memfd_make(const char *name, size_t size, int *fd, void **mem)
{
	struct memfd_fill fill = { .size = size };
	int err = memfd_begin(name, size, fd, mem);

	if (err)
		return err;
	do {
		err = memfd_fill(*fd, &fill);
	} while (err > 0);
	if (err) {
		munmap(*mem, size);
		close(*fd);
	}
	return err;
}

static int memfd_verify(int fd, size_t size, int want)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & want) != want || fstat(fd, &st) < 0 ||
	    st.st_size < 0 || (size_t)st.st_size != size)
		return -EPROTO;
	return 0;
}

int memfd_map(int fd, size_t size, void **mem)
{
	int err = memfd_verify(fd, size, F_SEAL_SHRINK | F_SEAL_GROW);

	if (err)
		return err;
	*mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *mem == MAP_FAILED ? -errno : 0;
}

int memfd_of(const char *name, const void *data, size_t size)
{
	const char *p = data;
	int fd = memfd_new(name);
	int err;

	if (fd < 0)
		return fd;
	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			goto fail;
		p += n;
		size -= (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_WRITE) < 0)
		goto fail;
	return fd;
fail:
	err = errno == ENOSPC ? -ENOMEM : -errno;
	close(fd);
	return err;
}

int memfd_map_const(int fd, size_t size, const void **mem)
{
	int err = memfd_verify(fd, size,
			       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	void *p;

	if (err)
		return err;
	p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*mem = p;
	return 0;
}
