/* SPDX-License-Identifier: MIT */
#include "fork.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fork_hook *hooks; /* latest first */

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
	pthread_mutex_unlock(&lock);
}

static void init(void)
{
	pthread_atfork(prepare, parent, child);
}

void fork_hook_add(struct fork_hook *hook)
{
	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	hook->next = hooks;
	hooks = hook;
	pthread_mutex_unlock(&lock);
}
