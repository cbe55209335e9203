/* SPDX-License-Identifier: MIT */
/* What has to be done around fork(), by whoever has something to do. */
#ifndef SKY_FORK_H
#define SKY_FORK_H

#include <stddef.h>

struct fork_hook {
	void (*prepare)(void);	 /* take locks */
	void (*done)(int child); /* release them, in the parent or the child */
	struct fork_hook *next;
	int inner; /* its locks are taken with those of the others held */
};

/*
 * Add @hook for good. Hooks are prepared in the reverse order of their addition
 * and done in order, so that locks nest; inner ones are prepared last.
 */
void fork_hook_add(struct fork_hook *hook);

/*
 * A socket that a child must not keep, or the other side would not hear that
 * the parent has gone. From the moment it is made on, fork() closes it there.
 */
struct fork_fd {
	int fd;
	struct fork_fd *next, **at;
};

#define FORK_FD_NONE                                                           \
	{                                                                      \
		-1, NULL, NULL                                                 \
	}

/* Make one, close-on-exec. Return: it, which is in @f->fd, too; -errno. */
int fork_fd_socket(struct fork_fd *f, int domain, int type);

/* Close it, if it is open. */
void fork_fd_close(struct fork_fd *f);

#endif
