/* SPDX-License-Identifier: MIT */
/* What a server tells about itself, made by the fuzzer. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "info.h"
#include "query.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct {
		struct info_head head;
		struct skyipc_server_info server;
		struct skyipc_conn_info conns[2];
	} in;

	(void)argc;
	(void)argv;
	in.head.magic = INFO_MAGIC;
	in.head.server_size = sizeof(in.server);
	in.head.conn_size = sizeof(in.conns[0]);
	in.head.nconns = 2;
	memset(in.server.name, 'n', sizeof(in.server.name));
	memset(in.conns[0].transport, 't', sizeof(in.conns[0].transport));
	seed("two", &in, sizeof(in));
	in.head.nconns = 0;
	in.head.server_size = 40;
	seed("none", &in, sizeof(in.head) + 40);
	in.head.nconns = UINT32_MAX;
	seed("many", &in, sizeof(in));
	seeds_end();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skyipc_server_info server;
	struct skyipc_conn_info *conns = NULL;
	size_t n = 0;
	int err = info_parse(data, size, &server, &conns, &n);

	if (err)
		return 0;
	/* Strings end, whatever was sent. */
	if (strlen(server.name) >= sizeof(server.name) ||
	    strlen(server.comm) >= sizeof(server.comm))
		abort();
	for (size_t i = 0; i < n; i++)
		if (strlen(conns[i].transport) >= sizeof(conns[i].transport))
			abort();
	/* And nobody is made to believe in more than there is. */
	if (n * sizeof(*conns) > size)
		abort();
	free(conns);
	if (info_parse(data, size, &server, NULL, NULL))
		abort();
	return 0;
}
