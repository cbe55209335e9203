/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "guest.h"

const struct fuzz_number fuzz_numbers[] = {
	{ SKYIPC_DEV_INFO, DEV, KINDS },
	{ SKYIPC_DEV_SERVER, DEV, SERVER },
	{ SKYIPC_SERVER_CONNECT, SERVER, CONN },
	{ SKYIPC_SERVER_WORKER, SERVER, WORKER },
	{ SKYIPC_SERVER_REPLY, SERVER, KINDS },
	{ SKYIPC_SERVER_FORWARD, SERVER, KINDS },
	{ SKYIPC_SERVER_GRANT, SERVER, KINDS },
	{ SKYIPC_CONN_LINK, CONN, LINK },
	{ SKYIPC_CONN_KILL, CONN, KINDS },
	{ SKYIPC_LINK_CALL, LINK, KINDS },
	{ SKYIPC_LINK_SUBMIT, LINK, KINDS },
	{ SKYIPC_LINK_REAP, LINK, KINDS },
	{ SKYIPC_LINK_RELEASE, LINK, KINDS },
	{ SKYIPC_LINK_ADOPT, LINK, KINDS },
	{ SKYIPC_LINK_PARK, LINK, KINDS },
	{ SKYIPC_WORKER_SERVE, WORKER, KINDS },
	{ SKYIPC_WORKER_READ, WORKER, KINDS },
};
const unsigned fuzz_numbers_n = sizeof(fuzz_numbers) / sizeof(*fuzz_numbers);

struct fuzz_shared *fuzz_shared;
_Atomic int fuzz_fds[CONN + 1][FUZZ_FDS];
char *fuzz_area;
int fuzz_pass[2], fuzz_sink, fuzz_zeroes;
__thread struct fuzz_thread fuzz_me;

void *fuzz_memory(size_t len, bool shared)
{
	const size_t guard = 1 << 16;
	char *all = mmap(NULL, guard + len + guard, PROT_NONE,
			 (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS,
			 -1, 0);

	if (all == MAP_FAILED ||
	    mprotect(all + guard, len, PROT_READ | PROT_WRITE))
		give_up("memory with nothing next to it");
	return all + guard;
}

uint64_t fuzz_rnd(uint64_t below)
{
	fuzz_me.seed ^= fuzz_me.seed << 13;
	fuzz_me.seed ^= fuzz_me.seed >> 7;
	fuzz_me.seed ^= fuzz_me.seed << 17;
	return below ? fuzz_me.seed % below : fuzz_me.seed;
}

bool fuzz_one_in(uint64_t n)
{
	return !fuzz_rnd(n);
}

uint64_t fuzz_address(void)
{
	switch (fuzz_rnd(12)) {
	case 0:
		return fuzz_rnd(0);
	case 1:
		return 0;
	case 2:
		return UINT64_MAX - fuzz_rnd(8192);
	case 3:
		return UINT64_C(0xffffffff81000000) + fuzz_rnd(1 << 24);
	case 4:
		return UINT64_C(0x7ffffffff000) - fuzz_rnd(100);
	default:
		return (uintptr_t)fuzz_area + fuzz_rnd(FUZZ_AREA);
	}
}

static uint64_t size(void)
{
	switch (fuzz_rnd(10)) {
	case 0:
		return fuzz_rnd(0);
	case 1:
		return UINT64_C(1) << fuzz_rnd(64);
	case 2:
		return fuzz_rnd(FUZZ_AREA * 2);
	case 3:
		return fuzz_rnd(65536);
	default:
		return fuzz_rnd(300);
	}
}

static uint64_t deadline(void)
{
	switch (fuzz_rnd(4)) {
	case 0:
		return fuzz_rnd(2) ? 0 : fuzz_rnd(0);
	case 1:
		return now() + fuzz_rnd(2000000);
	default:
		return now() + fuzz_rnd(500000);
	}
}
/* Sizes are mostly right, flags mostly those there are. */
static uint32_t sized(size_t right)
{
	return fuzz_one_in(30) ? (uint32_t)fuzz_rnd(fuzz_one_in(2) ? 0 : 300)
			       : (uint32_t)right;
}

static uint32_t flags(uint64_t all)
{
	return fuzz_one_in(40) ? (uint32_t)fuzz_rnd(0)
			       : (uint32_t)fuzz_rnd(all + 1);
}
static void random_msg(struct skyipc_dev_msg *m)
{
	m->op = (uint32_t)fuzz_rnd(10);
	m->status = (int32_t)fuzz_rnd(0);
	m->words[0] = fuzz_rnd(0);
	m->data = fuzz_address();
	m->len = size();
}

void fuzz_fill(unsigned long number, union fuzz_argument *a)
{
	memset(a, 0, sizeof(*a));
	if (fuzz_one_in(50))
		for (size_t i = 0; i < sizeof(a->bytes) / 8; i++)
			((uint64_t *)a->bytes)[i] = fuzz_rnd(0);
	switch (number) {
	case SKYIPC_DEV_INFO:
		a->info.size = sized(sizeof(a->info));
		break;
	case SKYIPC_DEV_SERVER:
		a->server.size = sized(sizeof(a->server));
		break;
	case SKYIPC_SERVER_CONNECT:
		a->connect.size = sized(sizeof(a->connect));
		a->connect.cookie = fuzz_rnd(0);
		break;
	case SKYIPC_SERVER_WORKER:
		a->worker.size = sized(sizeof(a->worker));
		a->worker.flags = flags(1);
		/* Anything: descriptors of ours, of others, and none */
		a->worker.bell = fuzz_one_in(2) ? -1 : (int32_t)fuzz_rnd(40);
		break;
	case SKYIPC_CONN_LINK:
		a->link.size = sized(sizeof(a->link));
		a->link.depth = (uint32_t)(fuzz_one_in(50) ? fuzz_rnd(0)
							   : fuzz_rnd(20));
		break;
	case SKYIPC_LINK_CALL:
	case SKYIPC_LINK_SUBMIT:
	case SKYIPC_LINK_REAP:
		a->call.size = sized(sizeof(a->call));
		a->call.flags =
			fuzz_one_in(40)
				? (uint32_t)fuzz_rnd(0)
				: (fuzz_one_in(3) ? SKYIPC_CALL_LONG : 0) |
					  (fuzz_one_in(6) ? SKYIPC_CALL_RESUME
							  : 0) |
					  (fuzz_one_in(6) ? SKYIPC_CALL_KEEP
							  : 0);
		a->call.deadline = deadline();
		a->call.patience = fuzz_one_in(2) ? 0 : deadline();
		random_msg(&a->call.msg);
		a->call.reply = fuzz_address();
		a->call.reply_size = size();
		break;
	case SKYIPC_SERVER_REPLY:
	case SKYIPC_WORKER_SERVE:
		a->serve.size = sized(sizeof(a->serve));
		a->serve.flags =
			flags(7) | (fuzz_one_in(9) ? SKYIPC_SERVE_IN_PLACE : 0);
		a->serve.deadline = deadline();
		a->serve.token = fuzz_one_in(10)  ? fuzz_rnd(0)
				 : fuzz_one_in(5) ? 0
						  : fuzz_me.token;
		random_msg(&a->serve.msg);
		if (fuzz_one_in(2))
			a->serve.msg.len = fuzz_rnd(200);
		a->serve.buf = fuzz_address();
		a->serve.buf_size = size();
		break;
	case SKYIPC_SERVER_FORWARD:
		a->forward.size = sized(sizeof(a->forward));
		a->forward.token =
			fuzz_one_in(10) ? fuzz_rnd(0) : fuzz_me.token;
		a->forward.conn = fuzz_one_in(10) ? (int32_t)fuzz_rnd(40)
						  : *fuzz_slot(CONN);
		a->forward.op = (uint32_t)fuzz_rnd(10);
		break;
	case SKYIPC_SERVER_GRANT:
		a->grant.size = sized(sizeof(a->grant));
		a->grant.flags = flags(1);
		a->grant.token = fuzz_one_in(10) ? fuzz_rnd(0) : fuzz_me.token;
		break;
	case SKYIPC_WORKER_READ:
		a->read.size = sized(sizeof(a->read));
		a->read.token = fuzz_one_in(10) ? fuzz_rnd(0) : fuzz_me.token;
		a->read.offset = fuzz_one_in(3) ? size() : 0;
		a->read.buf = fuzz_address();
		a->read.len = size();
		break;
	default:
		a->park.size = sized(sizeof(a->park));
		a->park.call = fuzz_address();
		a->park.xsave = fuzz_address();
		a->park.xsave_size = size();
		for (int i = 0; i < 20; i++)
			a->park.regs[i] =
				fuzz_one_in(2) ? fuzz_rnd(0) : fuzz_address();
	}
}

void fuzz_mend(unsigned long number, union fuzz_argument *a)
{
	switch (number) {
	case SKYIPC_SERVER_WORKER:
		a->worker.bell = -1;
		break;
	case SKYIPC_WORKER_SERVE:
		a->serve.size = sizeof(a->serve);
		a->serve.flags = SKYIPC_SERVE_WAIT;
		if (fuzz_me.token && !fuzz_one_in(8))
			a->serve.flags |= SKYIPC_SERVE_REPLY;
		a->serve.token = fuzz_me.token;
		a->serve.deadline = now() + 2000000;
		a->serve.buf = (uintptr_t)fuzz_area;
		a->serve.buf_size = FUZZ_AREA / 2;
		fuzz_me.token = 0;
		break;
	case SKYIPC_SERVER_FORWARD:
		a->forward.size = sizeof(a->forward);
		a->forward.token = fuzz_me.token;
		break;
	case SKYIPC_SERVER_GRANT:
		a->grant.size = sizeof(a->grant);
		a->grant.flags = (uint32_t)fuzz_rnd(2);
		a->grant.token = fuzz_me.token;
		break;
	case SKYIPC_LINK_CALL:
	case SKYIPC_LINK_SUBMIT:
	case SKYIPC_LINK_REAP:
		a->call.size = sizeof(a->call);
		a->call.flags = fuzz_one_in(3) ? SKYIPC_CALL_LONG : 0;
		if (fuzz_one_in(3))
			a->call.flags |= SKYIPC_CALL_GRANT;
		if (fuzz_one_in(4))
			a->call.flags |= SKYIPC_CALL_KEEP;
		if (fuzz_me.resumable && number == SKYIPC_LINK_CALL)
			a->call.flags = SKYIPC_CALL_RESUME;
		a->call.deadline = now() + 2000000;
		a->call.msg.data = (uintptr_t)fuzz_area + (fuzz_rnd(16) << 12);
		a->call.msg.len =
			fuzz_one_in(2) ? fuzz_rnd(16) << 12 : fuzz_rnd(300);
		a->call.reply = (uintptr_t)fuzz_area + FUZZ_AREA / 2;
		a->call.reply_size = fuzz_rnd(16) << 12;
	}
}
