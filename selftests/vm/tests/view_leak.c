/* SPDX-License-Identifier: MIT */
/*
 * A server that looks at what it finds in registers where calls come out: where
 * a client's stack is, and its thread's data, nobody tells it.
 */
#include "guest.h"
#include "kcall.h"
#include "view.h"
#include "view_spy.h"

static void handler(struct view_msg *m)
{
	(void)m;
}

int main(void)
{
	struct view_msg m = { .word = { 1, 2, 3, 4, 5, 6, 7 } };
	struct spy_found *found;
	struct view_caller caller;
	struct view_way way;
	pid_t server;
	unsigned wrong = 0;
	int conn, err = 0;

	load("skyipc.ko", "views=required");
	view_map();
	found = spy_begin();
	view_before_serving = spy_becomes;
	server = view_server(handler, 1, &conn);
	view_attach(&caller);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	for (unsigned i = 0; i < 1000 && !err; i++) {
		err = view_enter(&m, way.slot, way.key, caller.page);
		wrong += found->sp || found->fs || found->gs || found->bx ||
			 found->bp || found->si || found->ax || found->dx;
	}
	ok(!err && found->calls >= 1000,
	   "a server that has its own code there");
	note("%d, %llu", err, (unsigned long long)found->calls);
	ok(found->di == 1 && found->r9 == 2 && found->r15 == 7 &&
		   found->r11 == way.key && found->r8 == way.slot &&
		   found->cx == way.slot,
	   "finds what it is told");
	ok(!wrong, "and nothing else");
	note("sp %#llx, fs %#llx, gs %#llx, si %#llx, dx %#llx",
	     (unsigned long long)found->sp, (unsigned long long)found->fs,
	     (unsigned long long)found->gs, (unsigned long long)found->si,
	     (unsigned long long)found->dx);
	end_process(server);
	return done();
}
