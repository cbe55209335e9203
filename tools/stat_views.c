/* SPDX-License-Identifier: MIT */
#include "stat_views.h"
#include "json.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* Each counter, by its name in JSON */
static const struct counter {
	const char *name;
	size_t at;
} counters[] = {
#define COUNTER(field)                                                         \
	{                                                                      \
#field, offsetof(struct skyipc_views, field)                   \
	}
	COUNTER(calls),		COUNTER(interrupts),
	COUNTER(faults),	COUNTER(syscalls),
	COUNTER(exceptions),	COUNTER(resumed),
	COUNTER(finished),	COUNTER(moved_fault),
	COUNTER(moved_syscall), COUNTER(moved_exception),
	COUNTER(moved_late),	COUNTER(moved_deadline),
	COUNTER(moved_gone),	COUNTER(moved_barred),
	COUNTER(moved_asked),
};
#define COUNTERS (sizeof(counters) / sizeof(counters[0]))
_Static_assert(COUNTERS * sizeof(uint64_t) == sizeof(struct skyipc_views),
	       "all of them are here");

/* Why calls have moved: in a table, in a sentence, and what to do about it */
static const struct reason {
	size_t at;
	const char *name;
	const char *says; /* "N of M calls of NAME ..." */
	const char *advice;
} reasons[] = {
#define REASON(field) offsetof(struct skyipc_views, field)
	{ REASON(moved_syscall), "system call",
	  "make a system call, and go on in a thread of the server's",
	  "keep system calls out of short handlers: printing, calls with a "
	  "time limit of other servers, locks that sleep, memory that malloc() "
	  "gets or gives back" },
	{ REASON(moved_fault), "page fault",
	  "touch a page that is not there, and go on in a thread of the "
	  "server's",
	  "have the server's memory there before: MAP_POPULATE, mlockall(), "
	  "a heap that does not shrink (mallopt(3): M_TRIM_THRESHOLD)" },
	{ REASON(moved_exception), "exception",
	  "run into an exception, and go on in a thread of the server's",
	  "see which signal the server gets: an error in the handler, or a "
	  "debugger's breakpoint" },
	{ REASON(moved_late), "late",
	  "are interrupted for 10 ms or more, and go on in a thread of the "
	  "server's",
	  "fewer threads than CPUs, or a better priority for clients: their "
	  "threads are what runs the handler" },
	{ REASON(moved_deadline), "time limit",
	  "take longer than their limit in time",
	  "a longer limit, or a shorter handler" },
	{ REASON(moved_barred), "barred",
	  "are of threads that may not run the server's code",
	  "do not debug or record the clients (perf, precise events), nor "
	  "give them I/O ports or a shadow stack: docs/vmfunc.md" },
	{ REASON(moved_asked), "interrupt",
	  "are interrupted, and not gone on with",
	  "a signal's handler that does not return, perhaps" },
	/* Who has gone is not slow. */
	{ REASON(moved_gone), "client gone", NULL, NULL },
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

/* One in so many is not rare. */
#define RARE 100

static uint64_t get(const struct skyipc_views *v, size_t at)
{
	uint64_t n;

	memcpy(&n, (const char *)v + at, sizeof(n));
	return n;
}

struct skyipc_views views_gain(const struct skyipc_views *now,
			       const struct skyipc_views *before)
{
	struct skyipc_views gain;

	for (size_t i = 0; i < COUNTERS; i++) {
		uint64_t a = get(now, counters[i].at),
			 b = get(before, counters[i].at);

		a = a > b ? a - b : 0;
		memcpy((char *)&gain + counters[i].at, &a, sizeof(a));
	}
	return gain;
}

uint64_t views_moved(const struct skyipc_views *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < REASONS; i++)
		n += get(v, reasons[i].at);
	return n;
}

void views_print_head(void)
{
	printf("\n%-28s %7s %7s %7s %7s %s\n", "in views", "CALLS", "STOPPED",
	       "RESUMED", "MOVED", "BECAUSE OF");
}

void views_print_row(const char *who, const struct skyipc_views *v)
{
	uint64_t stopped =
		v->interrupts + v->faults + v->syscalls + v->exceptions;
	const char *comma = "";

	printf("%-28.28s %7s %7s %7s %7s ", who, text_count(v->calls).s,
	       text_count(stopped).s, text_count(v->resumed).s,
	       text_count(views_moved(v)).s);
	for (size_t i = 0; i < REASONS; i++) {
		uint64_t n = get(v, reasons[i].at);

		if (!n)
			continue;
		printf("%s%s %s", comma, reasons[i].name, text_count(n).s);
		comma = ", ";
	}
	puts(*comma ? "" : "-");
}

void views_json(struct json *j, const struct skyipc_views *v)
{
	json_open(j, "views", '{');
	for (size_t i = 0; i < COUNTERS; i++)
		json_u64(j, counters[i].name, get(v, counters[i].at));
	json_close(j);
}

/* "3 of 4": as near as that says it, of @n in @of, which is not 0 */
static void share(char *buf, size_t size, uint64_t n, uint64_t of)
{
	static const unsigned whole[] = { 1, 2, 3, 4, 5, 10, 20, 50, 100 };
	double want = n < of ? (double)n / (double)of : 1, best = 2;
	unsigned m = 1, k = 1;

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		unsigned some = (unsigned)(want * whole[i] + 0.5);
		double off = (double)some / whole[i] - want;

		off = off < 0 ? -off : off;
		/* A simpler one will do if it is as near within 2 %. */
		if (some && off + 0.02 * want < best) {
			best = off;
			k = some;
			m = whole[i];
		}
	}
	if (m == 1)
		snprintf(buf, size, n < of ? "Nearly all" : "All");
	else
		snprintf(buf, size, "%u of %u", k, m);
}

static bool is_common(uint64_t n, uint64_t of)
{
	return of && n && n >= of / RARE;
}

bool views_finding(unsigned i, const struct skyipc_views *v, uint64_t calls,
		   const char *name, char *buf, size_t size,
		   const char **advice)
{
	uint64_t rest = calls > v->calls ? calls - v->calls : 0;
	char part[32];

	for (size_t r = 0; r < REASONS; r++) {
		uint64_t n = get(v, reasons[r].at);

		if (!reasons[r].says || !is_common(n, v->calls) || i--)
			continue;
		share(part, sizeof(part), n, v->calls);
		snprintf(buf, size, "%s calls of '%s' that begin in a view %s",
			 part, name, reasons[r].says);
		*advice = reasons[r].advice;
		return true;
	}
	if (!is_common(rest, calls) || rest < calls / 2 || i)
		return false;
	share(part, sizeof(part), rest, calls);
	snprintf(buf, size, "%s calls of '%s' do not begin in a view", part,
		 name);
	*advice = "more workers, if all are busy; fewer calls that are "
		  "submitted, made in handlers, or pass descriptors: those go "
		  "through the module";
	return true;
}
