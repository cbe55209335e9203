/* SPDX-License-Identifier: MIT */
#include "chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

int chain_me, chain_next = -1;
__thread struct view_way chain_way;
_Atomic unsigned *chain_begun;
static chain_fn *chain_does;

void chain_count(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (page == MAP_FAILED)
		give_up("counters");
	chain_begun = page;
}

/* ---- the servers
 * -------------------------------------------------------------------
 */

/* In the worker, as it makes system calls: whoever has it may be a new one. */
static int prepare(void)
{
	/* It is 0 in a thread that has none yet: no link is. */
	if (!chain_way.link)
		chain_way.link = new_link(chain_next, 0);
	return view_nest_way(chain_way.link, &chain_way);
}

static void pass_on(struct view_msg *m)
{
	struct view_msg n = *m;
	int err;

	n.word[1]--;
	err = view_nest_call(&chain_way, &n);
	for (unsigned i = 0; i < 7; i++)
		m->word[i] = n.word[i];
	if (err)
		m->word[0] = (uint64_t)(int64_t)err;
	m->word[1]++;
}

static void handler(struct view_msg *m)
{
	const uint64_t what = m->word[0];

	if (chain_begun)
		chain_begun[chain_me]++;
	if (m->word[1]) {
		pass_on(m);
		return;
	}
	m->word[0] = 0;
	if (what == CHAIN_PREPARE)
		m->word[0] = (uint64_t)(int64_t)prepare();
	else if (what == CHAIN_ECHO)
		m->word[2] += (uint64_t)chain_me;
	else
		chain_does(what, m);
}

void chain_up(struct chain *c, int n, int lenders, chain_fn *does)
{
	*c = (struct chain){ .n = n };
	chain_does = does;
	view_nests = true;
	chain_next = -1;
	for (chain_me = n - 1; chain_me >= 0; chain_me--) {
		c->server[chain_me] = view_server(handler, lenders, &c->conn);
		/* It has it now, and is its first user. */
		if (chain_next >= 0)
			close(chain_next);
		chain_next = c->conn;
	}
}

void chain_down(struct chain *c)
{
	if (c->way.link)
		close(c->way.link);
	close(c->conn);
	for (int i = 0; i < c->n; i++)
		end_process(c->server[i]);
}

/* ---- who calls them
 * ----------------------------------------------------------------
 */

int chain_call(const struct chain *c, const struct view_caller *v,
	       uint64_t what, uint64_t more, struct view_msg *m)
{
	int err;

	m->word[0] = what;
	m->word[1] = more;
	err = view_call(v, &c->way, m);
	return err ? err : (int)(int32_t)m->word[0];
}

bool chain_prepare(struct chain *c, const struct view_caller *v)
{
	struct view_msg m = { .word = { 0 } };
	int err = view_way(v, new_link(c->conn, 0), &c->way);

	for (int i = 0; i < c->n - 1 && !err; i++)
		/* They may be at the last one still. */
		while ((err = chain_call(c, v, CHAIN_PREPARE, (uint64_t)i,
					 &m)) == -EAGAIN)
			usleep(100);
	if (err)
		note("a chain of %d: %d", c->n, err);
	return !err;
}

bool chain_is_well(const struct chain *c, const struct view_caller *v)
{
	for (int i = 0; i < c->n; i++) {
		struct view_msg m = { .word = { 0, 0, 100, 3, 4, 5, 6 } };
		int err;

		/* It may be at the last one still. */
		while ((err = chain_call(c, v, CHAIN_ECHO, (uint64_t)i, &m)) ==
		       -EAGAIN)
			usleep(100);
		if (!err && m.word[1] == (uint64_t)i &&
		    m.word[2] == 100 + (uint64_t)i && m.word[3] == 3 &&
		    m.word[6] == 6)
			continue;
		note("by %d more: %d, %llu, %llu, %llu, %llu", i, err,
		     (unsigned long long)m.word[1],
		     (unsigned long long)m.word[2],
		     (unsigned long long)m.word[3],
		     (unsigned long long)m.word[6]);
		return false;
	}
	return true;
}

struct chain_line chain_line(pid_t thread, unsigned slot)
{
	char *all = read_file(DEBUG "views"), *line = all;
	struct chain_line l, found = { .state = "" };
	unsigned n;
	int pid;

	for (; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line,
			   "%d %u %*d %15s %llu %llu %llu %llu %*u %*u %*u "
			   "%llu %llu",
			   &pid, &n, l.state, &l.interrupts, &l.faults,
			   &l.syscalls, &l.resumed, &l.moved,
			   &l.finished) == 9 &&
		    pid == thread && n == slot)
			found = l;
	}
	free(all);
	return found;
}
