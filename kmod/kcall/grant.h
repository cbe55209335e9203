/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of a client's that a server maps while it works on a call: L4's
 * flexpages. A grant is a file that shows them; when the call is over it is
 * revoked, which is before the client hears of that, and whoever touches what
 * was mapped gets SIGBUS.
 *
 * The pages are the call's, pinned (data.h); they are mapped as bare frames, so
 * nobody can pin them anew through such a mapping and keep them.
 */
#ifndef SKYIPC_GRANT_H
#define SKYIPC_GRANT_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mutex.h>

struct mm_struct;
struct page;

struct sky_grant {
	struct kref refs;
	struct mutex lock;		/* @revoked, and what is mapped */
	bool revoked;			/* no page is mapped any more */
	unsigned int maps;		/* how often it is mapped */
	bool gone;			/* nor is one that was */
	bool write;
	struct mm_struct *mm;		/* who may map it; grabbed */
	struct page **pages;		/* until it is revoked */
	unsigned long n;
	struct address_space mapping;	/* where it is mapped */
};

/* For the calling process, with nothing to show yet: its file; or ERR_PTR() */
struct file *sky_grant_new(struct sky_grant **grant);
void sky_grant_get(struct sky_grant *grant);
void sky_grant_put(struct sky_grant *grant);
/* Nobody sees its pages any more when this comes back. May sleep. */
void sky_grant_revoke(struct sky_grant *grant);

static inline bool sky_grant_is_gone(const struct sky_grant *grant)
{
	/* Pairs with sky_grant_revoke(). */
	return smp_load_acquire(&grant->gone);
}

#endif
