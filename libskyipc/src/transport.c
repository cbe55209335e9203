/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "util.h"

/* Best first: this order is what connections choose by. */
static const struct transport *const transports[] = {
#ifdef __x86_64__
	&vmfunc_transport,
#endif
	&kcall_transport,
	&shm_transport,
};

const struct transport *transport_at(unsigned i)
{
	return i < ARRAY_SIZE(transports) ? transports[i] : NULL;
}

const struct transport *transport_named(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(transports); i++)
		if (!strcmp(transports[i]->name, name))
			return transports[i];
	return NULL;
}

SKY_PUBLIC int skyipc_transport(unsigned i, struct skyipc_transport_info *user)
{
	struct skyipc_transport_info info = { .size = sizeof(info) };
	const struct transport *t = transport_at(i);

	fail_clear();
	if (!t)
		return -ENOENT;
	if (user->size < sizeof(user->size))
		return fail(-EINVAL, "info->size is not set");
	snprintf(info.name, sizeof(info.name), "%s", t->name);
	info.available = !t->probe(info.detail, sizeof(info.detail));
	sized_copy(user, user->size, &info, sizeof(info));
	return 0;
}
