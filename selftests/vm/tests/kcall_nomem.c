/* SPDX-License-Identifier: MIT */
/*
 * Each allocation that the module makes for what a process makes of it fails
 *once: servers, connections, workers, links.
 *
 *	kcall_nomem ROUNDS
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "nomem.h"
#include "park_state.h"

/* ---- with nobody else there: users, too, are made for it
 * --------------------- */

static int dev = -1, mine = -1, bell;

static int insmod(void)
{
	return load("skyipc.ko", "views=off");
}

static void rmmod(int made)
{
	(void)made;
	if (unload("skyipc"))
		give_up("rmmod");
}

static const struct nomem module = {
	.name = "insmod",
	.does = insmod,
	.undo = rmmod,
	.least = 2,
};

static void undo_close(int made)
{
	close(made);
}

static int make_server(void)
{
	struct skyipc_dev_server s = { .size = sizeof(s) };

	return op(dev, SKYIPC_DEV_SERVER, &s);
}

/* Whatever a server had is given back a moment after that. */
static void nobody(void)
{
	if (!nobody_has_anything())
		give_up("somebody has something");
}

static const struct nomem servers[] = {
	{
		.name = "a server",
		.prepare = nobody,
		.does = make_server,
		.undo = undo_close,
		.least = 5,
	},
};

static int make_conn(void)
{
	struct skyipc_dev_connect c = { .size = sizeof(c) };

	return op(mine, SKYIPC_SERVER_CONNECT, &c);
}

static int make_worker(void)
{
	struct skyipc_dev_worker w = { .size = sizeof(w), .bell = -1 };

	return op(mine, SKYIPC_SERVER_WORKER, &w);
}

static int make_worker_with_all(void)
{
	struct skyipc_dev_worker w = { .size = sizeof(w),
				       .flags = SKYIPC_WORKER_INHERIT,
				       .bell = bell };

	return op(mine, SKYIPC_SERVER_WORKER, &w);
}

static const struct nomem of_servers[] = {
	{
		.name = "a connection",
		.does = make_conn,
		.undo = undo_close,
		.least = 2,
	},
	{
		.name = "a worker",
		.does = make_worker,
		.undo = undo_close,
		.least = 3,
	},
	{
		.name = "a worker with a bell",
		.does = make_worker_with_all,
		.undo = undo_close,
		.least = 3,
	},
};

/* ---- links
 * ------------------------------------------------------------------- */

enum { ECHO };

static int conn, link_fd;

static bool handler(struct request *r)
{
	(void)r;
	return true;
}

static int make_link(unsigned depth)
{
	struct skyipc_dev_link l = { .size = sizeof(l), .depth = depth };

	return op(conn, SKYIPC_CONN_LINK, &l);
}

static int link_0(void)
{
	return make_link(0);
}

static int link_8(void)
{
	return make_link(8);
}

/* Who pays, and is nobody yet: files of tests go by the effective one. */
static void another_user(void)
{
	if (setresuid(1000, (uid_t)-1, (uid_t)-1))
		give_up("setresuid");
}

static void undo_user(int made)
{
	close(made);
	if (setresuid(0, (uid_t)-1, (uid_t)-1))
		give_up("setresuid");
}

static int adopt(void)
{
	return op(link_fd, SKYIPC_LINK_ADOPT, NULL);
}

static void release(void)
{
	if (op(link_fd, SKYIPC_LINK_RELEASE, NULL))
		give_up("SKYIPC_LINK_RELEASE");
}

static void adopted(int made)
{
	struct skyipc_dev_call c = { .flags = 0 };

	(void)made;
	if (call(link_fd, &c, ECHO, 0))
		give_up("a call over a link that has been adopted");
}

static void new_one(void)
{
	link_fd = new_link(conn, 0);
}

static int parked(void)
{
	uint64_t regs[REGS];

	random_xsave();
	random_regs(regs);
	return park(link_fd, regs);
}

static void close_link(int made)
{
	(void)made;
	close(link_fd);
}

static void links(int rounds)
{
	static const struct nomem all[] = {
		{
			.name = "a link",
			.does = link_0,
			.undo = undo_close,
			.least = 4,
		},
		{
			.name = "a link of another user",
			.prepare = another_user,
			.does = link_0,
			.undo = undo_user,
			.least = 6,
		},
		{
			.name = "a link with 8 more calls",
			.does = link_8,
			.undo = undo_close,
			.least = 20,
		},
		{
			.name = "a link from another thread",
			.prepare = release,
			.does = adopt,
			.undo = adopted,
			.least = 1,
		},
	};
	pid_t pid = server_process(handler, 1, &conn);

	link_fd = new_link(conn, 8);
	/* Its worker is there when it has replied. */
	adopted(0);
	nomem_all(all, sizeof(all) / sizeof(*all), rounds);
	close(link_fd);
	close(conn);
	end_process(pid);
}

static void parks(int rounds)
{
	const struct nomem all[] = {
		{
			.name = "a state to go on from",
			.prepare = new_one,
			.does = parked,
			.undo = close_link,
			.least = 1,
		},
	};
	pid_t pid;

	if (write_file(DEBUG "hand_over", "Y"))
		give_up("hand_over");
	pid = parked_server(&conn);
	/* Its worker is there when it has replied. */
	new_one();
	if (parked())
		give_up("a state to go on from");
	close_link(0);
	nomem_all(all, 1, rounds);
	close(conn);
	end_process(pid);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 30;

	parked_init();
	park_state_init();
	nomem_begin();
	nomem_each(&module, false);
	if (insmod())
		give_up("insmod");
	dev = open(SKYIPC_DEV, O_RDWR | O_CLOEXEC);
	bell = eventfd(0, EFD_CLOEXEC);
	nomem_all(servers, 1, rounds);
	mine = make_server();
	nomem_all(of_servers, sizeof(of_servers) / sizeof(*of_servers), rounds);
	close(mine);
	nobody();
	links(rounds);
	parks(rounds);
	close(dev);
	close(bell);
	ok(nobody_has_anything(), "nothing is left");
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
