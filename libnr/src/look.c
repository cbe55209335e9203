/* SPDX-License-Identifier: MIT */
/*
 * look.c - statistics of other processes
 *
 * Whatever listens under our prefix is asked. What it says is checked before it
 * is used, and it has two seconds for all of it.
 */
#include "show.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "mem.h"
#include "util.h"

#define LIMIT_NS UINT64_C(2000000000)

/* More are not believed. */
#define ITEMS_MAX 65536u
#define REPLICAS_MAX 65536u

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Someone to ask. */
struct other {
	int fd;
	uint64_t until;
	struct nr_seen seen;
};

/* Until there is something to read, or nothing will come; -ETIMEDOUT. */
static int wait_for(const struct other *o)
{
	struct pollfd fd = { o->fd, POLLIN, 0 };
	uint64_t now = now_ns();

	if (now >= o->until)
		return -ETIMEDOUT;
	if (poll(&fd, 1, (int)((o->until - now) / 1000000) + 1) < 0)
		return errno == EINTR ? 0 : -errno;
	return 0;
}

/* All @len bytes; -EACCES: not one byte came. */
static int receive(struct other *o, void *to, size_t len, int first)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(o->fd, (char *)to + done, len - done, 0);
		int err = 0;

		if (n > 0)
			done += (size_t)n;
		else if (!n || errno == ECONNRESET)
			return first && !done ? -EACCES : -EPROTO;
		else if (errno == EAGAIN)
			err = wait_for(o);
		else if (errno != EINTR)
			err = -errno;
		if (err)
			return err;
	}
	return 0;
}

static int size_ok(uint32_t size)
{
	return size >= sizeof(size_t) && size <= SIZED_MAX && size % 8 == 0;
}

/*
 * Receive into a growing buffer: what somebody says that he will send is no
 * reason to take memory for it.
 */
static int receive_much(struct other *o, char **to, size_t len)
{
	size_t room = 0;

	for (size_t done = 0; done < len;) {
		size_t more = min_u64(len - done, 65536);
		int err;

		if (done + more > room) {
			char *p;

			room = min_u64(roundup_pow2(done + more), len);
			p = mem_realloc(*to, room);
			if (!p)
				return -ENOMEM;
			*to = p;
		}
		err = receive(o, *to + done, more, 0);
		if (err)
			return err;
		done += more;
	}
	return 0;
}

/* Sizes are what they were said to be; what is behind is only numbers. */
static int read_item(struct other *o, struct show_item *item, char **bytes)
{
	int err = receive(o, item, sizeof(*item), 0);
	char *r;

	if (err)
		return err;
	if (!size_ok(item->stats_size) || !size_ok(item->replica_size) ||
	    item->replicas > REPLICAS_MAX)
		return -EPROTO;
	err = receive_much(o, bytes,
			   item->stats_size +
				   (size_t)item->replicas * item->replica_size);
	if (err)
		return err;
	item->name[sizeof(item->name) - 1] = 0;
	r = *bytes + item->stats_size;
	*(size_t *)*bytes = item->stats_size;
	for (uint32_t i = 0; i < item->replicas; i++)
		*(size_t *)(r + (size_t)i * item->replica_size) =
			item->replica_size;
	o->seen.name = item->name;
	o->seen.n = item->replicas;
	o->seen.stats = (const void *)*bytes;
	o->seen.replicas = item->replicas ? (const void *)r : NULL;
	return 0;
}

static int read_head(struct other *o, struct show_head *head)
{
	int err = receive(o, head, sizeof(*head), 1);

	if (err)
		return err;
	if (head->magic != SHOW_MAGIC || head->word != sizeof(size_t))
		return -EPROTONOSUPPORT;
	return head->items > ITEMS_MAX ? -EPROTO : 0;
}

/* Everything that it shows; an error that is its own is told like that. */
static int ask(struct other *o,
	       int (*fn)(const struct nr_seen *seen, void *arg), void *arg)
{
	struct show_head head = { .items = 0 };
	int err = read_head(o, &head), ret = 0;

	for (uint32_t i = 0; !err && !ret && i < head.items; i++) {
		struct show_item item;
		char *bytes = NULL;

		err = read_item(o, &item, &bytes);
		if (!err)
			ret = fn(&o->seen, arg);
		mem_free(bytes);
	}
	if (!err || ret)
		return ret;
	o->seen = (struct nr_seen){ .size = sizeof(o->seen),
				    .pid = o->seen.pid,
				    .uid = o->seen.uid,
				    .err = err };
	return fn(&o->seen, arg);
}

/* Without waiting: whose queue is full is told to be busy. */
static int connect_to(struct other *o, const char *name, size_t len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct ucred who;
	socklen_t wlen = sizeof(who);

	memcpy(sun.sun_path + 1, name, len);
	if (connect(o->fd, (struct sockaddr *)&sun,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				len)))
		return errno == EAGAIN ? -EBUSY : -errno;
	if (getsockopt(o->fd, SOL_SOCKET, SO_PEERCRED, &who, &wlen))
		return -errno;
	o->seen.pid = who.pid;
	o->seen.uid = who.uid;
	/* It would refuse: so nobody can make others wait but root. */
	return geteuid() && geteuid() != who.uid ? -EACCES : 0;
}

static int visit(const char *name, size_t len,
		 int (*fn)(const struct nr_seen *seen, void *arg), void *arg)
{
	struct other o = { .until = now_ns() + LIMIT_NS,
			   .seen = { .size = sizeof(o.seen),
				     .uid = UINT32_MAX } };
	int ret;

	o.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (o.fd < 0)
		return -errno;
	o.seen.err = connect_to(&o, name, len);
	if (o.seen.err == -ECONNREFUSED)
		ret = 0; /* it has gone since */
	else if (o.seen.err)
		ret = fn(&o.seen, arg);
	else
		ret = ask(&o, fn, arg);
	close(o.fd);
	return ret;
}

/*
 * A line of /proc/net/unix: number, references, protocol, flags, type, state,
 * inode, and the name, of which the kernel prints a zero as @. Is it somebody
 * who listens under our prefix? Then its name, without the first @.
 */
static const char *listener(const char *line)
{
	const char *name = strstr(line, " @" SHOW_PREFIX);
	unsigned long flags;

	if (!name || sscanf(line, "%*s %*s %*s %lx", &flags) != 1)
		return NULL;
	return flags & 0x10000 ? name + 2 : NULL; /* __SO_ACCEPTCON */
}

#define NAME_ROOM sizeof(((struct sockaddr_un *)NULL)->sun_path)

/*
 * Their names, one after the other, each ends with a zero. The kernel goes on
 * after so many sockets, not after one of them: so that file is read before we
 * make any.
 */
static int read_names(char **names, size_t *len)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512]; /* a name has 107 bytes at most */
	int err = 0;

	*names = NULL;
	*len = 0;
	if (!f)
		return -errno;
	while (!err && fgets(line, sizeof(line), f)) {
		const char *name = listener(line);
		size_t n = name ? strcspn(name, "\n") : 0;
		char *more;

		if (!n || n >= NAME_ROOM)
			continue;
		more = mem_realloc(*names, *len + n + 1);
		if (more) {
			memcpy(more + *len, name, n);
			more[*len + n] = 0;
			*names = more;
			*len += n + 1;
		} else {
			err = -ENOMEM;
		}
	}
	fclose(f);
	return err;
}

NR_PUBLIC int nr_look(int (*fn)(const struct nr_seen *seen, void *arg),
		      void *arg)
{
	char *names;
	size_t len, n;
	int ret = read_names(&names, &len);

	for (size_t at = 0; !ret && at < len; at += n + 1) {
		n = strlen(names + at);
		ret = visit(names + at, n, fn, arg);
	}
	mem_free(names);
	return ret;
}
