/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, group skyipc. Exits are told a moment after they were: "tsc" says
 * when, with the TSC as Linux reads it. See exit_log.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM skyipc

#if !defined(SKYIPC_VMX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SKYIPC_VMX_TRACE_H

#include <linux/tracepoint.h>

#include "exit_log.h"
#include "report.h"

TRACE_EVENT(skyipc_vmx_launch,
	TP_PROTO(int cpu, int error, const char *step),
	TP_ARGS(cpu, error, step),
	TP_STRUCT__entry(
		__field(int, cpu)
		__field(int, error)
		__array(char, step, 48)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->error = error;
		strscpy(__entry->step, error ? step : "done",
			sizeof(__entry->step));
	),
	TP_printk("cpu=%d error=%d step=%s", __entry->cpu, __entry->error,
		  __entry->step)
);

TRACE_EVENT(skyipc_vmx_stop,
	TP_PROTO(int cpu),
	TP_ARGS(cpu),
	TP_STRUCT__entry(__field(int, cpu)),
	TP_fast_assign(__entry->cpu = cpu;),
	TP_printk("cpu=%d", __entry->cpu)
);

TRACE_EVENT_FN(skyipc_vmx_exit,
	TP_PROTO(int cpu, u32 reason, u64 rip, u64 tsc),
	TP_ARGS(cpu, reason, rip, tsc),
	TP_STRUCT__entry(
		__field(int, cpu)
		__field(u32, reason)
		__field(u64, rip)
		__field(u64, tsc)
		__array(char, name, 20)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->reason = reason;
		__entry->rip = rip;
		__entry->tsc = tsc;
		strscpy(__entry->name, vmx_reason_name(reason) ?: "?",
			sizeof(__entry->name));
	),
	TP_printk("cpu=%d reason=%u (%s) rip=%#llx tsc=%llu", __entry->cpu,
		  __entry->reason, __entry->name, __entry->rip, __entry->tsc),
	vmx_exit_log_start, vmx_exit_log_stop
);

TRACE_EVENT(skyipc_vmx_exits_lost,
	TP_PROTO(int cpu, u64 count),
	TP_ARGS(cpu, count),
	TP_STRUCT__entry(
		__field(int, cpu)
		__field(u64, count)
	),
	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->count = count;
	),
	TP_printk("cpu=%d count=%llu", __entry->cpu, __entry->count)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH vmx
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_vmx
#include <trace/define_trace.h>
