/* SPDX-License-Identifier: MIT */
#include "bench.h"
int cmd_kv(const struct options *o)
{
	(void)o;
	return 1;
}
