/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

void view_entered(void);
void view_nested(void);
view_handler_fn *view_handler;
bool view_nests;
void (*view_before_serving)(void);
bool view_keeps_conn;
int view_conn = -1;

void view_map(void)
{
	const int fd = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	void *at = mmap((void *)SKYIPC_DEV_VIEW_AT, SKYIPC_DEV_VIEW_SIZE,
			PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE,
			fd, 0);

	if (at == MAP_FAILED)
		give_up("the trampoline");
	close(fd);
}

static uint64_t base_of_fs(void)
{
	uint64_t base;

	__asm__("rdfsbase %0" : "=r"(base));
	return base;
}

static void put(const struct view_caller *c, unsigned at, uint64_t value)
{
	memcpy(c->page + at, &value, sizeof(value));
}

void view_attach(struct view_caller *c)
{
	const int fd = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);

	c->fd = op(fd, SKYIPC_DEV_VIEW, NULL);
	close(fd);
	if (c->fd < 0)
		give_up("SKYIPC_DEV_VIEW");
	c->page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->page == MAP_FAILED)
		give_up("the thread's page");
	put(c, VIEW_THREAD_FLAGS, 0x202);
	put(c, VIEW_THREAD_FS, base_of_fs());
	put(c, VIEW_THREAD_GS, 0);
}

void view_detach(const struct view_caller *c)
{
	munmap(c->page, 4096);
	close(c->fd);
}

int view_way(const struct view_caller *c, int link, struct view_way *w)
{
	struct skyipc_dev_view_link v = { .size = sizeof(v), .link = link };
	const int err = op(c->fd, SKYIPC_VIEW_LINK, &v);

	*w = (struct view_way){ .link = link, .slot = v.slot, .key = v.key };
	return err;
}

int view_resume(const struct view_way *w, struct view_msg *m)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .flags = SKYIPC_CALL_RESUME,
				     .deadline = SKYIPC_DEV_FOREVER };
	int err;

	do
		err = op(w->link, SKYIPC_LINK_CALL, &c);
	while (err == -EINPROGRESS);
	m->word[0] = (uint64_t)(int64_t)c.msg.status;
	memcpy(&m->word[1], c.msg.words, sizeof(c.msg.words));
	return err;
}

/* Some server has gone home, and it is not the one that was called? */
static bool is_reply(const struct view_way *w, const struct view_msg *m)
{
	return (m->key ^ w->key) <= 1;
}

int view_call(const struct view_caller *c, const struct view_way *w,
	      struct view_msg *m)
{
	const int err = view_enter(m, w->slot, w->key, c->page);

	if (err == -EINPROGRESS || (!err && !is_reply(w, m)))
		return view_resume(w, m);
	return err;
}

int view_nest_way(int link, struct view_way *w)
{
	struct skyipc_dev_nest n = { .size = sizeof(n), .link = link };
	const int err = op(view_worker, SKYIPC_WORKER_NEST, &n);

	*w = (struct view_way){ .link = link, .slot = n.slot, .key = n.key };
	return err;
}

int view_nest_call(const struct view_way *w, struct view_msg *m)
{
	const int err = view_nest(m, w->slot, w->key, view_nest_words);

	/* Those may be what is not there: at home they are brought. */
	if (err == -EAGAIN)
		*(volatile uint64_t *)view_nest_words = 0;
	if (err == -EINPROGRESS || (!err && !is_reply(w, m)))
		return view_resume(w, m);
	return err;
}

int status_of(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 1000 + WTERMSIG(status);
}

/* ---- the server -----------------------------------------------------------
 */

enum { STACK = 64 * 1024 };

struct lender {
	pthread_t thread;
	int server, conn;
	sem_t *ready;
};

/* The worker's own stack, from where it serves */
static __thread void *back[5];
static __thread struct skyipc_dev_serve block;
__thread int view_worker;
__thread uint64_t *view_nest_words;

_Noreturn void view_reply(const struct view_msg *m);

/* On the stack that has been lent: it is free from here on. */
void view_reply(const struct view_msg *m)
{
	block.flags |= SKYIPC_SERVE_REPLY;
	block.token = 0;
	memset(&block.msg, 0, sizeof(block.msg));
	block.msg.status = (int32_t)m->word[0];
	memcpy(block.msg.words, &m->word[1], sizeof(block.msg.words));
	__builtin_longjmp(back, 1);
}

static void serve_lent(void)
{
	int err;

	block = (struct skyipc_dev_serve){ .size = sizeof(block),
					   .deadline = SKYIPC_DEV_FOREVER };
	(void)__builtin_setjmp(back);
	do {
		block.flags |= SKYIPC_SERVE_WAIT;
		err = op(view_worker, SKYIPC_WORKER_SERVE, &block);
	} while (err == -EINTR || err == -ESTALE);
}

/*
 * What a thread has registered for restartable sequences has to go before it
 * lends itself. Old kernels want the very size that it was registered with.
 */
void view_no_rseq(void)
{
	static const uint32_t sizes[] = { 32, 20, 24, 28 };
	const uint32_t signature = 0x53053053;
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	for (unsigned i = 0; __rseq_size && i < 4; i++)
		if (!syscall(SYS_rseq, area, sizes[i], RSEQ_FLAG_UNREGISTER,
			     signature))
			return;
	if (__rseq_size)
		give_up("rseq");
}

static void *lend(void *arg)
{
	const struct lender *l = arg;
	uint8_t *stack =
		mmap(NULL, STACK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct skyipc_dev_lend lend = {
		.size = sizeof(lend),
		.entry = (uintptr_t)view_entered,
		.sp = (uintptr_t)stack + STACK,
		.conn = l->conn,
	};

	view_no_rseq();
	if (view_nests) {
		view_nest_words =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (view_nest_words == MAP_FAILED)
			give_up("words for nested calls");
		lend.nest = (uintptr_t)view_nest_words;
		lend.nest_entry = (uintptr_t)view_nested;
	}
	view_worker = new_worker(l->server);
	if (op(view_worker, SKYIPC_WORKER_LEND, &lend))
		give_up("SKYIPC_WORKER_LEND");
	sem_post(l->ready);
	serve_lent();
	return NULL;
}

pid_t view_server(view_handler_fn *handler, int n, int *conn)
{
	struct lender *lenders = calloc((size_t)n, sizeof(*lenders));
	int socks[2], server, its_conn;
	pid_t pid = server_fork(socks, conn);
	sem_t ready;

	if (pid) {
		free(lenders);
		return pid;
	}
	view_handler = handler;
	if (view_before_serving)
		view_before_serving();
	server = new_server();
	its_conn = new_conn(server, 0);
	sem_init(&ready, 0, 0);
	for (int i = 0; i < n; i++) {
		lenders[i].server = server;
		lenders[i].conn = its_conn;
		lenders[i].ready = &ready;
		if (pthread_create(&lenders[i].thread, NULL, lend, &lenders[i]))
			give_up("pthread_create");
	}
	for (int i = 0; i < n; i++)
		sem_wait(&ready);
	if (view_keeps_conn)
		view_conn = dup(its_conn);
	server_give(socks, its_conn);
	for (int i = 0; i < n; i++)
		pthread_join(lenders[i].thread, NULL);
	_exit(0);
}
