/* SPDX-License-Identifier: MIT */
/*
 * What debugfs says of servers and links, while calls are in each state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"

enum { ECHO, GATE };

static struct shared {
	_Atomic int in_gate, open;
} * shared;

static bool handler(struct request *r)
{
	if (r->msg.op == GATE) {
		shared->in_gate++;
		while (!shared->open)
			usleep(1000);
	}
	return true;
}

/* A line of servers, or of links, as it was printed */
static char line[512];

/* The one line with @pid in front; its number of lines is returned. */
static int lines_of(const char *file, pid_t pid)
{
	char *text = read_file(file), *at = text, *l, want[16];
	int n = 0;

	snprintf(want, sizeof(want), "%d ", pid);
	line[0] = '\0';
	while ((l = strsep(&at, "\n")))
		if (!strncmp(l, want, strlen(want))) {
			snprintf(line, sizeof(line), "%s", l);
			n++;
		}
	free(text);
	return n;
}

static bool begins(const char *file, const char *names)
{
	char *first = read_line(file);
	bool is = !strncmp(first, names, strlen(names));

	free(first);
	return is;
}

/* The server's line, but the number of those that wait */
static bool server_is(pid_t pid, const char *before, const char *after)
{
	char want[256], head[128];
	unsigned waiting;
	int n = 0;

	snprintf(head, sizeof(head), "%d 0 %s ", pid, before);
	if (lines_of(DEBUG "servers", pid) != 1 ||
	    strncmp(line, head, strlen(head)) ||
	    sscanf(line + strlen(head), "%u%n", &waiting, &n) != 1 ||
	    waiting > 2)
		return false;
	snprintf(want, sizeof(want), " %s", after);
	return !strcmp(line + strlen(head) + n, want);
}

/* Its workers go to sleep in a moment. */
static bool server_becomes(pid_t pid, const char *before, const char *after)
{
	for (int i = 0; i < 5000; i++) {
		if (server_is(pid, before, after))
			return true;
		usleep(1000);
	}
	return false;
}

static bool link_is(pid_t pid, const char *rest)
{
	char want[256];

	snprintf(want, sizeof(want), "%d %s", pid, rest);
	return lines_of(DEBUG "links", pid) == 1 && !strcmp(line, want);
}

static bool submits(int link, uint32_t what)
{
	struct skyipc_dev_call c = { .size = sizeof(c), .msg = { .op = what } };

	return !op(link, SKYIPC_LINK_SUBMIT, &c);
}

static bool reaps(int link)
{
	struct skyipc_dev_call c = { .size = sizeof(c),
				     .deadline = in_ms(10000) };

	return !op(link, SKYIPC_LINK_REAP, &c);
}

static void one_link(pid_t server, int conn)
{
	struct skyipc_dev_call c = { .flags = 0 };
	int link = new_link(conn, 4);
	char want[64];

	ok(server_becomes(server, "live 2", "1 1 5 0 0 0 0 0 0"),
	   "a server, its workers, a link: %s", line);
	snprintf(want, sizeof(want), "0 %d 4 0 - idle", getpid());
	ok(link_is(server, want), "that link: %s", line);
	if (!submits(link, GATE) || !submits(link, ECHO) ||
	    !submits(link, ECHO))
		give_up("submit");
	while (!shared->in_gate)
		usleep(1000);
	ok(server_becomes(server, "live 2", "1 1 2 2 0 1 0 0 0"),
	   "a call in its handler, and two behind it: %s", line);
	snprintf(want, sizeof(want), "0 %d 4 3 ", getpid());
	ok(lines_of(DEBUG "links", server) == 1 && strstr(line, want) &&
		   strstr(line, " taken"),
	   "the link then: %s", line);
	shared->open = 1;
	ok(reaps(link) && reaps(link) &&
		   server_becomes(server, "live 2", "1 1 4 0 0 0 0 1 0") &&
		   reaps(link),
	   "done, and not reaped: %s", line);
	shared->in_gate = shared->open = 0;
	ok(call(link, &c, GATE, 200) == -ETIMEDOUT &&
		   server_becomes(server, "live 2", "1 1 4 0 0 0 0 0 1"),
	   "its client has left: %s", line);
	shared->open = 1;
	close(link);
	ok(server_becomes(server, "live 2", "1 0 0 0 0 0 0 0 0"),
	   "and nothing of it: %s", line);
}

/* More than one buffer of the reader has room for */
static void many(pid_t server, int conn)
{
	static int links[900];

	for (int i = 0; i < 900; i++)
		links[i] = new_link(conn, 0);
	ok(lines_of(DEBUG "links", server) == 900 &&
		   lines_of(DEBUG "servers", server) == 1,
	   "900 links are all there");
	for (int i = 0; i < 900; i++)
		close(links[i]);
}

int main(void)
{
	pid_t first, second;
	int conn, other;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		give_up("mmap");
	if (load("skyipc.ko", "views=off"))
		give_up("insmod skyipc.ko");
	ok(begins(DEBUG "servers", "pid uid state workers waiting connections "
				   "links idle queued posted taken held done "
				   "left"),
	   "what is said of servers");
	ok(begins(DEBUG "links", "server connection client depth outstanding "
				 "worker state"),
	   "and of links");
	first = server_process(handler, 2, &conn);
	second = server_process(handler, 2, &other);
	one_link(first, conn);
	ok(lines_of(DEBUG "servers", first) == 1 &&
		   lines_of(DEBUG "servers", second) == 1,
	   "each server has a line");
	many(first, conn);
	close(other);
	end_process(second);
	end_process(first);
	ok(lines_of(DEBUG "servers", first) == 1 &&
		   strstr(line, " dead 0 0 0 "),
	   "dead, but for a descriptor of what was a connection: %s", line);
	close(conn);
	ok(!lines_of(DEBUG "servers", first), "gone");
	ok(!unload("skyipc"), "rmmod");
	return done();
}
