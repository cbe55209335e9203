/* SPDX-License-Identifier: MIT */
/* vmfunc_lender.c - threads that lend their stack to their clients' */
#ifdef __x86_64__
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "block.h"
#include "kcall_dev.h"
#include "kcall_server.h"
#include "kcall_worker.h"
#include "permit.h"
#include "point.h"
#include "vmfunc_frame.h"
#include "vmfunc_lender.h"
#include "vmfunc_map.h"
#include "vmfunc_server.h"

/* So much of a stack is there from the beginning: a fault ends the fast way. */
#define STACK_FILLED (32u << 10)
#define PAGE 4096u

__thread struct vmfunc_lender *my_lender;

/* ---- the thread ---------------------------------------------------------- */

/*
 * The kernel would keep this thread's CPU up to date there, but not while a
 * client's thread runs with it: whoever goes by it (per-CPU data, see rseq(2))
 * would be on somebody else's.
 */
static void forget_rseq(void)
{
#ifdef SKY_HAVE_RSEQ
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	/* glibc says how much of it is of use, and registers at least 32. */
	if (__rseq_size &&
	    syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) < 0)
		syscall(SYS_rseq, area, __rseq_size, RSEQ_FLAG_UNREGISTER,
			RSEQ_SIG);
#endif
}

static int lend(struct vmfunc_lender *l)
{
	struct skyipc_dev_lend attr = {
		.size = sizeof(attr),
		.conn = l->conn->kcall,
		.entry = (uintptr_t)vmfunc_landing,
		.sp = (uintptr_t)l->frame,
		.nest = (uintptr_t)l->frame->nest,
		.nest_entry = (uintptr_t)vmfunc_nested,
	};

	l->worker = kcall_worker_new(l->conn->server, -1);
	if (!l->worker)
		return -EAGAIN;
	return ioctl(l->worker->fd, SKYIPC_WORKER_LEND, &attr) ? -errno : 0;
}

static int wait_in_module(void *arg)
{
	struct kcall_worker *w = arg;

	return kcall_ipc(w->fd, SKYIPC_WORKER_SERVE, &w->serve);
}

/* Until the connection has ended. */
static void wait_for_calls(struct vmfunc_lender *l)
{
	struct skyipc_dev_serve *s = &l->worker->serve;
	int ret;

	s->deadline = DEADLINE_NONE;
	s->flags = SKYIPC_SERVE_WAIT;
	for (;;) {
		ret = vmfunc_wait(l->frame, wait_in_module, l->worker);
		if (ret == 1) {
			s->msg = l->frame->msg;
			s->token = 0;
			s->flags = SKYIPC_SERVE_REPLY | SKYIPC_SERVE_WAIT;
		} else if (ret != -EINTR && ret != -ESTALE) {
			break;
		}
	}
}

static void say(struct vmfunc_lender *l, int state)
{
	struct skyipc_server *server = l->conn->server;

	pthread_mutex_lock(&server->lock);
	l->state = state;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

static void dismiss(struct sconn *conn)
{
	pthread_mutex_lock(&conn->server->lock);
	conn->user->lenders--;
	conn->server->nlenders--;
	pthread_cond_broadcast(&conn->server->changed);
	pthread_mutex_unlock(&conn->server->lock);
}

static void *lender(void *arg)
{
	struct vmfunc_lender *l = arg;
	struct sconn *conn = l->conn;
	struct skyipc_server *server = conn->server;
	int err;

	pthread_setname_np(pthread_self(), "skyipc-lender");
	forget_rseq();
	my_server = server;
	my_lender = l;
	block_hooks = &vmfunc_block_hooks;
	err = lend(l);
	point("server-lent");
	say(l, err ? err : 1);
	if (!err)
		wait_for_calls(l);
	/* A handler has forked, and returned in the child: nothing is there. */
	if (my_server != server)
		return NULL;
	/* What handlers have left to be done at this thread's end may call. */
	block_hooks = NULL;
	my_lender = NULL;
	my_server = NULL;
	pthread_mutex_lock(&server->lock);
	vmfunc_lender_counts(l);
	LIST_REMOVE(l, entry);
	pthread_mutex_unlock(&server->lock);
	kcall_worker_free(l->worker);
	munmap(l->stack, l->size);
	sconn_uncharge(conn, STACK_FILLED, 2);
	pthread_mutex_lock(&server->lock);
	LIST_INSERT_HEAD(&server->lenders_ended, l, entry);
	pthread_mutex_unlock(&server->lock);
	dismiss(conn);
	sconn_put(conn);
	return NULL;
}

/* ---- making them --------------------------------------------------------- */

/* Has Linux turned them on? (SDM, CPUID leaf 7: OSPKE) */
static int has_pkru(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c & bit_OSPKE;
}

static int make_stack(struct vmfunc_lender *l)
{
	size_t size = l->conn->server->attr.stack_size;
	pthread_attr_t attr;
	uint64_t nothing;
	char *top;

	/* A client that knew it could have any handler begin, at any time. */
	if (getentropy(&nothing, sizeof(nothing)) < 0)
		return -errno;
	if (!size) {
		pthread_attr_init(&attr);
		pthread_attr_getstacksize(&attr, &size);
		pthread_attr_destroy(&attr);
	}
	l->size = align_up(max_u64(size, STACK_FILLED), PAGE) + PAGE;
	l->stack = mmap(NULL, l->size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
			-1, 0);
	if (l->stack == MAP_FAILED)
		return -errno;
	/* Its end is a fault, and not somebody else's memory. */
	if (mprotect(l->stack, PAGE, PROT_NONE) < 0) {
		munmap(l->stack, l->size);
		return -errno;
	}
	top = l->stack + l->size;
	for (unsigned i = PAGE; i <= STACK_FILLED; i += PAGE)
		*(volatile char *)(top - i) = 0;
	l->frame = (struct vmfunc_frame *)top - 1;
	l->frame->lender = l;
	l->frame->nothing = nothing;
	l->frame->ext = nothing;
	l->frame->has_pkru = has_pkru();
	l->frame->permits = &l->conn->server->permits.free;
	return 0;
}

static int start_thread(struct vmfunc_lender *l)
{
	sigset_t all, old;
	int err;

	/* Signals are for the application's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&l->thread, NULL, lender, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

/*
 * Of max_threads, as many as are left for the others then; and of what the user
 * may have. (Threads that serve are another max_threads: nested calls may need
 * them.)
 */
static int admit(struct sconn *conn, char *why, size_t size)
{
	struct skyipc_server *server = conn->server;
	struct quota_user *user = conn->user;
	int err = -EAGAIN;

	pthread_mutex_lock(&server->lock);
	if (conn->state == SCONN_OPEN && !server->draining &&
	    user->lenders < server->attr.max_threads - server->nlenders) {
		user->lenders++;
		server->nlenders++;
		err = 0;
	} else {
		snprintf(why, size, "uid %u has %u threads of max_threads",
			 (unsigned)user->uid, (unsigned)user->lenders);
	}
	pthread_mutex_unlock(&server->lock);
	if (err)
		return err;
	err = sconn_charge(conn, STACK_FILLED, 2, why, size);
	if (err)
		dismiss(conn);
	return err;
}

static int start(struct vmfunc_lender *l)
{
	struct sconn *conn = l->conn;
	struct skyipc_server *server = conn->server;
	int err = make_stack(l);

	if (err)
		return err;
	atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
	/* Locked: it is in the list before it takes itself out. */
	pthread_mutex_lock(&server->lock);
	err = start_thread(l);
	if (!err)
		LIST_INSERT_HEAD(&server->lenders, l, entry);
	/* Whoever asks for a channel calls next. */
	while (!err && !l->state)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	if (err) {
		munmap(l->stack, l->size);
		sconn_put(conn);
	}
	return err;
}

static struct vmfunc_lender *one_that_ended(struct skyipc_server *server)
{
	struct vmfunc_lender *l;

	pthread_mutex_lock(&server->lock);
	l = LIST_FIRST(&server->lenders_ended);
	if (l)
		LIST_REMOVE(l, entry);
	pthread_mutex_unlock(&server->lock);
	return l;
}

static void join_ended(struct skyipc_server *server)
{
	struct vmfunc_lender *l;

	while ((l = one_that_ended(server))) {
		pthread_join(l->thread, NULL);
		free(l);
	}
}

void vmfunc_chan_made(struct sconn *conn)
{
	struct skyipc_server *server = conn->server;
	char why[160] = "";
	struct vmfunc_lender *l;
	int err;

	join_ended(server);
	err = admit(conn, why, sizeof(why));
	if (!err) {
		l = calloc(1, sizeof(*l));
		err = -ENOMEM;
		if (l) {
			l->conn = conn;
			err = start(l);
		}
		if (err) {
			free(l);
			sconn_uncharge(conn, STACK_FILLED, 2);
			dismiss(conn);
		}
	}
	if (err)
		server_say(server, SKYIPC_LOG_DEBUG,
			   "pid %d uid %u calls through the module only: %s",
			   (int)conn->peer.pid, (unsigned)conn->peer.uid,
			   why[0] ? why : strerror(-err));
}

/* ---- servers ------------------------------------------------------------- */

int vmfunc_serves(const struct skyipc_server *server, char *why, size_t size)
{
	/*
	 * Who dispatches runs all handlers on that thread; and who says on
	 * which CPUs they run does not want them on others.
	 */
	if (server->has_views && server->state == SERVER_RUNNING &&
	    !server->cpus)
		return 0;
	snprintf(why, size, "the server has no views");
	return -EPROTONOSUPPORT;
}

void vmfunc_server_open(struct skyipc_server *server)
{
	char why[160];
	int dev;

	if (server->kcall < 0)
		return;
	dev = kcall_dev_open(why, sizeof(why));
	if (dev < 0)
		return;
	server->has_views = !vmfunc_map(dev, why, sizeof(why));
	permits_init(&server->permits, (int32_t)server->attr.workers);
	close(dev);
}

void vmfunc_server_close(struct skyipc_server *server)
{
	if (server->has_views)
		permits_close(&server->permits);
}

int vmfunc_server_busy(struct skyipc_server *server)
{
	return server->has_views &&
	       !permits_all_back(&server->permits, server->attr.workers);
}

void vmfunc_server_recall(void *arg)
{
	struct skyipc_server *server = arg;
	struct vmfunc_lender *l;

	pthread_mutex_lock(&server->lock);
	LIST_FOREACH(l, &server->lenders, entry)
	{
		const volatile uint64_t *waits = l->frame->nest;

		/* If it does not wait any more, nothing happens. */
		while (l->state > 0 && *waits &&
		       ioctl(l->worker->fd, SKYIPC_WORKER_RECALL) < 0 &&
		       errno == EAGAIN)
			;
	}
	pthread_mutex_unlock(&server->lock);
}

void vmfunc_server_drain(struct skyipc_server *server)
{
	/* Nobody gives these back: no handler begins any more. */
	for (uint32_t i = 0; server->has_views && i < server->attr.workers; i++)
		permit_take(&server->permits, vmfunc_server_recall, server);
}

void vmfunc_server_join(struct skyipc_server *server)
{
	pthread_mutex_lock(&server->lock);
	while (server->nlenders)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
	join_ended(server);
}

void vmfunc_server_forget(struct skyipc_server *server)
{
	LIST_INIT(&server->lenders);
	LIST_INIT(&server->lenders_ended);
	server->nlenders = 0;
}
#endif
