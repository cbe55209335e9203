/* SPDX-License-Identifier: MIT */
#ifndef SKY_KCALL_WORKER_H
#define SKY_KCALL_WORKER_H

#include <sys/queue.h>
#include <sys/types.h>

#include "skyipc_dev.h"

struct skyipc_server;

/* A thread as the module has it: under the server's lock, but for @serve */
struct kcall_worker {
	LIST_ENTRY(kcall_worker) entry; /* the server's */
	struct skyipc_server *server;
	int fd;
	pid_t tid;
	struct skyipc_dev_serve serve; /* the thread's alone */
};

#endif
