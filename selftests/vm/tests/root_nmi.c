/* SPDX-License-Identifier: MIT */
/*
 * NMIs at random moments to a CPU that is in root again and again: none is
 * lost, none doubled. root_nmi [COUNT]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* Keep CPU 1 going to root and back, staying a while. */
static pid_t stay(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	run_on(1);
	for (unsigned int i = 0;; i = i * 1103515245 + 12345) {
		char line[32];

		snprintf(line, sizeof(line), "stay %u", i >> 16 & 0x3fff);
		if (write_file(DEBUG "root", line))
			_exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned long sent, seen, lost, doubled, in_root = 0, given = 0;
	char *text, *line, *at, command[64];
	int status;
	pid_t pid;

	if (cpus() < 2) {
		printf("1..0 # SKIP needs two CPUs\n");
		return 0;
	}
	if (load("skyipc_test.ko", "") || load("skyipc.ko", "views=required"))
		give_up("insmod");
	pid = stay();
	run_on(0);
	snprintf(command, sizeof(command), "1 %d 42",
		 argc > 1 ? atoi(argv[1]) : 10000);
	ok(!write_file(TEST "nmi", command), "NMIs are sent");
	ok(!waitpid(pid, &status, WNOHANG), "CPU 1 went on going to root");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);

	text = read_file(TEST "nmi");
	if (sscanf(text, "sent %lu seen %lu lost %lu doubled %lu", &sent, &seen,
		   &lost, &doubled) != 4)
		give_up("nmi");
	ok(sent == seen && !lost && !doubled,
	   "sent %lu, seen %lu, lost %lu, doubled %lu", sent, seen, lost,
	   doubled);
	free(text);
	at = text = read_file(DEBUG "cpus");
	while ((line = strsep(&at, "\n")))
		if (!strncmp(line, "1 ", 2))
			sscanf(line, "1 on calls %*u nmis %lu given %lu",
			       &in_root, &given);
	free(text);
	ok(in_root > sent / 20, "%lu of them met root", in_root);
	ok(given == in_root, "%lu of those were injected", given);
	ok(!unload("skyipc") && !unload("skyipc_test"), "rmmod");
	return done();
}
