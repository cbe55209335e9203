/* SPDX-License-Identifier: MIT */
#ifdef __x86_64__
#include "vmfunc_map.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "skyipc_dev.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int mapped;

int vmfunc_map(int fd, char *why, size_t size)
{
	void *want = (void *)SKYIPC_DEV_VIEW_AT, *at = want;
	int err = 0;

	pthread_mutex_lock(&lock);
	if (!mapped)
		at = mmap(want, SKYIPC_DEV_VIEW_SIZE, PROT_READ | PROT_EXEC,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (at == want)
		mapped = 1;
	else
		err = at == MAP_FAILED ? -errno : -EEXIST;
	/* A kernel that knows no MAP_FIXED_NOREPLACE takes it for a hint. */
	if (err == -EEXIST && at != MAP_FAILED)
		munmap(at, SKYIPC_DEV_VIEW_SIZE);
	pthread_mutex_unlock(&lock);
	if (err)
		snprintf(why, size, "the trampoline: %s",
			 err == -EOPNOTSUPP ? "the module has no views"
			 : err == -EEXIST   ? "its address is taken"
					    : strerror(-err));
	return err;
}
#endif
