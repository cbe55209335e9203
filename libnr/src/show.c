/* SPDX-License-Identifier: MIT */
/*
 * show.c - a thread that tells others statistics of this process
 *
 * Locks, outermost first: life, then list. The thread takes list only, and
 * nothing while it sends: a client that does not read holds up nobody but
 * other clients, for a second.
 */
#include "show.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "mem.h"
#include "util.h"

struct nr_shown {
	struct nr *nr;
	char name[NR_SHOW_NAME];
	struct nr_shown *next;
};

static struct {
	pthread_mutex_t life; /* the thread comes and goes */
	pthread_mutex_t list; /* all that follows */
	struct nr_shown *first;
	pthread_t thread;
	int listener; /* -1: there is no thread */
	int conn;     /* who is being answered; -1: nobody */
	int stopping;
} show = { .life = PTHREAD_MUTEX_INITIALIZER,
	   .list = PTHREAD_MUTEX_INITIALIZER,
	   .listener = -1,
	   .conn = -1 };

/* ------------------------------------------------------------- answering -- */

/* What is sent grows here. */
struct letter {
	char *bytes;
	size_t len, room;
};

/* Room for @len bytes more; NULL: no memory. */
static void *letter_more(struct letter *l, size_t len)
{
	if (l->len + len > l->room) {
		size_t room = roundup_pow2(l->len + len + 4096);
		char *more = mem_realloc(l->bytes, room);

		if (!more)
			return NULL;
		l->bytes = more;
		l->room = room;
	}
	l->len += len;
	return memset(l->bytes + l->len - len, 0, len);
}

static int write_item(struct letter *l, const struct nr_shown *s)
{
	struct show_item item = { .stats_size = sizeof(struct nr_stats),
				  .replica_size =
					  sizeof(struct nr_replica_stats) };
	struct nr_stats stats = { .size = sizeof(stats) };
	size_t at = l->len, head = sizeof(item) + sizeof(stats);
	struct nr_replica_stats *r;
	unsigned room;
	int n;

	/* Whoever adds replicas meanwhile has to be content with those that
	 * there were. */
	nr_stats(s->nr, &stats, NULL, 0);
	room = (unsigned)stats.replicas;
	if (!letter_more(l, head + room * sizeof(*r)))
		return -ENOMEM;
	r = (void *)(l->bytes + at + head);
	r->size = sizeof(*r);
	n = nr_stats(s->nr, &stats, r, room);
	item.replicas = (uint32_t)n;
	memcpy(item.name, s->name, sizeof(item.name));
	memcpy(l->bytes + at, &item, sizeof(item));
	memcpy(l->bytes + at + sizeof(item), &stats, sizeof(stats));
	l->len = at + head + (size_t)n * sizeof(*r);
	return 0;
}

/* Of all structures; with no memory for it nothing is sent. */
static int write_letter(struct letter *l)
{
	struct show_head head = { .magic = SHOW_MAGIC, .word = sizeof(size_t) };
	int err = letter_more(l, sizeof(head)) ? 0 : -ENOMEM;

	for (const struct nr_shown *s = show.first; s && !err; s = s->next) {
		err = write_item(l, s);
		head.items++;
	}
	if (!err)
		memcpy(l->bytes, &head, sizeof(head));
	return err;
}

static int may_see(int conn)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return !getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) &&
	       (!who.uid || who.uid == geteuid());
}

static void send_all(int conn, const struct letter *l)
{
	const struct timeval limit = { .tv_sec = 1 };
	size_t done = 0;
	ssize_t n;

	setsockopt(conn, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	while (done < l->len) {
		n = send(conn, l->bytes + done, l->len - done, MSG_NOSIGNAL);
		if (n <= 0)
			break; /* it is gone, or does not read */
		done += (size_t)n;
	}
}

static void answer(int conn)
{
	struct letter l = { NULL, 0, 0 };
	int err = -ECANCELED;

	pthread_mutex_lock(&show.list);
	if (!show.stopping) {
		show.conn = conn;
		err = may_see(conn) ? write_letter(&l) : -EACCES;
	}
	pthread_mutex_unlock(&show.list);
	if (!err)
		send_all(conn, &l);
	mem_free(l.bytes);
	/* Who stops us shuts down what is here: so not what others open. */
	pthread_mutex_lock(&show.list);
	show.conn = -1;
	close(conn);
	pthread_mutex_unlock(&show.list);
}

/* Errors of one connection are none of the next. */
static int is_passing(int err)
{
	return err == EINTR || err == ECONNABORTED || err == EAGAIN;
}

static void *show_thread(void *arg)
{
	int listener = *(int *)arg;

	pthread_setname_np(pthread_self(), "nr-show");
	for (;;) {
		int conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (conn >= 0) {
			answer(conn);
			continue;
		}
		if (is_passing(errno))
			continue;
		if (errno == EINVAL)
			return NULL; /* shut down: see stop() */
		/* No descriptor, or no memory. Nobody tells when there is
		 * some; and who asks can wait. */
		usleep(100000);
	}
}

/* --------------------------------------------------------------- the name --
 */

static socklen_t name_it(struct sockaddr_un *sun, unsigned again)
{
	char *to = sun->sun_path + 1;
	size_t room = sizeof(sun->sun_path) - 1;
	int len;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (again)
		len = snprintf(to, room, SHOW_PREFIX "%d.%u", (int)getpid(),
			       again);
	else
		len = snprintf(to, room, SHOW_PREFIX "%d", (int)getpid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)len);
}

/* Anybody may take any name; not all of them. */
static int bind_to_name(int fd)
{
	struct sockaddr_un sun;
	int err = EADDRINUSE;

	for (unsigned again = 0; err == EADDRINUSE && again < 65536; again++) {
		socklen_t len = name_it(&sun, again);

		err = bind(fd, (struct sockaddr *)&sun, len) ? errno : 0;
	}
	return -err;
}

static int listen_somewhere(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	err = bind_to_name(fd);
	if (!err && listen(fd, 64))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* ----------------------------------------------- the thread, and fork() -- */

static void before_fork(void)
{
	pthread_mutex_lock(&show.life);
	pthread_mutex_lock(&show.list);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&show.list);
	pthread_mutex_unlock(&show.life);
}

/* The thread is not there, and what it showed is the parent's. */
static void in_child(void)
{
	if (show.listener >= 0)
		close(show.listener);
	if (show.conn >= 0)
		close(show.conn);
	show.listener = show.conn = -1;
	show.first = NULL;
	show.stopping = 0;
	in_parent();
}

/* Under life. */
static int start(void)
{
	static int watched;
	sigset_t all, old;
	int fd, err;

	if (!watched && pthread_atfork(before_fork, in_parent, in_child))
		return -ENOMEM;
	watched = 1;
	fd = listen_somewhere();
	if (fd < 0)
		return fd;
	show.listener = fd;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&show.thread, NULL, show_thread, &show.listener);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		show.listener = -1;
		close(fd);
	}
	return -err;
}

/* Under life. */
static void stop(void)
{
	pthread_mutex_lock(&show.list);
	show.stopping = 1;
	shutdown(show.listener, SHUT_RDWR);
	if (show.conn >= 0)
		shutdown(show.conn, SHUT_RDWR);
	pthread_mutex_unlock(&show.list);
	pthread_join(show.thread, NULL);
	close(show.listener);
	show.listener = -1;
	show.stopping = 0;
}

/* ----------------------------------------------------------------- public --
 */

NR_PUBLIC int nr_show(struct nr *nr, const char *name, struct nr_shown **out)
{
	struct nr_shown *s;
	int err = 0;

	if (strlen(name) >= sizeof(s->name))
		return -ENAMETOOLONG;
	s = mem_alloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->nr = nr;
	memcpy(s->name, name, strlen(name));
	pthread_mutex_lock(&show.life);
	if (show.listener < 0)
		err = start();
	if (!err) {
		pthread_mutex_lock(&show.list);
		s->next = show.first;
		show.first = s;
		pthread_mutex_unlock(&show.list);
		*out = s;
	}
	pthread_mutex_unlock(&show.life);
	if (err)
		mem_free(s);
	return err;
}

NR_PUBLIC void nr_hide(struct nr_shown *s)
{
	struct nr_shown **at;
	int last;

	if (!s)
		return;
	pthread_mutex_lock(&show.life);
	pthread_mutex_lock(&show.list);
	for (at = &show.first; *at && *at != s; at = &(*at)->next)
		;
	/* What a child of fork() has inherited is not there. */
	last = *at == s && !s->next && at == &show.first;
	if (*at)
		*at = s->next;
	pthread_mutex_unlock(&show.list);
	if (last)
		stop();
	pthread_mutex_unlock(&show.life);
	mem_free(s);
}
