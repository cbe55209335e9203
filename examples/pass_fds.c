/* SPDX-License-Identifier: MIT */
/*
 * File descriptors, both ways. The client gives the server a pipe to write
 * its log to, and gets a memory file to read from.
 */
#include "pair.h"

#include <fcntl.h>
#include <sys/mman.h>

#define NAME "example-pass-fds"

enum op {
	OP_LOG_TO, /* a descriptor in, kept */
	OP_BOARD,  /* a descriptor out */
	OP_COUNT,
};

static int log_fd = -1;
static int board_fd = -1;

static int32_t log_to(struct skyipc_call *call, void *arg)
{
	(void)arg;
	if (call->nfds != 1)
		return EINVAL; /* those that came are closed by the library */
	if (log_fd >= 0)
		close(log_fd);
	log_fd = call->fds[0];
	call->fds[0] = -1; /* ours now, not to be closed */
	dprintf(log_fd, "logging for %ld\n", (long)call->peer->pid);
	return 0;
}

static int32_t board(struct skyipc_call *call, void *arg)
{
	int *fds = skyipc_call_fds(call, 1);

	(void)arg;
	if (!fds)
		return ENOMEM;
	fds[0] = board_fd; /* stays ours: the client gets a copy */
	if (log_fd >= 0)
		dprintf(log_fd, "board handed out\n");
	return 0;
}

static int make(struct skyipc_server **server)
{
	static const struct skyipc_op ops[OP_COUNT] = {
		[OP_LOG_TO] = { log_to, NULL },
		[OP_BOARD] = { board, NULL },
	};
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	board_fd = memfd_create("board", MFD_CLOEXEC);
	if (board_fd < 0 || dprintf(board_fd, "42 points") < 0)
		return -errno;
	attr.ops = ops;
	attr.nops = OP_COUNT;
	return skyipc_server_create(NAME, &attr, server);
}

static int send_pipe(struct skyipc_conn *conn, int pipe_fd)
{
	struct skyipc_msg req = { .op = OP_LOG_TO, .fds = &pipe_fd, .nfds = 1 };
	struct skyipc_msg rep = { 0 };
	int err = skyipc_call_msg(conn, &req, &rep, SKYIPC_DEFAULT);

	if (err || rep.status)
		return complain("log to", err ? err : -rep.status);
	return 0;
}

static int get_board(struct skyipc_conn *conn)
{
	struct skyipc_msg req = { .op = OP_BOARD }, rep = { 0 };
	char text[32] = "";
	int fd, err;

	rep.fds = &fd; /* room for one */
	rep.nfds = 1;
	err = skyipc_call_msg(conn, &req, &rep, SKYIPC_DEFAULT);
	if (err || rep.status)
		return complain("board", err ? err : -rep.status);
	if (rep.nfds != 1)
		return 1;
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		perror("board");
	close(fd); /* received descriptors are the caller's */
	printf("board: %s\n", text);
	return strcmp(text, "42 points");
}

/* Reads what the server has written so far, which is there by now. */
static int read_log(int fd)
{
	char expected[64], text[256];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return complain("log", -errno);
	text[n] = 0;
	printf("log: %s", text);
	snprintf(expected, sizeof(expected),
		 "logging for %ld\nboard handed out\n", (long)getpid());
	return strcmp(text, expected);
}

static int client(void)
{
	struct skyipc_conn *conn;
	int pipefd[2], err, ret = 1;

	err = connect_to(NAME, &conn);
	if (err)
		return complain(NAME, err);
	if (pipe2(pipefd, O_CLOEXEC)) {
		perror("pipe");
	} else {
		ret = send_pipe(conn, pipefd[1]);
		close(pipefd[1]); /* the server has its own copy */
		ret = ret || get_board(conn) || read_log(pipefd[0]);
		close(pipefd[0]);
	}
	skyipc_close(conn);
	return ret;
}

int main(void)
{
	/* a client that closes its pipe must not kill the server */
	signal(SIGPIPE, SIG_IGN);
	return run_pair(make, client);
}
