/* SPDX-License-Identifier: MIT */
#ifdef __x86_64__
#include "vmfunc_thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fork.h"
#include "skyipc_dev.h"
#include "view/layout.h"
#include "vmfunc_map.h"

#define PAGE 4096

/* The calling thread's own reference */
static __thread struct vmfunc_thread *mine;
static __thread int in_vain; /* there can be none */

/* All, for fork() */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmfunc_thread *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* only for its destructor */
static int key_err;

static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
}

/* Views are the parent's: its child has neither the pages nor the right. */
static void fork_done(int child)
{
	if (child) {
		for (struct vmfunc_thread *t = all; t; t = t->next) {
			close(t->fd);
			t->fd = -1;
			t->page = NULL; /* it is not inherited */
		}
		mine = NULL;
		in_vain = 0;
	}
	pthread_mutex_unlock(&lock);
}

static void thread_exit(void *arg)
{
	mine = NULL;
	in_vain = 1;
	vmfunc_thread_put(arg);
}

static void init(void)
{
	/* A thread that ends puts it with the table of connections locked. */
	static struct fork_hook hook = { .prepare = fork_prepare,
					 .done = fork_done,
					 .inner = 1 };

	key_err = pthread_key_create(&key, thread_exit);
	fork_hook_add(&hook);
}

static uint64_t fs_base(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

static void put(struct vmfunc_thread *t, unsigned at, uint64_t value)
{
	memcpy(t->page + at, &value, sizeof(value));
}

static int attach(struct vmfunc_thread *t, int conn)
{
	char why[160];
	void *page = MAP_FAILED;

	if (vmfunc_map(conn, why, sizeof(why)))
		return -1;
	/* Locked: fork() finds it in the list, or not at all. */
	pthread_mutex_lock(&lock);
	t->fd = ioctl(conn, SKYIPC_DEV_VIEW);
	if (t->fd >= 0) {
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    t->fd, 0);
		if (page == MAP_FAILED) {
			close(t->fd);
			t->fd = -1;
		}
	}
	if (t->fd >= 0) {
		t->page = page;
		t->next = all;
		t->at = &all;
		if (all)
			all->at = &t->next;
		all = t;
	}
	pthread_mutex_unlock(&lock);
	if (t->fd < 0)
		return -1;
	/* What the return gate sets when it goes home; 0x202: interrupts on. */
	put(t, VIEW_THREAD_FLAGS, 0x202);
	put(t, VIEW_THREAD_FS, fs_base());
	put(t, VIEW_THREAD_GS, 0);
	return 0;
}

struct vmfunc_thread *vmfunc_thread_get(int conn)
{
	struct vmfunc_thread *t = mine;

	if (in_vain)
		return NULL;
	pthread_once(&once, init);
	if (!t && !key_err) {
		t = calloc(1, sizeof(*t));
		/* The thread's own reference */
		if (t)
			atomic_init(&t->refs, 1);
		if (t && (attach(t, conn) || pthread_setspecific(key, t))) {
			vmfunc_thread_put(t);
			t = NULL;
		}
		mine = t;
	}
	/* The module has one for each thread: nor will it be there next time.
	 */
	if (!t) {
		in_vain = 1;
		return NULL;
	}
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void vmfunc_thread_put(struct vmfunc_thread *t)
{
	/* Release what was done with it, acquire what others did. */
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_lock(&lock);
	if (t->at) {
		*t->at = t->next;
		if (t->next)
			t->next->at = t->at;
	}
	if (t->fd >= 0)
		close(t->fd);
	pthread_mutex_unlock(&lock);
	if (t->page)
		munmap(t->page, PAGE);
	free(t);
}
#endif
