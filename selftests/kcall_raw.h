/* SPDX-License-Identifier: MIT */
/*
 * kcall_raw.h - the transport kcall by hand: a client, and a server that lies
 */
#ifndef KCALL_RAW_H
#define KCALL_RAW_H

#include "hostile_lies.h"
#include "skyipc_dev.h"

/* kcall, or vmfunc if tests are of that: it is what this one has beneath. */
const char *kraw_over(void);

/* ioctl(), 0 or more, or -errno */
int kraw_ioctl(int fd, unsigned long number, void *arg);

/* ---- a client -------------------------------------------------------------
 */

struct kraw {
	struct raw raw; /* its socket and its channel's number */
	int conn, link;
	uint64_t pos;
};

/* The steps of an honest client; each fails the test if it does not work. */
void kraw_hello(struct kraw *k, const char *name);
void kraw_chan(struct kraw *k);
void kraw_link(struct kraw *k, unsigned depth);
/* All of that, with RAW_DEPTH */
void kraw_open(struct kraw *k, const char *name);
void kraw_close(struct kraw *k);

/* A call, its message as an honest one's would be */
struct skyipc_dev_call kraw_call(struct kraw *k, uint32_t op);
/* Flags and channel as a request has them */
uint64_t kraw_flags(uint32_t flags, uint32_t chan);
/* Of a reply */
uint32_t kraw_reply_flags(const struct skyipc_dev_call *c);

/* ---- a server that lies ---------------------------------------------------
 */

enum klie {
	K_TRUTH,
	/* what comes as the connection */
	K_FILE,
	K_PIPE,
	K_SOCKET,
	K_EVENTFD,
	K_EPOLL,
	K_MEMFD,
	K_SERVER,
	K_WORKER,
	K_NOTHING,
	K_TWO,
	K_TAKEN, /* another process has used it */
	K_KILLED,
	/* at a call */
	K_NO_REPLY,
	K_DIE,
	K_KILL,
	K_FLAGS,
	K_CANCEL,
	K_LEN,
	K_OFFSET,
	K_OVERFLOW,
	K_INREQ,
	K_NO_FDS,
	K_ERRNO,
	K_ERRNO_POSITIVE,
	K_ERRNO_ZERO,
	K_LIES,
};

struct kliar {
	struct teller t; /* first */
	enum klie lie;
	int server, conn;
};

/* What a child does until it is told to end, or killed; arg: a struct kliar */
int kliar(struct child *me, void *arg);

#endif
