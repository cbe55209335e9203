/* SPDX-License-Identifier: MIT */
/*
 * iceoryx: request and response through its C binding, both sides polling.
 * It needs its daemon, RouDi, which is started for each run and ended after
 * it; a RouDi that runs already makes ours fail, and the peer is skipped.
 * A waiting mode is not measured: it wakes through a semaphore, as others do.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "peer.h"
#include "util.h"

#include <iceoryx_binding_c/client.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/server.h>

#define ROUDI_START_MS 15000
#define CONNECT_NS UINT64_C(10000000000)
#define READY_LINE "RouDi is ready for clients"

/* ---------------------------------------------------------------- RouDi -- */

/* What RouDi makes under fixed names, and removes unless it is killed. */
static const char *const roudi_files[] = {
	"/dev/shm/iceoryx_mgmt",
	"/dev/shm/%s", /* the user's segment */
	"/tmp/roudi",
	"/tmp/roudi.lock",
	"/tmp/iox-unique-roudi.lock",
	"/dev/shm/sem.roudi",
	NULL,
};

#define NROUDI_FILES 6

static struct {
	pid_t pid;
	int ready;		     /* the names are ours */
	int was_there[NROUDI_FILES]; /* not ours to remove */
} roudi;

static void roudi_file(int i, char *path, size_t len)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *at = strstr(roudi_files[i], "%s");

	if (at)
		snprintf(path, len, "/dev/shm/%s", pw ? pw->pw_name : "?");
	else
		snprintf(path, len, "%s", roudi_files[i]);
}

/*
 * The built-in configuration has no chunk above 4 MiB, and makes 150 MB of
 * small ones for every run. This one has a pool of what is needed.
 */
static int roudi_config(const struct run *run)
{
	size_t size = (run->cfg.size + 1024 + 63) & ~(size_t)63;
	unsigned count = 32 * (run->cfg.clients + 1);
	int fd = memfd_create("roudi.toml", 0);

	if (size > 1 << 20)
		count = 8 * (run->cfg.clients + 1);
	if (fd >= 0)
		dprintf(fd,
			"[general]\nversion = 1\n\n[[segment]]\n\n"
			"[[segment.mempool]]\nsize = %zu\ncount = %u\n",
			size, count);
	return fd;
}

static void roudi_exec(const struct run *run, const char *path, int out,
		       pid_t parent)
{
	char config[64];
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN);
	dup2(null, 0);
	dup2(out, 1);
	dup2(null, 2);
	/* -k: when told to end it waits so long for clients, which may be
	 * dead; 45 s otherwise. */
	snprintf(config, sizeof(config), "/proc/self/fd/%d", roudi_config(run));
	execl(path, "iox-roudi", "-m", "off", "-l", "off", "-k", "1", "-c",
	      config, (char *)NULL);
	_exit(127);
}

/* Read its output until it says that it is ready. */
static int roudi_await(int fd)
{
	uint64_t until = clock_ns() + ROUDI_START_MS * UINT64_C(1000000);
	char text[4096];
	size_t n = 0;

	while (clock_ns() < until && n < sizeof(text) - 1) {
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t got;

		if (poll(&p, 1, ROUDI_START_MS) <= 0)
			return -1;
		got = read(fd, text + n, sizeof(text) - 1 - n);
		if (got <= 0)
			return -1;
		n += (size_t)got;
		text[n] = 0;
		if (strstr(text, READY_LINE))
			return 0;
	}
	return -1;
}

static int iox_setup(struct run *run)
{
	char path[4096], file[512];
	pid_t self = getpid();
	int out[2], err;

	if (find_program("iox-roudi", path, sizeof(path)))
		return run_skip(run, "there is no iox-roudi in the path: "
				     "install iceoryx");
	for (int i = 0; roudi_files[i]; i++) {
		roudi_file(i, file, sizeof(file));
		roudi.was_there[i] = !access(file, F_OK);
	}
	if (pipe2(out, O_CLOEXEC))
		return run_fail(run, "pipe: %s", strerror(errno));
	roudi.pid = fork();
	if (!roudi.pid)
		roudi_exec(run, path, out[1], self);
	close(out[1]);
	err = roudi.pid < 0 || roudi_await(out[0]);
	/* It writes nothing more that could fill the pipe. */
	close(out[0]);
	if (err)
		return run_skip(run, "iox-roudi did not start (is another one "
				     "running?)");
	roudi.ready = 1;
	return PEER_OK;
}

static int roudi_end(int sig, int ms)
{
	uint64_t until = clock_ns() + (uint64_t)ms * 1000000;

	kill(roudi.pid, sig);
	while (clock_ns() < until) {
		if (waitpid(roudi.pid, NULL, WNOHANG) == roudi.pid)
			return 0;
		poll(NULL, 0, 5);
	}
	return -1;
}

static void iox_name(const struct run *run, int client, char *buf, size_t len)
{
	if (client < 0)
		snprintf(buf, len, "%s-server", run->tag);
	else
		snprintf(buf, len, "%s-client-%d", run->tag, client);
}

static void iox_teardown(struct run *run)
{
	char name[128], path[600];

	if (roudi.pid > 0 && roudi_end(SIGTERM, 5000)) {
		kill(roudi.pid, SIGKILL);
		waitpid(roudi.pid, NULL, 0);
	}
	for (int i = 0; roudi.ready && roudi_files[i]; i++) {
		roudi_file(i, path, sizeof(path));
		if (!roudi.was_there[i])
			unlink(path);
	}
	/* The number may soon be another process's. */
	roudi.pid = 0;
	roudi.ready = 0;
	for (int i = -1; i < (int)run->cfg.clients; i++) {
		iox_name(run, i, name, sizeof(name));
		snprintf(path, sizeof(path), "/tmp/%s", name);
		unlink(path);
		snprintf(path, sizeof(path), "/tmp/%s.lock", name);
		unlink(path);
	}
}

/* --------------------------------------------------------------- server -- */

static int iox_serve(struct run *run, unsigned client)
{
	iox_server_storage_t storage;
	iox_server_options_t options;
	size_t size = run->cfg.size;
	iox_server_t server;
	char name[128];

	(void)client;
	iox_name(run, -1, name, sizeof(name));
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	iox_runtime_init(name);
	iox_server_options_init(&options);
	server = iox_server_init(&storage, "skybench", run->tag, "call",
				 &options);
	if (!server)
		return run_fail(run, "iox_server_init failed");
	run_ready(run);
	while (!run_stopping(run)) {
		const void *request;
		void *response;

		if (iox_server_take_request(server, &request) !=
		    ServerRequestResult_SUCCESS) {
			cpu_relax();
			continue;
		}
		if (iox_server_loan_response(server, request, &response,
					     (uint32_t)size) !=
		    AllocationResult_SUCCESS)
			return run_skip(run, "no chunk for %zu bytes", size);
		memcpy(response, request, size);
		iox_server_release_request(server, request);
		if (iox_server_send(server, response) !=
		    ServerSendResult_SUCCESS)
			return run_fail(run, "iox_server_send failed");
	}
	iox_server_deinit(server);
	return PEER_OK;
}

/* --------------------------------------------------------------- client -- */

struct iox_conn {
	struct run *run;
	iox_client_t client;
	iox_client_storage_t storage;
	size_t size;
	uint64_t serial;
	unsigned char *buf;
};

static void *iox_open(struct run *run, unsigned client)
{
	uint64_t until = clock_ns() + CONNECT_NS;
	struct iox_conn *c = run_alloc(run, sizeof(*c));
	iox_client_options_t options;
	char name[128];

	if (!c)
		return NULL;
	c->run = run;
	c->size = run->cfg.size;
	c->buf = run_private(run, c->size);
	iox_name(run, (int)client, name, sizeof(name));
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	iox_runtime_init(name);
	iox_client_options_init(&options);
	c->client = iox_client_init(&c->storage, "skybench", run->tag, "call",
				    &options);
	if (!c->client || !c->buf) {
		run_fail(run, "iox_client_init failed");
		return NULL;
	}
	/* There is nothing to wait on but the state itself. */
	while (iox_client_get_connection_state(c->client) !=
	       ConnectionState_CONNECTED) {
		if (clock_ns() > until) {
			run_fail(run, "RouDi did not connect client and "
				      "server");
			return NULL;
		}
		sched_yield();
	}
	return c;
}

static int iox_call(void *conn)
{
	struct iox_conn *c = conn;
	const void *reply;
	void *request;
	int ok;

	if (iox_client_loan_request(c->client, &request, (uint32_t)c->size) !=
	    AllocationResult_SUCCESS)
		return run_skip(c->run, "no chunk for %zu bytes", c->size);
	payload_stamp(c->buf, c->size, ++c->serial);
	memcpy(request, c->buf, c->size);
	if (iox_client_send(c->client, request) != ClientSendResult_SUCCESS)
		return run_fail(c->run, "iox_client_send failed");
	while (iox_client_take_response(c->client, &reply) !=
	       ChunkReceiveResult_SUCCESS)
		cpu_relax();
	ok = payload_ok(reply, c->size, c->serial);
	payload_touch(reply, c->size);
	iox_client_release_response(c->client, reply);
	return ok ? 0 : run_fail(c->run, "wrong reply");
}

static void iox_end(void *conn)
{
	struct iox_conn *c = conn;

	iox_client_deinit(c->client);
	free(c);
}

const struct peer peer_iceoryx = {
	.name = "iceoryx",
	.mode = "polling",
	.copies = "2 (client into the request, server into the response)",
	.flags = PEER_GRACEFUL | PEER_SPINS,
	.setup = iox_setup,
	.serve = iox_serve,
	.open = iox_open,
	.call = iox_call,
	.close = iox_end,
	.teardown = iox_teardown,
};
