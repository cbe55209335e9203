/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sky.h"

static struct skyipc_server *server;

int sky_fail(struct run *run, const char *what, int err)
{
	return run_fail(run, "%s: %s (%s)", what, strerror(-err),
			skyipc_errmsg());
}

int sky_dir_make(struct run *run, struct sky_dir *d)
{
	const char *tmp = getenv("TMPDIR");
	int err;

	snprintf(d->path, sizeof(d->path), "%s/%s", tmp && *tmp ? tmp : "/tmp",
		 run->tag);
	if (!mkdir(d->path, 0700))
		return PEER_OK;
	err = errno;
	run_fail(run, "mkdir %s: %s", d->path, strerror(err));
	d->path[0] = 0; /* not ours to remove */
	return PEER_FAILED;
}

void sky_dir_remove(struct run *run, struct sky_dir *d,
		    const char *const *names)
{
	char name[SKY_NAME_MAX], lock[SKY_NAME_MAX + 8];

	if (!d->path[0])
		return;
	/* What a server leaves that ended as it should is nothing. */
	for (; *names; names++) {
		sky_name(d, *names, name, sizeof(name));
		snprintf(lock, sizeof(lock), "%s.lock", name);
		unlink(name);
		unlink(lock);
	}
	if (rmdir(d->path))
		run_fail(run, "rmdir %s: %s", d->path, strerror(errno));
}

void sky_name(const struct sky_dir *d, const char *server_name, char *buf,
	      size_t len)
{
	snprintf(buf, len, "%s/%s", d->path, server_name);
}

static void on_term(int sig)
{
	(void)sig;
	skyipc_server_shutdown(server);
}

int sky_serve(struct run *run, const char *name,
	      struct skyipc_server_attr *attr)
{
	struct sigaction sa = { .sa_handler = on_term };
	int err;

	attr->mode = (enum skyipc_mode)run->cfg.mode;
	attr->workers = run->cfg.workers;
	/* By VMFUNC handlers run on their clients' CPUs, and on no others. */
	if (!run->cfg.transport || strcmp(run->cfg.transport, "vmfunc") != 0) {
		attr->cpus = &run->server_cpus;
		attr->cpus_size = sizeof(run->server_cpus);
	}
	if (!attr->workers)
		attr->workers = (uint32_t)CPU_COUNT(&run->server_cpus);
	err = skyipc_server_create(name, attr, &server);
	if (err)
		return sky_fail(run, "skyipc_server_create", err);
	sigaction(SIGTERM, &sa, NULL);
	run_ready(run); /* whoever connects before it runs waits a little */
	err = skyipc_server_run(server);
	if (err)
		return sky_fail(run, "skyipc_server_run", err);
	skyipc_server_destroy(server);
	return PEER_OK;
}
