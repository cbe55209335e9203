/* SPDX-License-Identifier: MIT */
/* Making servers, freeing them, and what becomes of them in a forked child. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fork.h"
#include "kcall_server.h"
#include "point.h"
#include "server.h"
#include "vmfunc_server.h"

#define SPIN_NS 50000u
#define HANDSHAKE_NS UINT64_C(5000000000)
#define MEM_PER_UID (UINT64_C(4) << 30)
#define BUF_SIZE (UINT64_C(64) << 20)
#define EXTRA_THREADS 256u
/* While a worker is busy, how often it looks who else has rung. */
#define BELLS_EVERY_NS 20000u

/* All servers of the process. Lock order: this, then a server's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct skyipc_server *servers;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- fork ---------------------------------------------------------------- */

static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
	for (struct skyipc_server *s = servers; s; s = s->next)
		pthread_mutex_lock(&s->lock);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all_fds(struct skyipc_server *s)
{
	close_fd(&s->listen_fd);
	close_fd(&s->ctl_ep);
	close_fd(&s->bell_ep);
	close_fd(&s->shutdown_fd);
	close_fd(&s->drain_fd);
	close_fd(&s->more_fd);
	close_fd(&s->timer_fd);
	close_fd(&s->spare_fd);
	close_fd(&s->making_fd);
	close_fd(&s->kcall);
}

/*
 * The child has no threads of the server and no right to the name; it must not
 * keep the clients' sockets open when the parent dies.
 */
static void forget(struct skyipc_server *s)
{
	s->state = SERVER_FORKED;
	kcall_workers_forget(s);
#ifdef __x86_64__
	vmfunc_server_forget(s);
#endif
	close_all_fds(s);
	name_forget(&s->name);
	for (uint32_t i = 0; i < s->conns_size; i++) {
		if (!s->conns[i])
			continue;
		close_fd(&s->conns[i]->sock);
		close_fd(&s->conns[i]->bell);
		close_fd(&s->conns[i]->kcall);
	}
}

static void fork_done(int child)
{
	/* If it is a worker that has forked, its copy is none any more. */
	if (child)
		worker_forget();
	for (struct skyipc_server *s = servers; s; s = s->next) {
		if (child)
			forget(s);
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&lock);
}

static void init(void)
{
	static struct fork_hook hook = { .prepare = fork_prepare,
					 .done = fork_done };

	fork_hook_add(&hook);
}

/* ---- create -------------------------------------------------------------- */

/* A private copy of the attributes, with the defaults filled in. */
static int take_attr(struct skyipc_server *s,
		     const struct skyipc_server_attr *user)
{
	struct skyipc_server_attr *a = &s->attr;

	if (!user || user->size < sizeof(a->size) || user->size > 4096)
		return fail(-EINVAL, "attr->size is not set");
	memcpy(a, user, min_u64(user->size, sizeof(*a)));
	a->size = sizeof(*a);
	if (!a->handler && !(a->ops && a->nops))
		return fail(-EINVAL, "no handler");
	if (a->mode != SKYIPC_ADAPTIVE && a->mode != SKYIPC_BLOCKING &&
	    a->mode != SKYIPC_POLLING)
		return fail(-EINVAL, "no such mode");
	if (!a->workers)
		a->workers = 1;
	if (!a->max_threads)
		a->max_threads = a->workers + EXTRA_THREADS;
	if (a->max_threads < a->workers)
		return fail(-EINVAL, "max_threads is less than workers");
	if (!a->spin_ns)
		a->spin_ns = SPIN_NS;
	if (!a->depth)
		a->depth = SHM_DEPTH_MAX;
	if (a->depth > SHM_DEPTH_MAX)
		return fail(-EINVAL, "depth is at most %u", SHM_DEPTH_MAX);
	if (!a->buf_size)
		a->buf_size = BUF_SIZE;
	if (a->buf_size > BUF_SIZE_MAX)
		return fail(-EINVAL, "buf_size is at most %llu",
			    (unsigned long long)BUF_SIZE_MAX);
	a->buf_size = align_up(a->buf_size, 4096);
	if (!a->max_mem_per_uid)
		a->max_mem_per_uid = MEM_PER_UID;
	if (!a->handshake_ns)
		a->handshake_ns = HANDSHAKE_NS;
	if (!a->ops)
		a->nops = 0;
	if (a->nops) {
		s->ops = calloc(a->nops, sizeof(*s->ops));
		if (!s->ops)
			return -ENOMEM;
		memcpy(s->ops, a->ops, a->nops * sizeof(*s->ops));
	}
	if (a->cpus) {
		if (!a->cpus_size || !CPU_COUNT_S(a->cpus_size, a->cpus))
			return fail(-EINVAL, "an empty set of CPUs");
		s->cpus = malloc(a->cpus_size);
		if (!s->cpus)
			return -ENOMEM;
		memcpy(s->cpus, a->cpus, a->cpus_size);
	}
	s->spin_max = ns_to_ticks(a->spin_ns);
	s->bells_every = ns_to_ticks(BELLS_EVERY_NS);
	return 0;
}

int server_watch_fd(int ep, int fd, uint64_t event)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = event };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int make_fds(struct skyipc_server *s)
{
	int err;

	s->ctl_ep = epoll_create1(EPOLL_CLOEXEC);
	s->bell_ep = epoll_create1(EPOLL_CLOEXEC);
	s->shutdown_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->more_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s->making_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->listen_fd = socket(AF_UNIX,
			      SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->ctl_ep < 0 || s->bell_ep < 0 || s->shutdown_fd < 0 ||
	    s->drain_fd < 0 || s->more_fd < 0 || s->timer_fd < 0 ||
	    s->spare_fd < 0 || s->making_fd < 0 || s->listen_fd < 0)
		return fail(-errno, "cannot make descriptors: %s",
			    strerror(errno));
	err = server_watch_fd(s->ctl_ep, s->shutdown_fd, EVENT_SHUTDOWN);
	if (!err)
		err = server_watch_fd(s->ctl_ep, s->timer_fd, EVENT_TIMER);
	if (!err)
		err = server_watch_fd(s->ctl_ep, s->making_fd, EVENT_MAKING);
	if (!err)
		err = server_watch_fd(s->bell_ep, s->drain_fd, EVENT_SHUTDOWN);
	if (!err)
		err = server_watch_fd(s->bell_ep, s->more_fd, EVENT_SHUTDOWN);
	return err;
}

static int bind_name(struct skyipc_server *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct skyipc_server_attr *a = &s->attr;
	mode_t mode = a->sock_mode & 07777;
	int err;

	if (!a->sock_mode)
		mode = s->name.system ? 0666 : 0600;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->name.path);
	/*
	 * Nobody can connect before listen(2): until then the permissions can
	 * be changed in place. We own the name, so nobody else does.
	 */
	if (bind(s->listen_fd, (void *)&addr, sizeof(addr)) < 0)
		return fail(-errno, "cannot bind %s: %s", s->name.path,
			    strerror(errno));
	point("server-bound");
	if (chmod(s->name.path, mode) < 0 ||
	    ((a->set_owner || a->set_group) &&
	     lchown(s->name.path, a->set_owner ? a->owner : (uid_t)-1,
		    a->set_group ? a->group : (gid_t)-1) < 0)) {
		err = fail(-errno, "cannot set mode or owner of %s: %s",
			   s->name.path, strerror(errno));
		unlink(s->name.path);
		return err;
	}
	if (listen(s->listen_fd, SOMAXCONN) < 0)
		return -errno;
	return server_watch_fd(s->ctl_ep, s->listen_fd, EVENT_LISTEN);
}

static void server_free(struct skyipc_server *s)
{
	kcall_worker_free(s->kcall_dispatcher);
	close_all_fds(s);
	seats_free(s);
	sconn_bufs_drop_all(s);
	/* Only in a child's copy is anything left; nobody else refers to it. */
	for (uint32_t i = 0; i < s->conns_size; i++)
		if (s->conns[i]) {
			s->conns[i]->user->conns--;
			atomic_store(&s->conns[i]->refs, 1);
			sconn_put(s->conns[i]);
		}
	while (s->dying) {
		atomic_store(&s->dying->refs, 1);
		sconn_put(s->dying);
	}
	free(s->conns);
	free(s->places);
	free(s->ops);
	free(s->cpus);
	/* The parent's threads, which may wait on it, are not here to leave it:
	 * destroying a child's copy could wait for them for ever. */
	if (s->state != SERVER_FORKED) {
		pthread_cond_destroy(&s->changed);
		pthread_cond_destroy(&s->seat_free);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void open_module(struct skyipc_server *s)
{
	kcall_server_open(s);
#ifdef __x86_64__
	vmfunc_server_open(s);
#endif
}

SKY_PUBLIC int skyipc_server_create(const char *name,
				    const struct skyipc_server_attr *attr,
				    struct skyipc_server **out)
{
	struct skyipc_server *s = calloc(1, sizeof(*s));
	pthread_condattr_t monotonic;
	int err;

	fail_clear();
	if (!s)
		return -ENOMEM;
	pthread_once(&once, init);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &monotonic);
	pthread_cond_init(&s->seat_free, NULL);
	pthread_condattr_destroy(&monotonic);
	s->listen_fd = s->ctl_ep = s->bell_ep = s->shutdown_fd = -1;
	s->drain_fd = s->more_fd = s->timer_fd = s->spare_fd = -1;
	s->making_fd = s->kcall = -1;
	TAILQ_INIT(&s->handshakes);
	TAILQ_INIT(&s->making);
	s->maps_per_uid = quota_maps_max();
	s->name.lock = -1;

	err = take_attr(s, attr);
	if (!err)
		err = make_fds(s);
	if (!err)
		open_module(s);
	if (!err)
		err = seats_make(s);
	if (!err)
		err = name_for_server(name, &s->name);
	if (!err)
		err = name_own(&s->name);
	if (!err) {
		err = bind_name(s);
		if (err)
			name_disown(&s->name);
	}
	if (err) {
		server_free(s);
		return err;
	}
	point("server-created");
	s->started_ns = now_ns();
	pthread_mutex_lock(&lock);
	s->next = servers;
	servers = s;
	pthread_mutex_unlock(&lock);
	*out = s;
	return 0;
}

SKY_PUBLIC void skyipc_server_destroy(struct skyipc_server *s)
{
	if (!s)
		return;
	/* Even a stopped one: its control thread has to be joined. */
	if (s->state != SERVER_FORKED)
		skyipc_server_stop(s, SKYIPC_FOREVER);
	pthread_mutex_lock(&lock);
	for (struct skyipc_server **at = &servers; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	server_free(s);
}
