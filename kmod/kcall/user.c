// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <linux/uidgid.h>

#include "user.h"

struct sky_user {
	struct hlist_node node;
	refcount_t refs;
	kuid_t uid;
	atomic_long_t used[SKY_QUOTAS];
};

static DEFINE_HASHTABLE(users, 6);
static DEFINE_SPINLOCK(users_lock);	/* the table, and the last put */

/*
 * More than any real server needs, less than what hurts others. Memory for
 * pages that stay pinned, and for views: one eighth of all each, set at start.
 */
static unsigned long limits[SKY_QUOTAS] = {
	[SKY_SERVERS] = 4096,
	[SKY_CONNS] = 65536,
	[SKY_WORKERS] = 65536,
	[SKY_CALLS] = 1 << 20,
};

static struct sky_user *find(kuid_t uid)
{
	struct sky_user *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

struct sky_user *sky_user_get(void)
{
	struct sky_user *user, *new = NULL;
	kuid_t uid = current_uid();

	for (;;) {
		spin_lock(&users_lock);
		user = find(uid);
		if (user)
			refcount_inc(&user->refs);
		else if (new)
			hash_add(users, &new->node, __kuid_val(uid));
		spin_unlock(&users_lock);
		if (user) {
			kfree(new);
			return user;
		}
		if (new)
			return new;
		new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new)
			return NULL;
		refcount_set(&new->refs, 1);
		new->uid = uid;
	}
}

struct sky_user *sky_user_ref(struct sky_user *user)
{
	refcount_inc(&user->refs);
	return user;
}

void sky_user_put(struct sky_user *user)
{
	bool last;

	spin_lock(&users_lock);
	last = refcount_dec_and_test(&user->refs);
	if (last)
		hash_del(&user->node);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

kuid_t sky_user_uid(const struct sky_user *user)
{
	return user->uid;
}

int sky_user_charge(struct sky_user *user, enum sky_quota quota, long n)
{
	long used = atomic_long_add_return(n, &user->used[quota]);

	if (used <= READ_ONCE(limits[quota]))
		return 0;
	atomic_long_sub(n, &user->used[quota]);
	return -EDQUOT;
}

void sky_user_uncharge(struct sky_user *user, enum sky_quota quota, long n)
{
	atomic_long_sub(n, &user->used[quota]);
}

void sky_user_show(struct seq_file *m)
{
	struct sky_user *user;
	int i;

	seq_puts(m, "uid servers connections workers calls pinned-pages view-pages\n");
	spin_lock(&users_lock);
	hash_for_each(users, i, user, node) {
		seq_printf(m, "%u", from_kuid_munged(seq_user_ns(m), user->uid));
		for (int q = 0; q < SKY_QUOTAS; q++)
			seq_printf(m, " %ld", atomic_long_read(&user->used[q]));
		seq_putc(m, '\n');
	}
	spin_unlock(&users_lock);
}

static unsigned long most = LONG_MAX;

#define LIMIT(name, quota) { \
	.procname = name, \
	.data = &limits[quota], \
	.maxlen = sizeof(unsigned long), \
	.mode = 0644, \
	.proc_handler = proc_doulongvec_minmax, \
	.extra2 = &most, \
}

static struct ctl_table table[] = {
	LIMIT("user_servers", SKY_SERVERS),
	LIMIT("user_connections", SKY_CONNS),
	LIMIT("user_workers", SKY_WORKERS),
	LIMIT("user_calls", SKY_CALLS),
	LIMIT("user_pinned_pages", SKY_PINNED),
	LIMIT("user_view_pages", SKY_VIEWS),
#ifndef HAVE_SYSCTL_SIZES
	{ }
#endif
};

static struct ctl_table_header *header;

int sky_user_init(void)
{
	limits[SKY_PINNED] = totalram_pages() / 8;
	limits[SKY_VIEWS] = totalram_pages() / 8;
	header = register_sysctl("skyipc", table);
	return header ? 0 : -ENOMEM;
}

void sky_user_exit(void)
{
	unregister_sysctl_table(header);
}
