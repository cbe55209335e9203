/* SPDX-License-Identifier: MIT */
/*
 * skyctl - what skyipc servers and clients are doing, and what this machine
 * can do for them. It sees only what the public API tells any program, and
 * what the module tells root.
 */
#include "ctl.h"
#include "text.h"

#include <skyipc.h>

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "list", ctl_list },	  { "stat", ctl_stat },	    { "nr", ctl_nr },
	{ "module", ctl_module }, { "doctor", ctl_doctor },
};

static const char help[] =
	"usage: skyctl list [--json] [--timeout SECONDS]\n"
	"       skyctl stat NAME [--json] [--timeout SECONDS]\n"
	"                        [--watch [SECONDS]] [--count N]\n"
	"       skyctl nr [PID] [--json]\n"
	"       skyctl module [--json]\n"
	"       skyctl doctor [--json]\n"
	"       skyctl --help | --version\n"
	"\n"
	"list    servers that can be seen from here, their clients, "
	"transports\n"
	"stat    counters and latency of one server and of its connections\n"
	"nr      statistics of libnr's structures that programs show\n"
	"module  the kernel module's servers, links and users (as root)\n"
	"doctor  what this machine can do, and what to change if it cannot\n"
	"\n"
	"Exit codes: 0 ok, 1 failed, 2 usage. See skyctl(1).\n";

int ctl_usage(void)
{
	fputs("Try 'skyctl --help'.\n", stderr);
	return EXIT_USAGE;
}

int ctl_error(const char *what, int err)
{
	char name[512], more[512];
	const char *detail = skyipc_errmsg();

	fprintf(stderr, "skyctl: %s: %s%s%s\n",
		safe(name, sizeof(name), what, strlen(what)), strerror(-err),
		detail[0] ? ": " : "",
		safe(more, sizeof(more), detail, strlen(detail)));
	return EXIT_FAILED;
}

/* Output that could not be written is a failure, not a short success. */
static int flushed(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("skyctl: standard output");
	return code == EXIT_OK ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
	char word[128];
	size_t i;

	if (argc < 2) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(help, stdout);
		return flushed(EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("skyctl %s (libskyipc %s)\n", SKYIPC_VERSION,
		       skyipc_version());
		return flushed(EXIT_OK);
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return flushed(commands[i].run(argc - 1, argv + 1));
	}
	fprintf(stderr, "skyctl: no such command: %s\n",
		safe(word, sizeof(word), argv[1], strlen(argv[1])));
	return ctl_usage();
}
