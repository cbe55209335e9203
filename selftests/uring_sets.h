/* SPDX-License-Identifier: MIT */
/* uring_sets.h - files, and sets of rings of both kinds, for tests */
#ifndef SKY_URING_SETS_H
#define SKY_URING_SETS_H

#include "testlib.h"

#include <dirent.h>
#include <fcntl.h>

#include "skyipc_uring.h"

/* A file without a name, of @size bytes of pattern(0) */
static inline int file_of(size_t size)
{
	char path[] = "/tmp/uring-test-XXXXXX";
	char *data = malloc(size);
	int fd = mkostemp(path, O_CLOEXEC);

	CHECK(fd >= 0 && data && !unlink(path));
	pattern_fill(data, size, 0);
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	free(data);
	return fd;
}

/* Byte @at and those behind it are the file's as it was. */
static inline int file_is(const void *data, size_t len, size_t at)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] != pattern(0, at + i))
			return 0;
	return 1;
}

/*
 * Has this machine rings? (Valgrind lets no other thread run while one waits in
 * io_uring_enter(); what it tells of the rest, ASan does.)
 */
static inline int rings_here(void)
{
	struct skyipc_uring_attr attr = SKYIPC_URING_ATTR_INIT;
	struct skyipc_uring *u;

	if (under_valgrind())
		return 0;
	attr.flags = SKYIPC_URING_REQUIRED;
	if (skyipc_uring_create(&attr, &u))
		return 0;
	skyipc_uring_destroy(u);
	return 1;
}

/* With @flags; skipped where there are no rings, if they are required. */
static inline struct skyipc_uring *set_of(struct skyipc_uring_attr *attr,
					  uint32_t flags)
{
	struct skyipc_uring *u;

	if ((flags & SKYIPC_URING_REQUIRED) && !rings_here())
		skip();
	attr->flags = flags;
	assert_int_equal(skyipc_uring_create(attr, &u), 0);
	return u;
}

static inline struct skyipc_uring_stats stats_of(struct skyipc_uring *u)
{
	struct skyipc_uring_stats s = { .size = sizeof(s) };

	CHECK(!skyipc_uring_stats(u, &s));
	return s;
}

/* One by itself; its result */
static inline int64_t do_io(struct skyipc_uring *u, struct skyipc_uring_io io)
{
	CHECK(!skyipc_uring_submit(u, &io, 1));
	CHECK(!skyipc_uring_wait(u, &io, 1));
	return io.result;
}

/* Of this process's threads those that the kernel has made for rings; how many
 * of them do not sleep, if @awake. */
static inline int pollers(int awake)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	CHECK(dir);
	while ((e = readdir(dir))) {
		char path[64], name[5] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm",
			 e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, name, sizeof(name) - 1) > 0 &&
		    !strcmp(name, "iou-") &&
		    (!awake || state_of(getpid(), atoi(e->d_name)) != 'S'))
			n++;
		close(fd);
	}
	closedir(dir);
	return n;
}

/* They end some time after their set. */
static inline int pollers_end(void)
{
	return WAIT_FOR(!pollers(0));
}

#endif
