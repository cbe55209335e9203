// SPDX-License-Identifier: GPL-2.0-only
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "kcall/server.h"
#include "save.h"
#include "show.h"
#include "thread.h"
#include "vlink.h"

static const char *const states[] = {
	[VIEW_FREE] = "free",
	[VIEW_PARKED] = "parked",
	[VIEW_NESTED] = "nested",
	[VIEW_HANDED] = "handed",
};

/* What is there of a link, read without stopping anybody. */
struct line {
	pid_t server;
	const char *state;
	struct view_counts counts;
	u64 rolled;
	unsigned int pages;
};

static bool look(struct view_thread *t, unsigned int slot, struct line *line)
{
	const struct view_link *link;
	unsigned long flags;

	raw_spin_lock_irqsave(&t->lock, flags);
	link = t->links[slot];
	if (link) {
		line->server = link->server->pid;
		line->state = states[READ_ONCE(link->state)];
		line->rolled = READ_ONCE(link->save->rolled);
		line->pages = view_link_pages(link);
		line->counts = (struct view_counts){};
		view_counts_add(&line->counts, &link->counts);
	}
	raw_spin_unlock_irqrestore(&t->lock, flags);
	return link;
}

static void show_link(struct seq_file *m, pid_t thread, unsigned int slot,
		      const struct line *l)
{
	const struct view_counts *c = &l->counts;
	u64 moved = 0;

	for (int i = 0; i < VIEW_MOVES; i++)
		moved += c->moved[i];
	seq_printf(m, "%d %u %d %s %llu %llu %llu %llu %llu %u %llu %llu %llu\n",
		   thread, slot, l->server, l->state,
		   c->parked[VIEW_BY_INTERRUPT], c->parked[VIEW_BY_FAULT],
		   c->parked[VIEW_BY_SYSCALL], c->resumed, l->rolled, l->pages,
		   c->parked[VIEW_BY_EXCEPTION], moved, c->finished);
}

static int views_show(struct seq_file *m, void *unused)
{
	struct view_thread *t;
	struct line l;

	seq_puts(m, "# thread slot server state interrupts faults syscalls resumed rolled pages exceptions moved finished\n");
	mutex_lock(&view_threads_lock);
	list_for_each_entry(t, &view_threads, all) {
		seq_printf(m, "%d gate - %s - - - - %llu %u\n", t->pid,
			   READ_ONCE(t->barred) ? "barred" : "-",
			   READ_ONCE(t->save->rolled),
			   view_thread_pages(t));
		for (unsigned int i = 0; i < READ_ONCE(t->top); i++)
			if (look(t, i, &l))
				show_link(m, t->pid, i, &l);
	}
	mutex_unlock(&view_threads_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(views);

void view_show_init(struct dentry *dir)
{
	debugfs_create_file("views", 0400, dir, NULL, &views_fops);
}
