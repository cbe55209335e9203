/* SPDX-License-Identifier: MIT */
/*
 * A server that its client's thread runs in has that thread's slots, too. It
 * does not get into another server with them: it has not the key; and the
 * client calls that other one as before.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

enum { ECHO, TRY };

/* Shared: how often each server's handler has begun */
static struct {
	volatile unsigned begun[2];
} * seen;

static unsigned me;

/* From the gate, in this server's view: into slot @to, with a key of its own */
static void go_to(uint64_t to, uint64_t from, uint64_t key)
{
	register uint64_t r8 __asm__("r8") = to;
	register uint64_t r11 __asm__("r11") = key;

	__asm__ volatile("xor %%eax, %%eax; mov $1, %%ecx; xor %%esi, %%esi\n"
			 "jmp *%[go]\n"
			 :
			 : [go] "D"((uint64_t)VIEW_AT + GATE_CALL_AT - 3),
			   "d"(from), "r"(r8), "r"(r11)
			 : "memory");
}

static void handler(struct view_msg *m)
{
	seen->begun[me]++;
	if (m->word[0] == TRY)
		go_to(m->word[2], m->word[3], m->word[4]);
	m->word[1]++;
}

static bool is_good(const struct view_caller *c, const struct view_way *w)
{
	struct view_msg m = { .word = { ECHO, 41 } };
	const int err = view_enter(&m, w->slot, w->key, c->page);

	if (err || m.word[1] != 42)
		note("%d, %llu", err, (unsigned long long)m.word[1]);
	return !err && m.word[1] == 42;
}

int main(void)
{
	struct view_caller caller;
	struct view_way way[2];
	pid_t server[2];
	int conn[2], err;
	unsigned before;
	struct view_msg m;

	load("skyipc.ko", "views=required");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (me = 0; me < 2; me++)
		server[me] = view_server(handler, 1, &conn[me]);
	view_attach(&caller);
	for (int i = 0; i < 2; i++)
		if (view_way(&caller, new_link(conn[i], 0), &way[i]))
			give_up("a way in");
	/* What has to be mapped is by then. */
	for (int i = 0; i < 2; i++) {
		m = (struct view_msg){ .word = { ECHO } };
		if (view_call(&caller, &way[i], &m))
			give_up("a call");
	}
	ok(is_good(&caller, &way[0]) && is_good(&caller, &way[1]),
	   "two servers");
	before = seen->begun[1];
	err = view_enter(&(struct view_msg){ .word = { ECHO } }, way[1].slot,
			 way[1].key ^ 1, caller.page);
	ok(err == -EPROTO && seen->begun[1] == before,
	   "nobody is let in without the key");
	note("%d", err);
	ok(is_good(&caller, &way[1]), "and nothing is in the way then");
	for (unsigned i = 0; i < 20; i++) {
		m = (struct view_msg){ .word = { TRY, 0, way[1].slot,
						 way[0].slot,
						 i ? way[0].key : 0 } };
		err = view_enter(&m, way[0].slot, way[0].key, caller.page);
		if (err != -EPROTO)
			break;
	}
	ok(err == -EPROTO && seen->begun[1] == before + 1,
	   "nor by a server that it calls");
	note("%d, %u, %u", err, seen->begun[1], before);
	ok(is_good(&caller, &way[1]), "and nothing is in the way then");
	/* The key of the one, as the other may have got it some other way */
	m = (struct view_msg){ .word = { TRY, 0, way[1].slot, way[0].slot,
					 way[1].key } };
	view_enter(&m, way[0].slot, way[0].key, caller.page);
	ok(seen->begun[1] == before + 3, "which is what it is for");
	for (int i = 0; i < 2; i++)
		end_process(server[i]);
	return done();
}
