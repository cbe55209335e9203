/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, group skyipc: every step of a call, as in call.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM skyipc

#if !defined(SKYIPC_KCALL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SKYIPC_KCALL_TRACE_H

#include <linux/tracepoint.h>

#include "call.h"

TRACE_EVENT(skyipc_call,
	TP_PROTO(u32 id, u64 word),
	TP_ARGS(id, word),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u64, word)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->word = word;
	),
	TP_printk("call=%u generation=%llu state=%s%s", __entry->id,
		  __entry->word >> SKY_GENERATION_SHIFT,
		  __print_symbolic(__entry->word & SKY_STATE_MASK,
				   { SKY_FREE, "free" },
				   { SKY_QUEUED, "queued" },
				   { SKY_POSTED, "posted" },
				   { SKY_TAKEN, "taken" },
				   { SKY_HELD, "held" },
				   { SKY_DONE, "done" },
				   { SKY_LEFT, "left" }),
		  __entry->word & SKY_FORWARDED ? " forwarded" : "")
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kcall
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_kcall
#include <trace/define_trace.h>
