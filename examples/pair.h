/* SPDX-License-Identifier: MIT */
/*
 * The examples show two programs in one file: the server and its client.
 * Here is what runs them, each in a process of its own. Programs of your own
 * have a main() for each; see hello_server.c and hello_client.c.
 */
#ifndef PAIR_H
#define PAIR_H

#include <skyipc.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says what failed and why; returns 1, for "return complain(...)". */
static inline int complain(const char *what, int err)
{
	const char *more = skyipc_errmsg();

	fprintf(stderr, "%s: %s%s%s\n", what, strerror(-err),
		more[0] ? ": " : "", more);
	return 1;
}

/* Connects, and waits for the server if it has not made its name yet. */
static inline int connect_to(const char *name, struct skyipc_conn **conn)
{
	struct skyipc_connect_attr attr = SKYIPC_CONNECT_ATTR_INIT;

	attr.wait = 1;
	attr.call_ns = SKYIPC_SEC(10);
	return skyipc_connect(name, &attr, conn);
}

/* Waits for a child; returns its exit code, 1 if it was killed. */
static inline int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/*
 * Starts client() in a child and the server that make() makes in this process.
 * Returns the child; -1 after having complained, and nothing is left then.
 *
 * The child is made first: after fork() it would own none of the parent's
 * servers and connections, and would only carry copies of them around.
 */
static inline pid_t start_pair(int (*make)(struct skyipc_server **server),
			       int (*client)(void),
			       struct skyipc_server **server)
{
	pid_t child;
	int err;

	*server = NULL;
	child = fork();
	if (child < 0) {
		perror("fork");
		return -1;
	}
	if (child == 0)
		exit(client());

	err = make(server);
	if (!err)
		err = skyipc_server_start(*server);
	if (!err)
		return child;
	complain("server", err);
	kill(child, SIGTERM);
	reap(child);
	skyipc_server_destroy(*server);
	return -1;
}

/* Until the client ends. Returns what main() is to return. */
static inline int run_pair(int (*make)(struct skyipc_server **server),
			   int (*client)(void))
{
	struct skyipc_server *server;
	pid_t child = start_pair(make, client, &server);
	int err, ret;

	if (child < 0)
		return 1;
	ret = reap(child);
	err = skyipc_server_stop(server, SKYIPC_SEC(10));
	if (err)
		complain("stop", err);
	skyipc_server_destroy(server);
	return err ? 1 : ret;
}

#endif /* PAIR_H */
