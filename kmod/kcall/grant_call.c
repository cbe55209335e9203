// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/uaccess.h>

#include "args.h"
#include "call.h"
#include "grant.h"
#include "grant_call.h"

static int attach(struct sky_data *d, struct sky_grant *grant)
{
	if (!d->granted || !d->len)
		return -ENXIO;
	if (d->grant)
		return -EBUSY;
	grant->pages = d->pages;
	grant->n = d->n;
	grant->write = d->write;
	sky_grant_get(grant);
	d->grant = grant;
	return 0;
}

/* The grant shows the pages of that call from here on. */
static int attach_call(struct sky_server *server, struct skyipc_dev_grant *g,
		       struct sky_grant *grant)
{
	struct sky_call *call = sky_hold(server, g->token);
	struct sky_data *d;
	int error;

	if (!call)
		return -ESTALE;
	d = g->flags & SKYIPC_GRANT_REPLY ? &call->out : &call->in;
	error = attach(d, grant);
	g->len = d->len;
	sky_unhold(call);
	return error;
}

int sky_grant_call(struct sky_server *server,
		   struct skyipc_dev_grant __user *user)
{
	struct skyipc_dev_grant g;
	struct sky_grant *grant;
	struct file *file;
	int fd, error;

	error = sky_args(&g, user, sizeof(g));
	if (error)
		return error;
	if (g.flags & ~(u32)SKYIPC_GRANT_REPLY)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = sky_grant_new(&grant);
	error = PTR_ERR_OR_ZERO(file);
	if (error)
		goto put_fd;
	error = attach_call(server, &g, grant);
	if (error)
		goto put;
	if (put_user(g.len, &user->len)) {
		error = -EFAULT;
		goto put;
	}
	fd_install(fd, file);
	return fd;
put:
	fput(file);
put_fd:
	put_unused_fd(fd);
	return error;
}

static struct sky_grant *get_grant(struct sky_data *d)
{
	if (d->grant)
		sky_grant_get(d->grant);
	return d->grant;
}

static void revoke(struct sky_grant *grant)
{
	if (!grant)
		return;
	sky_grant_revoke(grant);
	sky_grant_put(grant);
}

int sky_grants_revoke(struct sky_server *server, u64 token)
{
	struct sky_call *call = sky_hold(server, token);
	struct sky_grant *in, *out;

	if (!call)
		return -ESTALE;
	/* The call keeps them: if it ends meanwhile, its client waits, too. */
	in = get_grant(&call->in);
	out = get_grant(&call->out);
	sky_unhold(call);
	revoke(in);
	revoke(out);
	return 0;
}

static bool is_live(const struct sky_data *d)
{
	return d->grant && !sky_grant_is_gone(d->grant);
}

static void forget(struct sky_data *d)
{
	if (d->grant)
		sky_grant_put(d->grant);
	d->grant = NULL;
}

bool sky_grants_forget(struct sky_call *call)
{
	if (is_live(&call->in) || is_live(&call->out))
		return false;
	forget(&call->in);
	forget(&call->out);
	return true;
}
