/* SPDX-License-Identifier: MIT */
/*
 * name.h - from names to sockets, and who owns a name
 *
 * A server NAME is the socket NAME.sock and the lock file NAME.lock beside it
 * (for a path: PATH and PATH.lock). Whoever holds flock(2) on the lock file
 * owns the name; the kernel drops the lock when the process dies, however it
 * dies, so a left-over socket can be told from a live one without asking
 * anybody and without a race.
 */
#ifndef SKY_NAME_H
#define SKY_NAME_H

#include <sys/un.h>

#define NAME_SUFFIX ".sock"

struct name {
	int lock;   /* descriptor of the lock file, -1 if not owned */
	int system; /* in the system directory */
	int plain;  /* a plain name was given: the path ends in NAME_SUFFIX */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char lock_path[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
};

/* Path a server of this name uses; makes the runtime directory if needed. */
int name_for_server(const char *name, struct name *n);

/* Path a client of this name uses: the first directory that has it. */
int name_for_client(const char *name, char *path, size_t size);

/* Own the name and remove what a killed owner left. -EADDRINUSE: owned. */
int name_own(struct name *n);

/* Give the name up; removes socket and lock file. */
void name_disown(struct name *n);

/* In a forked child: forget it without touching the files. */
void name_forget(struct name *n);

#endif
