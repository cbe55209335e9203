/* SPDX-License-Identifier: MIT */
/*
 * Each allocation that the module makes for a root, and for the views that come
 * with it, fails once: when it is loaded, when views are turned on, the first
 * time and once more, and when a CPU comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "nomem.h"
#include "view.h"

static pid_t any; /* thread: hotplug's run for whoever starts the root */
static struct view_caller caller;
static int conn;
static struct view_way way;

static void handler(struct view_msg *m)
{
	m->word[0] = 0;
	m->word[1] = view_slot_here();
}

/* Sooner or later a handler runs in its client's thread. */
static bool is_within(const struct view_way *w)
{
	for (int i = 0; i < 100; i++) {
		struct view_msg m = { .word = { 0 } };
		int err = view_call(&caller, w, &m);

		if (!err && m.word[1])
			return true;
		/* Its worker is at the end of the last one still. */
		sched_yield();
	}
	return false;
}

/* How many times has a module that did not load said why? The last one: for
 * want of memory? */
static unsigned reasons(bool *memory)
{
	static const char say[] = "views are required, but: ";
	char *log = kernel_log(), *at, *last = log;
	unsigned n = 0;

	for (at = log; (at = strstr(at, say)); at++) {
		last = at;
		n++;
	}
	last[strcspn(last, "\n")] = '\0';
	*memory = strstr(last, "out of memory");
	free(log);
	return n;
}

/* Without views that are required: one is told why. Without anything else: not
 */
static int insmod(void)
{
	bool memory;
	const unsigned before = reasons(&memory);
	const int err = load("skyipc.ko", "views=required");
	const unsigned now = reasons(&memory);

	if (now == before || (err && now == before + 1 && memory))
		return err;
	note("%d: %u reasons more", err, now - before);
	return -EIO;
}

static void rmmod(int made)
{
	(void)made;
	if (unload("skyipc"))
		give_up("rmmod");
}

static void views_off(void)
{
	if (write_file(VIEWS, "off"))
		give_up("views off");
}

/* If not, there is no root either, and one is told why. */
static int views_on(void)
{
	const int err = write_file(VIEWS, "on");
	char *is = read_line(VIEWS), *why = read_line(VIEWS_WHY);
	const bool told = err ? !strcmp(is, "off") && strstr(why, "memory")
			      : !strcmp(is, "on");

	if (!told)
		note("%d: views %s, %s", err, is, why);
	free(is);
	free(why);
	return told ? err : -EIO;
}

/* A module that has none yet */
static void insmod_without(void)
{
	const int err = unload("skyipc");

	if ((err && err != -ENOENT) || load("skyipc.ko", "views=off"))
		give_up("insmod");
}

/*
 * Who had views has them again, unless there was no memory for those: then with
 * the next root, or as soon as he asks for one more.
 */
static bool at_once;

static void has_views(int made)
{
	struct view_way more;
	int another;

	(void)made;
	at_once = is_within(&way);
	if (at_once)
		return;
	another = new_link(conn, 0);
	if (view_way(&caller, another, &more) || !is_within(&way)) {
		views_off();
		if (views_on() || !is_within(&way))
			give_up("no views");
	}
	close(another);
}

/* With views on, a CPU that comes takes what they need of each. */
#define CPU_1 "/sys/devices/system/cpu/cpu1/online"

static void cpu_off(void)
{
	if (write_file(CPU_1, "0"))
		give_up(CPU_1);
}

static int cpu_on(void)
{
	return write_file(CPU_1, "1");
}

int main(void)
{
	static const struct nomem module = {
		.name = "insmod",
		.does = insmod,
		.undo = rmmod,
		.thread = &any,
		.least = 20,
	};
	static const struct nomem first = {
		.name = "the first root",
		.prepare = insmod_without,
		.does = views_on,
		.thread = &any,
		.least = 20,
	};
	static const struct nomem root = {
		.name = "another root",
		.prepare = views_off,
		.does = views_on,
		.undo = has_views,
		.thread = &any,
		.least = 30,
		.may_do = true,
	};
	static const struct nomem cpu = {
		.name = "a CPU that comes",
		.prepare = cpu_off,
		.does = cpu_on,
		.thread = &any,
		.least = 6,
	};
	pid_t server;

	nomem_begin();
	nomem_each(&module, false);
	nomem_each(&first, false);
	view_map();
	view_attach(&caller);
	server = view_server(handler, 2, &conn);
	if (view_way(&caller, new_link(conn, 0), &way))
		give_up("a way in");
	ok(is_within(&way), "calls go by views");
	nomem_each(&root, false);
	ok(at_once, "and with all memory there are views at once");
	if (cpus() > 1)
		nomem_each(&cpu, false);
	ok(is_within(&way), "and they are there to the end");
	close(way.link);
	close(conn);
	end_process(server);
	view_detach(&caller);
	ok(nobody_has_anything(), "nothing is left");
	/* (skyipc itself stays with this thread, which has had views.) */
	ok(!unload("skyipc_test"), "rmmod skyipc_test");
	return done();
}
