/* SPDX-License-Identifier: MIT */
/*
 * skyctl doctor: what this machine can do, one line for each thing that
 * matters, with what to change where it cannot. Looking at versions and
 * configuration only suggests; so wherever it can be done, the thing itself
 * is tried: a memfd is sealed, a futex is called, and a server of one's own
 * is called through every transport.
 */
#include "ctl.h"
#include "doctor.h"
#include "text.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const verdict_name[] = { "ok", "warn", "fail" };

void doctor_say(struct doctor *d, enum verdict v, const char *check,
		const char *advice, const char *format, ...)
{
	char detail[512], clean[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);

	d->worst = v > d->worst ? v : d->worst;
	if (v == VERDICT_OK)
		advice = NULL;
	if (d->json) {
		json_open(&d->j, NULL, '{');
		json_str(&d->j, "check", check);
		json_str(&d->j, "result", verdict_name[v]);
		json_str(&d->j, "detail", detail);
		if (advice)
			json_str(&d->j, "advice", advice);
		json_close(&d->j);
		return;
	}
	printf("%-4s  %-17s  %s\n", verdict_name[v], check,
	       safe(clean, sizeof(clean), detail, sizeof(detail)));
	if (advice)
		printf("%25s-> %s\n", "",
		       safe(clean, sizeof(clean), advice, strlen(advice)));
}

int ctl_doctor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct doctor d = { .json = false };
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j')
			return ctl_usage();
		d.json = true;
	}
	if (optind != argc)
		return ctl_usage();

	if (d.json) {
		json_init(&d.j, stdout);
		json_open(&d.j, NULL, '{');
		json_str(&d.j, "version", skyipc_version());
		json_open(&d.j, "checks", '[');
	}
	doctor_system(&d);
	doctor_directory(&d);
	doctor_transports(&d);
	doctor_views(&d);
	if (d.json) {
		json_close(&d.j);
		json_str(&d.j, "result", verdict_name[d.worst]);
		json_end(&d.j);
	}
	return d.worst == VERDICT_FAIL ? EXIT_FAILED : EXIT_OK;
}
