/* SPDX-License-Identifier: MIT */
/*
 * nr_sched_pages.c - memory of nodes, without the kernel
 *
 * A schedule takes microseconds, and the twenty mappings that its replicas are
 * made of take ten times that. A test that is linked with --wrap for these
 * functions gets them from what earlier schedules have given back: zeroed, and
 * until then filled with what nobody would take for his own. Policies are of no
 * use then, and left out; and what the nodes are is read once. (Builds with
 * sanitizers, and all other tests, have the kernel's: there what is unmapped
 * faults.)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

void *__real_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *at, size_t size);
long __real_syscall(long nr, ...);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *at, size_t size);
long __wrap_syscall(long nr, ...);
int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *to, size_t size);
int __real_close(int fd);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *to, size_t size);
int __wrap_close(int fd);

#define PAGE 4096u
#define SIZES 64u /* lists: of 1 to 63 pages; more are the kernel's */

struct area {
	struct area *next;
};

static struct area *areas[SIZES];

static size_t pages_of(size_t size)
{
	return (size + PAGE - 1) / PAGE;
}

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	const size_t n = pages_of(size);
	struct area *a;

	if (at || !(flags & MAP_PRIVATE) || fd != -1 || n >= SIZES || !areas[n])
		return __real_mmap(at, size, prot, flags, fd, offset);
	a = areas[n];
	areas[n] = a->next;
	return memset(a, 0, n * PAGE);
}

int __wrap_munmap(void *at, size_t size)
{
	const size_t n = pages_of(size);
	struct area *a = at;

	if (n >= SIZES)
		return __real_munmap(at, size);
	/* Who unmaps twice finds it out here. */
	for (const struct area *b = areas[n]; b; b = b->next)
		if (b == a)
			abort();
	memset(at, 0xa5, n * PAGE);
	a->next = areas[n];
	areas[n] = a;
	return 0;
}

long __wrap_syscall(long nr, ...)
{
	long arg[6];
	va_list ap;

	if (nr == SYS_mbind || nr == SYS_set_mempolicy)
		return 0;
	va_start(ap, nr);
	for (unsigned i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_get_mempolicy && arg[0]) {
		*(int *)(uintptr_t)arg[0] = MPOL_DEFAULT;
		return 0;
	}
	return __real_syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4],
			      arg[5]);
}

/* ---- files, which are read from their beginning ---------------------------
 */

#define FILES 64
#define FIRST_FD (1 << 20) /* files[0]'s */

static struct file {
	char *path, *text;
	ssize_t len, at; /* @len: or -errno */
} files[FILES];

static struct file *file_of(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + FILES ? &files[fd - FIRST_FD]
						       : NULL;
}

static void take_in(struct file *f, const char *path, int flags)
{
	const int fd = __real_open(path, flags);
	size_t cap = 1 << 16;

	f->path = strdup(path);
	f->text = malloc(cap);
	if (!f->path || !f->text)
		abort();
	f->len = fd < 0 ? -errno : __real_read(fd, f->text, cap);
	/* sysfs gives less than a page at once, and all of it. */
	if (f->len == (ssize_t)cap)
		abort();
	if (fd >= 0)
		__real_close(fd);
}

int __wrap_open(const char *path, int flags, ...)
{
	struct file *f = files;

	if ((flags & O_ACCMODE) != O_RDONLY || strncmp(path, "/sys/", 5) != 0)
		return __real_open(path, flags);
	while (f->path && strcmp(f->path, path) != 0)
		if (++f == files + FILES)
			return __real_open(path, flags);
	if (!f->path)
		take_in(f, path, flags);
	if (f->len < 0) {
		errno = (int)-f->len;
		return -1;
	}
	f->at = 0;
	return FIRST_FD + (int)(f - files);
}

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	struct file *f = file_of(fd);
	size_t n;

	if (!f)
		return __real_read(fd, to, size);
	n = (size_t)(f->len - f->at);
	if (n > size)
		n = size;
	memcpy(to, f->text + f->at, n);
	f->at += (ssize_t)n;
	return (ssize_t)n;
}

int __wrap_close(int fd)
{
	return file_of(fd) ? 0 : __real_close(fd);
}
