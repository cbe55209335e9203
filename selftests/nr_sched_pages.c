/* SPDX-License-Identifier: MIT */
/*
 * nr_sched_pages.c - memory of nodes, without the kernel
 *
 * A schedule takes microseconds, and the twenty mappings that its replicas are
 * made of take ten times that. A test that is linked with --wrap for these
 * functions gets them from what earlier schedules have given back: zeroed, and
 * until then filled with what nobody would take for his own. Policies are of no
 * use then, and left out. (Builds with sanitizers, and all other tests, have
 * the kernel's: there what is unmapped faults.)
 */
#include <linux/mempolicy.h>
#include <pthread.h>
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

#define PAGE 4096u
#define SIZES 64u /* lists: of 1 to 63 pages; more are the kernel's */

struct area {
	struct area *next;
};

static struct area *areas[SIZES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t pages_of(size_t size)
{
	return (size + PAGE - 1) / PAGE;
}

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	const size_t n = pages_of(size);
	struct area *a = NULL;

	if (!at && (flags & MAP_PRIVATE) && fd == -1 && n < SIZES) {
		pthread_mutex_lock(&lock);
		a = areas[n];
		if (a)
			areas[n] = a->next;
		pthread_mutex_unlock(&lock);
	}
	return a ? memset(a, 0, n * PAGE)
		 : __real_mmap(at, size, prot, flags, fd, offset);
}

int __wrap_munmap(void *at, size_t size)
{
	const size_t n = pages_of(size);
	struct area *a = at;

	if (n >= SIZES)
		return __real_munmap(at, size);
	memset(at, 0xa5, n * PAGE);
	pthread_mutex_lock(&lock);
	/* Who unmaps twice finds it out here. */
	for (const struct area *b = areas[n]; b; b = b->next)
		if (b == a)
			abort();
	a->next = areas[n];
	areas[n] = a;
	pthread_mutex_unlock(&lock);
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
