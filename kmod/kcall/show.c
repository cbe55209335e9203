// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server's lock is held to count and to copy, never to print: clients may
 * be waiting for it.
 */
#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "conn.h"
#include "link.h"
#include "server.h"
#include "show.h"
#include "user.h"
#include "worker.h"

static const char *const state_names[SKY_STATES] = {
	[SKY_FREE] = "idle",
	[SKY_QUEUED] = "queued",
	[SKY_POSTED] = "posted",
	[SKY_TAKEN] = "taken",
	[SKY_HELD] = "held",
	[SKY_DONE] = "done",
	[SKY_LEFT] = "left",
};

/* ---- all servers, one after the other, each referred to meanwhile --------- */

static void *start(struct seq_file *m, loff_t *pos)
{
	struct sky_server *server;

	if (!*pos)
		return SEQ_START_TOKEN;
	server = sky_server_next(NULL);
	for (loff_t i = 1; server && i < *pos; i++)
		server = sky_server_next(server);
	return server;
}

static void *next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return sky_server_next(v == SEQ_START_TOKEN ? NULL : v);
}

static void stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN)
		sky_server_put(v);
}

/* ---- servers ------------------------------------------------------------- */

/* There may be a million: not in one go. */
#define IN_ONE_GO 1024

static void count_calls(struct sky_server *server, unsigned long *n)
{
	struct sky_call *call;
	unsigned long id = 0;

	do {
		int i = 0;

		rcu_read_lock();
		xa_for_each_start(&server->calls, id, call, id) {
			n[sky_state_of(atomic64_read(&call->word))]++;
			if (++i == IN_ONE_GO)
				break;
		}
		rcu_read_unlock();
		cond_resched();
	} while (call && id++ < U32_MAX);
}

static unsigned long count_workers(struct sky_server *server)
{
	struct sky_worker *worker;
	unsigned long number, n = 0;

	rcu_read_lock();
	xa_for_each(&server->workers, number, worker)
		n++;
	rcu_read_unlock();
	return n;
}

static unsigned long count_links(struct sky_server *server,
				 unsigned long *conns)
{
	struct sky_conn *conn;
	struct sky_link *link;
	unsigned long n = 0;

	*conns = 0;
	spin_lock(&server->lock);
	list_for_each_entry(conn, &server->conns, node) {
		++*conns;
		list_for_each_entry(link, &conn->links, node)
			n++;
	}
	spin_unlock(&server->lock);
	return n;
}

static int show_server(struct seq_file *m, void *v)
{
	unsigned long calls[SKY_STATES] = {}, conns, links;
	struct sky_server *server = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "pid uid state workers waiting connections links");
		for (int i = 0; i < SKY_STATES; i++)
			seq_printf(m, " %s", state_names[i]);
		seq_putc(m, '\n');
		return 0;
	}
	links = count_links(server, &conns);
	count_calls(server, calls);
	seq_printf(m, "%d %u %s %lu %u %lu %lu", server->pid,
		   from_kuid_munged(seq_user_ns(m), sky_user_uid(server->user)),
		   sky_server_is_dead(server) ? "dead" : "live",
		   count_workers(server),
		   bitmap_weight(server->idle, READ_ONCE(server->top)),
		   conns, links);
	for (int i = 0; i < SKY_STATES; i++)
		seq_printf(m, " %lu", calls[i]);
	seq_putc(m, '\n');
	return 0;
}

/* ---- links ---------------------------------------------------------------- */

struct seen {
	u64 cookie;
	pid_t client;
	unsigned int depth, outstanding, worker;
	enum sky_state state;
};

/* Of the call whose turn it is */
static enum sky_state state_of(struct sky_link *link)
{
	enum sky_state state = SKY_FREE;
	struct sky_call *call;

	rcu_read_lock();
	call = (void *)(atomic_long_read(&link->active) & ~SKY_MORE);
	if (call)
		state = sky_state_of(atomic64_read(&call->word));
	rcu_read_unlock();
	return state;
}

static unsigned long see_links(struct sky_server *server, struct seen *seen,
			       unsigned long room)
{
	struct sky_conn *conn;
	struct sky_link *link;
	unsigned long n = 0;

	spin_lock(&server->lock);
	list_for_each_entry(conn, &server->conns, node)
		list_for_each_entry(link, &conn->links, node) {
			if (n == room)
				break;
			seen[n++] = (struct seen){
				.cookie = conn->cookie,
				.client = READ_ONCE(link->client_pid),
				.depth = link->depth,
				.outstanding = READ_ONCE(link->outstanding),
				.worker = READ_ONCE(link->worker),
				.state = state_of(link),
			};
		}
	spin_unlock(&server->lock);
	return n;
}

static int show_links(struct seq_file *m, void *v)
{
	struct sky_server *server = v;
	unsigned long n, conns;
	struct seen *seen;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "server connection client depth outstanding worker state\n");
		return 0;
	}
	n = count_links(server, &conns);
	seen = kvmalloc_array(n, sizeof(*seen), GFP_KERNEL);
	if (!seen)
		return -ENOMEM;
	n = see_links(server, seen, n);
	for (unsigned long i = 0; i < n; i++) {
		seq_printf(m, "%d %llu %d %u %u ", server->pid, seen[i].cookie,
			   seen[i].client, seen[i].depth, seen[i].outstanding);
		if (seen[i].worker == SKY_WORKERS_MAX)
			seq_puts(m, "-");
		else
			seq_printf(m, "%u", seen[i].worker);
		seq_printf(m, " %s\n", state_names[seen[i].state]);
	}
	kvfree(seen);
	return 0;
}

static const struct seq_operations servers_sops = {
	.start = start,
	.next = next,
	.stop = stop,
	.show = show_server,
};
DEFINE_SEQ_ATTRIBUTE(servers);

static const struct seq_operations links_sops = {
	.start = start,
	.next = next,
	.stop = stop,
	.show = show_links,
};
DEFINE_SEQ_ATTRIBUTE(links);

void sky_show_init(struct dentry *dir)
{
	debugfs_create_file("servers", 0400, dir, NULL, &servers_fops);
	debugfs_create_file("links", 0400, dir, NULL, &links_fops);
}
