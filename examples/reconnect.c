/* SPDX-License-Identifier: MIT */
/*
 * A client that outlives its server: the server is killed without warning,
 * another one, that has stood by, takes over the name that was left behind,
 * and the client goes on.
 */
#include "pair.h"

#include <inttypes.h>

#define NAME "example-reconnect"

static struct skyipc_server *server;

static void on_term(int sig)
{
	(void)sig;
	skyipc_server_shutdown(server);
}

static int32_t who(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = (uint64_t)getpid();
	return 0;
}

/* The server's process. SIGTERM is blocked until there is a server. */
static int serve(const sigset_t *before)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct sigaction sa = { .sa_handler = on_term };
	int err;

	attr.handler = who;
	err = skyipc_server_create(NAME, &attr, &server);
	if (err)
		return complain(NAME, err);
	sigaction(SIGTERM, &sa, NULL);
	sigprocmask(SIG_SETMASK, before, NULL);
	err = skyipc_server_run(server);
	if (err)
		complain("run", err);
	skyipc_server_destroy(server);
	return err ? 1 : 0;
}

/*
 * Two processes are to serve, the second when the first has died. It learns
 * that from a pipe: the first holds the end to write to and never writes. Both
 * are forked before this process connects, because a connection is the
 * business of the process that made it.
 */
static pid_t start(int standby, const int alive[2])
{
	sigset_t term, before;
	pid_t pid;
	char c;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	pid = fork();
	if (pid == 0) {
		close(alive[standby]);
		if (standby && read(alive[0], &c, 1) != 0)
			exit(1);
		exit(serve(&before));
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		perror("fork");
	return pid;
}

static int call_who(struct skyipc_conn *conn, pid_t *pid)
{
	uint64_t out[SKYIPC_WORDS];
	int err = skyipc_call(conn, 0, NULL, out, NULL, SKYIPC_DEFAULT);

	if (!err)
		*pid = (pid_t)out[0];
	return err;
}

/*
 * -EPIPE: the call was not made, so it can be made again. -ECONNRESET: it may
 * have been; only the program can know whether twice is once too often.
 */
static int call_again(struct skyipc_conn **conn, pid_t *pid)
{
	int err = call_who(*conn, pid);

	if (err != -EPIPE && err != -ECONNRESET)
		return err;
	printf("the server is gone; connecting again\n");
	skyipc_close(*conn);
	*conn = NULL;
	err = connect_to(NAME, conn);
	return err ? err : call_who(*conn, pid);
}

static int use(struct skyipc_conn **conn, pid_t *first, pid_t second)
{
	pid_t answered = 0;
	int err;

	err = call_who(*conn, &answered);
	if (err || answered != *first)
		return complain("first server", err);
	printf("the first server answers\n");

	kill(*first, SIGKILL);
	reap(*first);
	*first = -1;
	err = call_again(conn, &answered);
	if (err || answered != second)
		return complain("second server", err);
	printf("the second server answers\n");
	return 0;
}

/* @first becomes -1 when it has been killed. */
static int client(pid_t *first, pid_t second)
{
	struct skyipc_conn *conn;
	int err, ret;

	err = connect_to(NAME, &conn);
	if (err)
		return complain(NAME, err);
	ret = use(&conn, first, second);
	skyipc_close(conn); /* may be NULL */
	return ret;
}

int main(void)
{
	pid_t first, second;
	int alive[2], ret = 1;

	if (pipe(alive)) {
		perror("pipe");
		return 1;
	}
	first = start(0, alive);
	second = first < 0 ? -1 : start(1, alive);
	close(alive[0]);
	close(alive[1]);
	if (second > 0)
		ret = client(&first, second);
	if (first > 0) {
		kill(first, SIGKILL);
		reap(first);
	}
	if (second > 0) {
		kill(second, ret ? SIGKILL : SIGTERM);
		ret = reap(second) || ret;
	}
	return ret;
}
