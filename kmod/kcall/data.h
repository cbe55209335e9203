/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client's memory, for one long message: pinned by the client, at its own
 * expense, before the server can see the call. The server's thread copies to
 * and from it once, straight into or out of its own address space, and never
 * waits for a page of the client.
 */
#ifndef SKYIPC_DATA_H
#define SKYIPC_DATA_H

#include <linux/types.h>

struct page;
struct sky_grant;
struct sky_user;

struct sky_data {
	struct page **pages;
	unsigned long n;	/* of them */
	unsigned int offset;	/* in the first */
	bool write;		/* pages are written */
	bool granted;		/* the server may map them */
	struct sky_grant *grant;	/* and has made this for it */
	u64 len;
	struct page *few[4];	/* for short ones: @pages points here */
};

/*
 * The calling thread's memory. @granted: whole pages only. 0, -EFAULT, -EINVAL,
 * -ENOMEM or -EDQUOT (@user)
 */
int sky_data_pin(struct sky_data *d, struct sky_user *user, u64 addr, u64 len,
		 bool write, bool granted);
/* Grants are revoked before. May sleep. */
void sky_data_unpin(struct sky_data *d, struct sky_user *user);
/* All of it is @to's from now on. */
void sky_data_move(struct sky_data *to, struct sky_data *from);

/*
 * To or from the caller's memory, without sleeping: what is left to be done, at
 * most up to the end of a page. @pos + *@len must not pass @d->len; *@len
 * becomes what was tried.
 */
unsigned long sky_data_get(const struct sky_data *d, u64 pos,
			   void __user *to, u64 *len);
unsigned long sky_data_put(const struct sky_data *d, u64 pos,
			   const void __user *from, u64 *len);

#endif
