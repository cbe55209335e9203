/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, group skyipc: what stops handlers in views, and what becomes of
 * them. Where a view has just been left, and in root, nothing can be traced: that is
 * told when Linux comes to it, and "tsc" says when it was. See tell.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM skyipc

#if !defined(SKYIPC_VIEW_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SKYIPC_VIEW_TRACE_H

#include <linux/tracepoint.h>

#include "counts.h"
#include "kcall/server.h"
#include "thread.h"
#include "vlink.h"

/* The calling thread may be called into @link's server by VMFUNC from now on. */
TRACE_EVENT(skyipc_view_link,
	TP_PROTO(const struct view_link *link),
	TP_ARGS(link),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(unsigned int, slot)
		__field(pid_t, server)
	),
	TP_fast_assign(
		__entry->thread = link->thread->pid;
		__entry->slot = link->slot;
		__entry->server = link->server->pid;
	),
	TP_printk("thread=%d slot=%u server=%d", __entry->thread,
		  __entry->slot, __entry->server)
);

TRACE_EVENT(skyipc_view_park,
	TP_PROTO(const struct view_link *link, u64 count),
	TP_ARGS(link, count),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(unsigned int, slot)
		__field(pid_t, server)
		__field(unsigned int, cause)
		__field(u64, ip)
		__field(u64, tsc)
		__field(u64, count)
	),
	TP_fast_assign(
		__entry->thread = link->thread->pid;
		__entry->slot = link->slot;
		__entry->server = link->server->pid;
		__entry->cause = link->cause;
		__entry->ip = link->parked_ip;
		__entry->tsc = link->parked_at;
		__entry->count = count;
	),
	TP_printk("thread=%d slot=%u server=%d cause=%s ip=%#llx tsc=%llu count=%llu",
		  __entry->thread, __entry->slot, __entry->server,
		  __print_symbolic(__entry->cause,
				   { VIEW_BY_INTERRUPT, "interrupt" },
				   { VIEW_BY_FAULT, "fault" },
				   { VIEW_BY_SYSCALL, "syscall" },
				   { VIEW_BY_EXCEPTION, "exception" }),
		  __entry->ip, __entry->tsc, __entry->count)
);

TRACE_EVENT(skyipc_view_resume,
	TP_PROTO(const struct view_link *link, u64 count),
	TP_ARGS(link, count),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(unsigned int, slot)
		__field(pid_t, server)
		__field(u64, tsc)
		__field(u64, count)
	),
	TP_fast_assign(
		__entry->thread = link->thread->pid;
		__entry->slot = link->slot;
		__entry->server = link->server->pid;
		__entry->tsc = link->resumed_at;
		__entry->count = count;
	),
	TP_printk("thread=%d slot=%u server=%d tsc=%llu count=%llu",
		  __entry->thread, __entry->slot, __entry->server,
		  __entry->tsc, __entry->count)
);

/* To the worker; @because: counts.h */
TRACE_EVENT(skyipc_view_move,
	TP_PROTO(const struct view_link *link, unsigned int because),
	TP_ARGS(link, because),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(unsigned int, slot)
		__field(pid_t, server)
		__field(unsigned int, because)
	),
	TP_fast_assign(
		__entry->thread = link->thread->pid;
		__entry->slot = link->slot;
		__entry->server = link->server->pid;
		__entry->because = because;
	),
	TP_printk("thread=%d slot=%u server=%d because=%s", __entry->thread,
		  __entry->slot, __entry->server,
		  __print_symbolic(__entry->because,
				   { VIEW_BY_INTERRUPT, "asked" },
				   { VIEW_BY_FAULT, "fault" },
				   { VIEW_BY_SYSCALL, "syscall" },
				   { VIEW_BY_EXCEPTION, "exception" },
				   { VIEW_MOVED_LATE, "late" },
				   { VIEW_MOVED_DEADLINE, "deadline" },
				   { VIEW_MOVED_GONE, "gone" },
				   { VIEW_MOVED_BARRED, "barred" }))
);

/* It had come to its end where it was parked (1), or was where no call can be. */
TRACE_EVENT(skyipc_view_finish,
	TP_PROTO(const struct view_link *link, int result),
	TP_ARGS(link, result),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(unsigned int, slot)
		__field(pid_t, server)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->thread = link->thread->pid;
		__entry->slot = link->slot;
		__entry->server = link->server->pid;
		__entry->result = result;
	),
	TP_printk("thread=%d slot=%u server=%d result=%d", __entry->thread,
		  __entry->slot, __entry->server, __entry->result)
);

/* @count times since the last: its slot was not granted, or it had not the right. */
TRACE_EVENT(skyipc_view_refuse,
	TP_PROTO(const struct view_thread *t, u64 count),
	TP_ARGS(t, count),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(u64, count)
	),
	TP_fast_assign(
		__entry->thread = t->pid;
		__entry->count = count;
	),
	TP_printk("thread=%d count=%llu", __entry->thread, __entry->count)
);

/* From all views, or not any more */
TRACE_EVENT(skyipc_view_bar,
	TP_PROTO(const struct view_thread *t, bool barred),
	TP_ARGS(t, barred),
	TP_STRUCT__entry(
		__field(pid_t, thread)
		__field(bool, barred)
	),
	TP_fast_assign(
		__entry->thread = t->pid;
		__entry->barred = barred;
	),
	TP_printk("thread=%d barred=%d", __entry->thread, __entry->barred)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH view
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_view
#include <trace/define_trace.h>
