/* SPDX-License-Identifier: MIT */
/* skyipc servers of a run: where their names are, and how they run. */
#ifndef BENCH_SKY_H
#define BENCH_SKY_H

#include <skyipc.h>

#include "peer.h"

/* A directory of the run's own: names in it are free, and easily removed. */
struct sky_dir {
	char path[4096]; /* empty: there is none */
};

#define SKY_NAME_MAX 4128 /* path, slash and a short name */

/** In setup() and teardown(); @names ends with a NULL. */
int sky_dir_make(struct run *run, struct sky_dir *d);
void sky_dir_remove(struct run *run, struct sky_dir *d,
		    const char *const *names);

/** The path of a server's socket. */
void sky_name(const struct sky_dir *d, const char *server, char *buf,
	      size_t len);

/**
 * sky_serve - as struct peer's serve(), ends with SIGTERM
 * @attr: how to answer; how to wait and where is filled in.
 */
int sky_serve(struct run *run, const char *name,
	      struct skyipc_server_attr *attr);

/** run_fail() with the words of the library; after a failed call of it. */
int sky_fail(struct run *run, const char *what, int err);

#endif /* BENCH_SKY_H */
