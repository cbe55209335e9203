/* SPDX-License-Identifier: MIT */
/* What a server tells a query: a header, the server, its connections. */
#ifndef SKY_INFO_H
#define SKY_INFO_H

#include "skyipc.h"

#define INFO_MAGIC 0x6f666e69u /* "info" */

/*
 * Sizes say what the writer knew, so that the two sides may differ in version;
 * a reader takes of each structure what both know.
 */
struct info_head {
	uint32_t magic;
	uint32_t server_size;
	uint32_t conn_size;
	uint32_t nconns;
};

#endif
