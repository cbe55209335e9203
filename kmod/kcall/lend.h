/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker that lends its stack, TLS and address space to a link that is called
 * through a view (view/vlink.h).
 */
#ifndef SKYIPC_LEND_H
#define SKYIPC_LEND_H

#include <linux/list.h>
#include <linux/types.h>

struct skyipc_dev_lend;
struct sky_conn;
struct sky_worker;
struct view_link;

/* Under the server's lock, but for what the worker itself reads */
struct sky_lend {
	struct list_head node;	/* conn->lenders */
	struct sky_conn *conn;	/* whose links it is for; referred to */
	u64 entry;
	u64 sp;
	u64 fs_base, gs_base;
	u32 pkru;
	u64 nest, nest_entry;	/* for nested calls; 0: none */
	struct view_link *view;	/* that has taken it; NULL: none, or not yet */
	bool lent;		/* it does nothing else any more */
	bool taken;		/* by a link */
	bool over;		/* nobody will use it any more */
	bool gone;		/* it is not there any more */
	/* Of a call that goes on here: written by who hands it over. 0: none */
	u64 token;
	/* From then on until the worker waits again */
	bool busy;
};

/* May the calling thread lend itself, or still? 0 or -errno */
int sky_lend_check(void);
int sky_worker_lend(struct sky_worker *worker,
		    const struct skyipc_dev_lend __user *user);
/*
 * A call has been started and TAKEN, with @token, in the name of @worker, whose
 * worker->park is where it goes on. If nobody serves there, it fails.
 */
void sky_lend_give(struct sky_worker *worker, u64 token);
/* One that nobody has taken, referred to; NULL: there is none */
struct sky_worker *sky_lend_take(struct sky_conn *conn);
/* For the next one; put, too. If it is busy still, it is not called before. */
void sky_lend_return(struct sky_worker *worker);
/* Who has taken it does not call any more. */
void sky_lend_over(struct sky_worker *worker);
/* With the server's lock: who has not been taken, is not. */
void sky_lend_conn_dies(struct sky_conn *conn);

/* It waits again, on its own stack. */
void sky_lend_wait(struct sky_worker *worker);
/* Nobody serves there any more. */
void sky_lend_gone(struct sky_worker *worker);
/* Nobody refers to it any more. */
void sky_lend_end(struct sky_worker *worker);

#endif
