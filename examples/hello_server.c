/* SPDX-License-Identifier: MIT */
/*
 * The smallest server that behaves: it adds two numbers, and SIGTERM or
 * Ctrl-C ends it after the calls that are there have been answered.
 *
 *	hello_server [NAME]
 */
#include <skyipc.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct skyipc_server *server;

/* skyipc_server_shutdown() is the one function a signal handler may call. */
static void on_signal(int sig)
{
	(void)sig;
	skyipc_server_shutdown(server);
}

static int32_t add(struct skyipc_call *call, void *arg)
{
	(void)arg;
	call->out[0] = call->in[0] + call->in[1];
	return 0; /* the status that the client sees */
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "hello_server: %s: %s: %s\n", what, strerror(-err),
		skyipc_errmsg());
	return 1;
}

int main(int argc, char **argv)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;
	struct sigaction sa = { .sa_handler = on_signal };
	const char *name = argc > 1 ? argv[1] : "hello";
	int err;

	attr.handler = add;
	err = skyipc_server_create(name, &attr, &server);
	if (err)
		return fail(name, err);

	/* not before there is a server to shut down */
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);

	printf("serving %s\n", skyipc_server_path(server));
	fflush(stdout);
	err = skyipc_server_run(server);
	if (err)
		fail("run", err);
	else
		printf("stopped\n");
	skyipc_server_destroy(server);
	return err ? 1 : 0;
}
