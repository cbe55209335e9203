/* SPDX-License-Identifier: MIT */
/*
 * What can be known: from the server, from the client, and from outside, as
 * skyctl does it. And where the library's own messages go.
 */
#include "pair.h"

#include <inttypes.h>

#define NAME "example-statistics"
#define CALLS 1600u

static char client_says[] = "client", server_says[] = "server";

/* One line without newline, from any thread: the server's messages too. */
static void on_log(enum skyipc_log_level level, const char *line, void *arg)
{
	if (level <= SKYIPC_LOG_WARNING)
		fprintf(stderr, "%s: %s\n", (const char *)arg, line);
}

static int32_t nothing(struct skyipc_call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

/* From inside the client: its own connection. */
static int my_connection(struct skyipc_conn *conn)
{
	struct skyipc_stats stats = { .size = sizeof(stats) };
	int err = skyipc_conn_stats(conn, &stats);

	if (err)
		return complain("conn_stats", err);
	/* 0 if nothing was timed yet: one call in 64 is */
	printf("%" PRIu64 " calls through %s, p50 %s, p99 %s\n", stats.calls,
	       skyipc_conn_transport(conn),
	       skyipc_hist_quantile(&stats.latency, 0.5) ? "known" : "unknown",
	       skyipc_hist_quantile(&stats.latency, 0.99) ? "known"
							  : "unknown");
	/* By VMFUNC most calls should begin, and end, on this very thread. */
	if (stats.views.calls > stats.calls)
		return 1;
	return stats.calls != CALLS || stats.latency.count == 0 ||
	       skyipc_hist_quantile(&stats.latency, 1.0) <
		       skyipc_hist_quantile(&stats.latency, 0.5);
}

/* From outside: what any program may ask that may connect. */
static int from_outside(const char *transport)
{
	struct skyipc_server_info info = { .size = sizeof(info) };
	struct skyipc_conn_info *conns;
	int err, found = 0;
	size_t n;

	err = skyipc_query(NAME, &info, &conns, &n, SKYIPC_SEC(5));
	if (err)
		return complain("query", err);
	printf("program %s, pid %s, %u worker, %" PRIu64 " calls\n", info.comm,
	       info.pid == getppid() ? "of the parent" : "unknown",
	       info.workers, info.stats.calls);
	for (size_t i = 0; i < n; i++) {
		if (conns[i].peer.pid == getpid() &&
		    strcmp(conns[i].transport, transport) == 0 &&
		    conns[i].stats.calls == CALLS)
			found++;
	}
	free(conns);
	return found == 1 && info.stats.calls == CALLS ? 0 : 1;
}

/* A plain name is a socket NAME.sock in the runtime directory. */
static int count_name(const char *path, void *arg)
{
	const char *slash = strrchr(path, '/');

	if (slash && strcmp(slash, "/" NAME ".sock") == 0)
		++*(int *)arg;
	return 0; /* anything else ends the listing */
}

static int all_names(void)
{
	int found = 0;
	int err = skyipc_list(count_name, &found);

	if (err)
		return complain("list", err);
	printf("listed: %s\n", found ? "yes" : "no");
	return found != 1;
}

static int all_transports(void)
{
	struct skyipc_transport_info t = { .size = sizeof(t) };
	int usable = 0;

	for (unsigned i = 0; skyipc_transport(i, &t) == 0; i++) {
		printf("transport %s: %s\n", t.name,
		       t.available ? "usable" : t.detail);
		usable += t.available;
	}
	return usable == 0;
}

static int client(void)
{
	struct skyipc_conn *conn;
	int err, ret;

	skyipc_set_log(on_log, client_says);
	printf("libskyipc %s\n", skyipc_version());
	err = connect_to(NAME, &conn);
	if (err)
		return complain(NAME, err);
	for (unsigned i = 0; i < CALLS && !err; i++)
		err = skyipc_call(conn, 0, NULL, NULL, NULL, SKYIPC_DEFAULT);
	if (err)
		complain("call", err);
	ret = err || my_connection(conn) ||
	      from_outside(skyipc_conn_transport(conn)) || all_names() ||
	      all_transports();
	skyipc_close(conn);
	return ret;
}

/* From inside the server. */
static int my_server(struct skyipc_server *server)
{
	struct skyipc_stats stats = { .size = sizeof(stats) };
	int err = skyipc_server_stats(server, &stats);

	if (err)
		return complain("server_stats", err);
	printf("served %" PRIu64 " calls, %" PRIu64 " errors\n", stats.calls,
	       stats.errors);
	return stats.calls != CALLS || stats.errors != 0;
}

static int make(struct skyipc_server **server)
{
	struct skyipc_server_attr attr = SKYIPC_SERVER_ATTR_INIT;

	attr.handler = nothing;
	attr.log = on_log;
	attr.log_arg = server_says;
	return skyipc_server_create(NAME, &attr, server);
}

int main(void)
{
	struct skyipc_server *server;
	pid_t child = start_pair(make, client, &server);
	int ret;

	if (child < 0)
		return 1;
	ret = reap(child) || my_server(server);
	skyipc_server_destroy(server);
	return ret;
}
