/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fork_hook *hooks; /* latest first; then those that are inner */
static struct fork_fd *fds;

static void prepare(void)
{
	pthread_mutex_lock(&lock);
	for (struct fork_hook *h = hooks; h; h = h->next)
		h->prepare();
}

static void done_from(struct fork_hook *h, int child)
{
	if (!h)
		return;
	done_from(h->next, child);
	h->done(child);
}

static void parent(void)
{
	done_from(hooks, 0);
	pthread_mutex_unlock(&lock);
}

static void child(void)
{
	done_from(hooks, 1);
	while (fds) {
		struct fork_fd *f = fds;

		fds = f->next;
		close(f->fd);
		f->fd = -1;
	}
	pthread_mutex_unlock(&lock);
}

static void init(void)
{
	pthread_atfork(prepare, parent, child);
}

void fork_hook_add(struct fork_hook *hook)
{
	struct fork_hook **at = &hooks;

	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	while (hook->inner && *at && !(*at)->inner)
		at = &(*at)->next;
	hook->next = *at;
	*at = hook;
	pthread_mutex_unlock(&lock);
}

int fork_fd_socket(struct fork_fd *f, int domain, int type)
{
	int ret;

	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	ret = f->fd = socket(domain, type | SOCK_CLOEXEC, 0);
	if (ret < 0) {
		ret = -errno;
	} else {
		f->next = fds;
		f->at = &fds;
		if (fds)
			fds->at = &f->next;
		fds = f;
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

void fork_fd_close(struct fork_fd *f)
{
	pthread_mutex_lock(&lock);
	if (f->fd >= 0) {
		*f->at = f->next;
		if (f->next)
			f->next->at = f->at;
		close(f->fd);
		f->fd = -1;
	}
	pthread_mutex_unlock(&lock);
}
