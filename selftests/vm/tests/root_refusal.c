/* SPDX-License-Identifier: MIT */
/*
 * A machine that cannot have views: root_refusal ERRNO TEXT
 *
 * LACK=vmxe in the environment: make it such a machine first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps.h"
#include "guest.h"

/* How many lines of the kernel's log are the module's, and the last of them */
static int said(char *last, size_t size)
{
	char *text = kernel_log(), *at = text, *line;
	int n = 0;

	while ((line = strsep(&at, "\n"))) {
		char *begin = strstr(line, "skyipc: ");

		if (!begin)
			continue;
		n++;
		snprintf(last, size, "%s", begin);
	}
	free(text);
	return n;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static void required(int error, const char *text)
{
	char line[512] = "";
	int lines = said(line, sizeof(line));
	int got = load("skyipc.ko", "views=required");

	lines = said(line, sizeof(line)) - lines;
	ok(got == -error, "views=required: %s", strerror(-got));
	ok(lines == 1 && strstr(line, "views are required, but: ") &&
		   ends_with(line, text),
	   "%d line: %s", lines, line);
}

static void not_required(int error, const char *text)
{
	char line[512] = "", *why;
	int got;

	ok(!load("skyipc.ko", ""), "it loads without views");
	said(line, sizeof(line));
	ok(strstr(line, "no views: ") && ends_with(line, text), "%s", line);
	why = read_line(VIEWS);
	ok(!strcmp(why, "off"), "sysfs: %s", why);
	free(why);
	why = read_line(VIEWS_WHY);
	ok(ends_with(why, text), "sysfs: %s", why);
	free(why);
	ok(!access("/dev/skyipc", R_OK | W_OK), "/dev/skyipc is there");
	application_over("kcall");
	got = write_file(VIEWS, "on");
	ok(got == -error, "they cannot be turned on: %s", strerror(-got));
	ok(!unload("skyipc"), "rmmod");
}

static void parameters(void)
{
	char line[512] = "", *why;

	ok(!load("skyipc.ko", "views=off"), "views=off");
	why = read_line(VIEWS_WHY);
	ok(!strcmp(why, "not asked for"), "sysfs: %s", why);
	free(why);
	ok(!unload("skyipc"), "rmmod");
	ok(load("skyipc.ko", "views=maybe") == -EINVAL, "views=maybe");
	said(line, sizeof(line));
	ok(ends_with(line, "views=maybe: not auto, off or required"), "%s",
	   line);
}

int main(int argc, char **argv)
{
	const char *lack = getenv("LACK");
	int error;

	if (argc != 3)
		give_up("root_refusal ERRNO TEXT");
	error = !strcmp(argv[1], "EBUSY") ? EBUSY : EOPNOTSUPP;
	if (load("skyipc_test.ko", ""))
		give_up("insmod skyipc_test.ko");
	/* CR4 is not for user space to see. */
	if (lack && write_file(TEST "vmxe", "1 1"))
		give_up("CR4.VMXE");
	if (!lack)
		ok(doctor_says("warn  views", argv[2]),
		   "skyctl doctor says so");
	application_over("shm");
	state_keep();
	required(error, argv[2]);
	not_required(error, argv[2]);
	parameters();
	ok(state_as_kept(), "nothing has changed on any CPU");
	return done();
}
