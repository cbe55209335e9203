/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each uid has in use, and may: /proc/sys/skyipc. Whoever makes a thing is
 * charged for it, whoever frees it.
 */
#ifndef SKYIPC_USER_H
#define SKYIPC_USER_H

#include <linux/types.h>
#include <linux/uidgid.h>

enum sky_quota {
	SKY_SERVERS,
	SKY_CONNS,
	SKY_WORKERS,
	SKY_CALLS,	/* that may be outstanding: a link has its depth */
	SKY_PINNED,	/* pages, while a long message is on its way */
	SKY_VIEWS,	/* pages of the kernel's, for views */
	SKY_QUOTAS
};

struct seq_file;
struct sky_user;

/* The calling thread's; NULL: no memory. Each get needs a put. */
struct sky_user *sky_user_get(void);
struct sky_user *sky_user_ref(struct sky_user *user);
void sky_user_put(struct sky_user *user);

kuid_t sky_user_uid(const struct sky_user *user);

/* 0 or -EDQUOT */
int sky_user_charge(struct sky_user *user, enum sky_quota quota, long n);
void sky_user_uncharge(struct sky_user *user, enum sky_quota quota, long n);

/* All users, and what they have */
void sky_user_show(struct seq_file *m);

int sky_user_init(void);
void sky_user_exit(void);

#endif
