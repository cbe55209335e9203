/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, group skyipc. Root itself cannot trace: its exits are counted.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM skyipc

#if !defined(SKYIPC_VMX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SKYIPC_VMX_TRACE_H

#include <linux/tracepoint.h>

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

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH vmx
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_vmx
#include <trace/define_trace.h>
