/* SPDX-License-Identifier: MIT */
/*
 * vmfunc_stats.c - what a server knows of its calls by VMFUNC
 *
 * Calls it counts itself. What stops handlers on their way, and where they go
 * on then, they do not notice: that is the module's to tell.
 */
#ifdef __x86_64__
#include <sys/ioctl.h>

#include "hist.h"
#include "kcall_server.h"
#include "skyipc_dev.h"
#include "vmfunc_frame.h"
#include "vmfunc_lender.h"
#include "vmfunc_server.h"

/* For a moment it is one less than nothing: vmfunc_landing */
static uint32_t left_of(uint32_t word)
{
	return (int32_t)word < 0 ? 0 : word;
}

static uint64_t by_assembly(const struct vmfunc_frame *f)
{
	return vmfunc_count_read(&f->count, &f->left, left_of);
}

void vmfunc_lender_counts(const struct vmfunc_lender *l)
{
	l->conn->view_calls += by_assembly(l->frame);
	l->conn->view_calls_in_c += stat_read(l->frame->in_c);
}

static void ask_module(const struct sconn *conn, struct skyipc_views *v)
{
	struct skyipc_dev_views d = { .size = sizeof(d) };

	/* (It is older than this library, perhaps.) */
	if (conn->kcall < 0 || ioctl(conn->kcall, SKYIPC_CONN_VIEWS, &d) < 0)
		return;
	v->interrupts += d.interrupts;
	v->faults += d.faults;
	v->syscalls += d.syscalls;
	v->exceptions += d.exceptions;
	v->resumed += d.resumed;
	v->finished += d.finished;
	v->moved_fault += d.moved_fault;
	v->moved_syscall += d.moved_syscall;
	v->moved_exception += d.moved_exception;
	v->moved_late += d.moved_late;
	v->moved_deadline += d.moved_deadline;
	v->moved_gone += d.moved_gone;
	v->moved_barred += d.moved_barred;
	v->moved_asked += d.moved_asked;
}

void vmfunc_stats(const struct sconn *conn, struct skyipc_stats *stats)
{
	const struct vmfunc_lender *l;
	/* In C they are in the counters of their channels as well. */
	uint64_t calls = conn->view_calls, in_c = conn->view_calls_in_c;

	if (!conn->server->has_views)
		return;
	LIST_FOREACH(l, &conn->server->lenders, entry)
	{
		if (l->conn != conn)
			continue;
		calls += by_assembly(l->frame);
		in_c += stat_read(l->frame->in_c);
	}
	stats->calls += calls;
	stats->views.calls += calls + in_c;
	ask_module(conn, &stats->views);
}
#endif
