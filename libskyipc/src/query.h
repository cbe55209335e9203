/* SPDX-License-Identifier: MIT */
#ifndef SKY_QUERY_H
#define SKY_QUERY_H

#include <stddef.h>

#include "skyipc.h"

/*
 * Read what info.c wrote, from @size bytes that a server gave. @conns may be
 * NULL. Return: 0; -EPROTO; -ENOMEM.
 */
int info_parse(const void *data, size_t size, struct skyipc_server_info *server,
	       struct skyipc_conn_info **conns, size_t *nconns);

#endif
