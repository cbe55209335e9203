/* SPDX-License-Identifier: MIT */
/*
 * skyipc_uring - file I/O of handlers without system calls
 *
 * Over the transport vmfunc a handler runs on its client's thread until it
 * makes a system call; then the call moves to a thread of the server's. With
 * these functions it can read and write files and stay: a thread of the
 * kernel's, the *poller*, takes transfers out of shared memory and puts their
 * results there (io_uring with IORING_SETUP_SQPOLL). Over the other transports
 * they work as well.
 *
 * A set of rings belongs to a process, all threads of which may use it at the
 * same time. Whoever starts transfers takes a free ring and gives it back when
 * they are done: nobody waits for another one, who may be stopped, and no ring
 * belongs to a thread, for a handler may begin on one and end on another.
 *
 * Where there is no io_uring, and where no ring is free, the same functions
 * make system calls, with the same results.
 *
 * Conventions are those of skyipc.h: 0 or a count, or a negative errno value;
 * attribute structures start with their size, and zero is the default;
 * functions may be called from any thread, and from no signal handler; after
 * fork() a set is its maker's, in the child functions return -ECHILD, and
 * destroying it there frees the child's copy.
 */
#ifndef SKYIPC_URING_H
#define SKYIPC_URING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct skyipc_uring;

/** Fail if there is no ring, rather than make system calls. */
#define SKYIPC_URING_REQUIRED 1u
/** Make system calls only. */
#define SKYIPC_URING_DIRECT 2u

/**
 * struct skyipc_uring_attr - how a set of rings is to be
 * @size:     sizeof(struct skyipc_uring_attr).
 * @flags:    SKYIPC_URING_REQUIRED or SKYIPC_URING_DIRECT, or neither.
 * @rings:    how many; default 1. As many as there are handlers that do I/O at
 *            the same time: a server's workers. Each is a descriptor and some
 *            pages.
 * @depth:    transfers that one ring has under way; default 32. A longer array
 *            is worked off little by little.
 * @idle_ms:  the poller looks for work as long as some came within this time,
 *            and takes a CPU for it; default 10. Then it sleeps, and a system
 *            call wakes it.
 * @poll_ns:  how long to look for a result before sleeping in a system call;
 *            default 50 us. 1 sleeps at once.
 * @set_cpu, @cpu: the one CPU on which the poller runs. Default: any.
 * @files, @nfiles: descriptors to be registered, so that the kernel need not
 *            look them up, known by their index (SKYIPC_URING_FILE). They are
 *            duplicated: the caller may close his.
 * @buffers, @nbuffers: memory to be registered, so that the kernel need not pin
 *            it again and again, known by its index (SKYIPC_URING_BUFFER). It
 *            counts against RLIMIT_MEMLOCK, once for each ring; where that is
 *            not enough it is used as any other. It has to stay until the set
 *            is destroyed. (Some kernels register no memory that files are
 *            mapped to, as static data is.)
 */
struct skyipc_uring_attr {
	size_t size;
	uint32_t flags;
	uint32_t rings;
	uint32_t depth;
	uint32_t idle_ms;
	uint64_t poll_ns;
	int set_cpu;
	uint32_t cpu;
	const int *files;
	uint32_t nfiles;
	uint32_t nbuffers;
	const struct iovec *buffers;
};

#ifdef __cplusplus
#define SKYIPC_URING_INIT_(type)                                               \
	([]() {                                                                \
		struct type init_ = {};                                        \
		init_.size = sizeof(init_);                                    \
		return init_;                                                  \
	}())
#else
#define SKYIPC_URING_INIT_(type)                                               \
	{                                                                      \
		.size = sizeof(struct type)                                    \
	}
#endif

#define SKYIPC_URING_ATTR_INIT SKYIPC_URING_INIT_(skyipc_uring_attr)

/**
 * skyipc_uring_create - make a set of rings
 * @attr: attributes or NULL.
 * @out:  the set, the caller's to destroy.
 *
 * All rings of a set share one poller. If some rings cannot be had, there are
 * fewer; if none can, because the kernel has no io_uring, or does not allow it,
 * or because there is only one CPU, the functions below make system calls.
 * skyipc_uring_stats() tells, and why.
 *
 * Return: 0; -EINVAL; -ENOMEM; -EBADF: one of @files is not open; -EMFILE: too
 * many are, to duplicate them; with SKYIPC_URING_REQUIRED also what the kernel
 * said when the first ring was made: -EPERM, -ENOSYS, ...; -EOPNOTSUPP: it is
 * older than 5.11.
 */
int skyipc_uring_create(const struct skyipc_uring_attr *attr,
			struct skyipc_uring **out);

/**
 * skyipc_uring_destroy - free a set of rings
 *
 * Nobody may use it during or after this, and all that was submitted has been
 * waited for: stop the server first. NULL is ignored.
 */
void skyipc_uring_destroy(struct skyipc_uring *u);

/** What a transfer does. */
enum skyipc_uring_op {
	SKYIPC_URING_READ = 0,
	SKYIPC_URING_WRITE,
	SKYIPC_URING_SYNC,     /* fsync(2) */
	SKYIPC_URING_DATASYNC, /* fdatasync(2) */
};

/** @fd is the index of a registered file. */
#define SKYIPC_URING_FILE 1u
/** @buf and @len are within the registered buffer @buffer. */
#define SKYIPC_URING_BUFFER 2u
/** Go on after a short transfer, until an error or the end of the file. */
#define SKYIPC_URING_ALL 4u
/** A write is on the disk when it is done: O_DSYNC, for this one. */
#define SKYIPC_URING_ONDISK 8u

/**
 * struct skyipc_uring_io - one transfer
 * @op:     what to do: enum skyipc_uring_op.
 * @flags:  SKYIPC_URING_FILE, _BUFFER, _ALL, _ONDISK.
 * @fd:     of which file; any descriptor of the process, or an index.
 * @buffer: index of a registered buffer, with SKYIPC_URING_BUFFER.
 * @buf:    where to read to, or write from: memory of the server's, private or
 *          shared; a call's data and reply, too. The kernel's thread touches
 *          it: a page that is not there yet does not make the handler leave.
 * @len:    bytes; more than 0x7ffff000 are cut to that unless SKYIPC_URING_ALL
 *          is set.
 * @offset: in the file; for pipes and sockets it must not be negative and means
 *          nothing, nor does their O_NONBLOCK: what comes later is waited for.
 * @result: bytes, fewer at the end of the file; 0 for syncs; or a negative
 *          errno value, those of pread(2), pwrite(2) and fsync(2); also
 *          -EINVAL: no such operation or flag, -EBADF: no such index, -EFAULT:
 *          not within the buffer. Where ALL has brought some bytes before an
 *          error, it is these bytes.
 * @own:    the library's.
 */
struct skyipc_uring_io {
	uint32_t op;
	uint32_t flags;
	int32_t fd;
	uint32_t buffer;
	void *buf;
	size_t len;
	int64_t offset;
	int64_t result;
	uint64_t own;
};

/**
 * skyipc_uring_submit - start transfers
 * @io: array of transfers; it and the memory it names stay where they are, and
 * are the kernel's, until skyipc_uring_wait() has returned.
 * @n:  how many.
 *
 * They run at the same time and end in any order. They are started without a
 * system call while the poller is awake. Where no ring is free they are done,
 * by system calls, when this returns.
 *
 * Return: 0: to be waited for with the same @io and @n; -ECHILD: not started.
 */
int skyipc_uring_submit(struct skyipc_uring *u, struct skyipc_uring_io *io,
			uint32_t n);

/**
 * skyipc_uring_wait - until all transfers of an array are done
 * @io, @n: as submitted, once.
 *
 * Without a system call if that takes no longer than poll_ns. It has no limit
 * in time, for the kernel would go on using @buf: do not wait here for what may
 * never come. Any thread may wait for what another one has submitted. Signals
 * do not end the wait.
 *
 * Return: 0: each has its result; -ECHILD.
 */
int skyipc_uring_wait(struct skyipc_uring *u, struct skyipc_uring_io *io,
		      uint32_t n);

/**
 * skyipc_uring_read - read from a file as pread(2) does, and wait
 * @fd: any descriptor.
 *
 * Return: bytes, 0 at the end of the file; -errno of pread(2); -ECHILD.
 */
ssize_t skyipc_uring_read(struct skyipc_uring *u, int fd, void *buf, size_t len,
			  int64_t offset);

/** skyipc_uring_write - write to a file as pwrite(2) does, and wait */
ssize_t skyipc_uring_write(struct skyipc_uring *u, int fd, const void *buf,
			   size_t len, int64_t offset);

/** skyipc_uring_sync - wait until a file is on the disk as by fsync(2); 0,
 * -errno */
int skyipc_uring_sync(struct skyipc_uring *u, int fd);

/**
 * struct skyipc_uring_stats - what a set of rings has done
 * @size:    set by the caller to sizeof(struct skyipc_uring_stats) before.
 * @rings:   how many there are; 0: all is done by system calls.
 * @files, @buffers: how many of them have the registered files and buffers. The
 *           others are told descriptors and addresses.
 * @done:    transfers through rings.
 * @direct:  transfers by system calls of their own.
 * @busy:    arrays of which that was so because no ring was free.
 * @wakes:   system calls that woke the poller.
 * @waits:   system calls that waited for a result.
 * @why:     why there are no rings, or fewer than wished, or what they lack; ""
 *           if nothing is missing.
 */
struct skyipc_uring_stats {
	size_t size;
	uint32_t rings;
	uint32_t files;
	uint32_t buffers;
	uint32_t reserved;
	uint64_t done;
	uint64_t direct;
	uint64_t busy;
	uint64_t wakes;
	uint64_t waits;
	char why[128];
};

/**
 * skyipc_uring_stats - counters of a set, all threads
 *
 * Return: 0; -EINVAL: size has not been set.
 */
int skyipc_uring_stats(struct skyipc_uring *u,
		       struct skyipc_uring_stats *stats);

/** skyipc_uring_version - "MAJOR.MINOR.PATCH" of the library at run time */
const char *skyipc_uring_version(void);

#ifdef __cplusplus
}
#endif

#endif /* SKYIPC_URING_H */
