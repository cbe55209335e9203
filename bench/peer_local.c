/* SPDX-License-Identifier: MIT */
/*
 * The two ends of the scale that need no second process: a call that never
 * leaves the program, and one that goes to the kernel and straight back.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "peer.h"

static uint64_t add_one(uint64_t w)
{
	return w + 1;
}

/* Through a volatile pointer, or the compiler would remove the call. */
static uint64_t (*volatile fn)(uint64_t) = add_one;

struct local {
	uint64_t n;
};

static void *local_open(struct run *run, unsigned client)
{
	(void)client;
	return run_alloc(run, sizeof(struct local));
}

static int function_call(void *conn)
{
	struct local *l = conn;

	l->n = fn(l->n);
	return 0;
}

static int getppid_call(void *conn)
{
	struct local *l = conn;

	l->n += (uint64_t)syscall(SYS_getppid);
	return 0;
}

const struct peer peer_function = {
	.name = "function",
	.mode = "-",
	.copies = "none",
	.flags = PEER_LOCAL | PEER_CONTROL,
	.batch = 64,
	.open = local_open,
	.call = function_call,
	.close = free,
};

const struct peer peer_getppid = {
	.name = "getppid",
	.mode = "-",
	.copies = "none",
	.flags = PEER_LOCAL | PEER_CONTROL,
	.batch = 16,
	.open = local_open,
	.call = getppid_call,
	.close = free,
};
