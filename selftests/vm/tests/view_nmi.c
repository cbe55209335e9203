/* SPDX-License-Identifier: MIT */
/*
 * NMIs at random moments to a CPU that is in views again and again: none is
 *lost, and every call is well.
 *
 *	view_nmi COUNT
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kcall.h"
#include "view.h"

/* Shared with the caller */
static struct {
	_Atomic int stop;
	_Atomic unsigned calls;
} * seen;

static void handler(struct view_msg *m)
{
	for (volatile unsigned i = 0; i < m->word[2]; i++)
		;
	if (m->word[3])
		m->word[4] = (uint64_t)getppid();
	m->word[1] += 3;
}

static void calls(int conn)
{
	struct view_caller c;
	struct view_way w;

	run_on(1);
	view_attach(&c);
	if (view_way(&c, new_link(conn, 0), &w))
		_exit(1);
	for (unsigned i = 0; !seen->stop; i++) {
		struct view_msg m = { .word = { 0, i, i * 7919 % 300,
						i % 8 == 0, 5, 6, 7 } };

		if (view_call(&c, &w, &m) || m.word[1] != i + 3 ||
		    m.word[5] != 6 || m.word[6] != 7)
			_exit(2);
		seen->calls++;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *count = argc > 1 ? argv[1] : "1000";
	pid_t server, caller;
	int conn, status, err;
	unsigned before;
	char line[64];
	char *result;

	/* They are sent from another one. */
	if (cpus() < 2) {
		ok(true, "NMIs # skip one CPU");
		return done();
	}
	load("skyipc.ko", "views=required");
	load("skyipc_test.ko", "");
	view_map();
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	server = view_server(handler, 1, &conn);
	caller = fork();
	if (!caller)
		calls(conn);
	run_on(0);
	while (!seen->calls)
		usleep(1000);
	before = seen->calls;
	snprintf(line, sizeof(line), "1 %s 7", count);
	err = write_file(TEST "nmi", line);
	note("%u calls meanwhile", seen->calls - before);
	result = read_line(TEST "nmi");
	note("%s", result);
	ok(!err && strstr(result, " lost 0 doubled 0"), "%s NMIs", count);
	seen->stop = 1;
	waitpid(caller, &status, 0);
	ok(!status, "every call is well");
	note("%x", status);
	free(result);
	end_process(server);
	unload("skyipc_test");
	return done();
}
