/* SPDX-License-Identifier: MIT */
/* vmfunc_pair.h - a server and a client that call by VMFUNC, or a test less */
#ifndef SKY_VMFUNC_PAIR_H
#define SKY_VMFUNC_PAIR_H

#include "testlib.h"

struct pair {
	struct child server;
	struct skyipc_conn *conn;
	const char *name;
};

static inline int has_views(void)
{
	struct skyipc_transport_info t = { .size = sizeof(t) };

	for (unsigned i = 0; !skyipc_transport(i, &t); i++)
		if (!strcmp(t.name, "vmfunc"))
			return t.available;
	return 0;
}

/* Of @handler; operation 0 is @nothing. */
static inline void pair_up(struct pair *p, skyipc_handler handler,
			   skyipc_handler nothing, uint32_t workers)
{
	const struct skyipc_op ops[] = { { nothing, NULL } };
	const struct skyipc_server_attr attr = {
		.size = sizeof(attr),
		.handler = handler,
		.ops = ops,
		.nops = 1,
		.workers = workers,
	};

	if (!has_views())
		skip();
	transport = "vmfunc";
	p->name = new_name();
	server_spawn(&p->server, p->name, &attr);
	p->conn = connect_to(p->name, NULL);
	assert_string_equal(skyipc_conn_transport(p->conn), "vmfunc");
}

static inline void pair_down(struct pair *p)
{
	skyipc_close(p->conn);
	assert_int_equal(child_end(&p->server), 0);
}

#endif
