/* SPDX-License-Identifier: MIT */
/* print.c - statistics as text, and as JSON */
#include <errno.h>
#include <inttypes.h>

#include "nr_stats.h"
#include "util.h"

/* A number of a structure, if the one that filled it knew that field. */
struct field {
	const char *name;
	size_t at;
	size_t bytes; /* 4 or 8 */
};

#define FIELD(type, member)                                                    \
	{                                                                      \
#member, offsetof(struct type, member),                        \
			sizeof(((struct type *)NULL)->member)                  \
	}

static const struct field log_fields[] = {
	FIELD(nr_stats, log_size),  FIELD(nr_stats, log_head),
	FIELD(nr_stats, log_ctail), FIELD(nr_stats, log_tail),
	FIELD(nr_stats, replicas),
};

static const struct field replica_fields[] = {
	FIELD(nr_replica_stats, replica),   FIELD(nr_replica_stats, place),
	FIELD(nr_replica_stats, contexts),  FIELD(nr_replica_stats, lag),
	FIELD(nr_replica_stats, applied),   FIELD(nr_replica_stats, updates),
	FIELD(nr_replica_stats, reads),	    FIELD(nr_replica_stats, batches),
	FIELD(nr_replica_stats, catch_ups), FIELD(nr_replica_stats, helped),
	FIELD(nr_replica_stats, collects),  FIELD(nr_replica_stats, full),
	FIELD(nr_replica_stats, yields),    FIELD(nr_replica_stats, parks),
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static uint64_t value(const void *from, const struct field *f)
{
	const char *at = (const char *)from + f->at;
	uint32_t half;
	uint64_t all;

	if (f->bytes == sizeof(half)) {
		memcpy(&half, at, sizeof(half));
		return half;
	}
	memcpy(&all, at, sizeof(all));
	return all;
}

/* @from begins with its size. */
static int known(const void *from, const struct field *f)
{
	return f->at + f->bytes <= *(const size_t *)from;
}

static const struct field sizes_field = FIELD(nr_replica_stats, batch_sizes);

/* How many of the batch sizes are worth telling. */
static unsigned sizes(const struct nr_replica_stats *r)
{
	unsigned n = known(r, &sizes_field) ? NR_BATCHES : 0;

	while (n && !r->batch_sizes[n - 1])
		n--;
	return n;
}

/* ----------------------------------------------------------------- JSON -- */

/* Those of @prefix without it; all that are known. What has to be between them
 * and more. */
static const char *json_fields(FILE *to, const void *from,
			       const struct field *f, size_t n,
			       const char *prefix)
{
	size_t skip = strlen(prefix);
	const char *comma = "";

	for (size_t i = 0; i < n; i++) {
		if (strncmp(f[i].name, prefix, skip) || !known(from, &f[i]))
			continue;
		fprintf(to, "%s\"%s\":%" PRIu64, comma, f[i].name + skip,
			value(from, &f[i]));
		comma = ",";
	}
	return comma;
}

static void json_replica(FILE *to, const struct nr_replica_stats *r)
{
	unsigned n = sizes(r);
	const char *comma;

	fputc('{', to);
	comma = json_fields(to, r, replica_fields, COUNT(replica_fields), "");
	fprintf(to, "%s\"batch_sizes\":[", comma);
	for (unsigned i = 0; i < n; i++)
		fprintf(to, "%s%" PRIu64, i ? "," : "", r->batch_sizes[i]);
	fputs("]}", to);
}

/* ----------------------------------------------------------------- text -- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void text_log(FILE *to, const struct nr_stats *s)
{
	uint64_t used = s->log_tail - s->log_head;

	fprintf(to,
		"log: %" PRIu64 " update%s, %" PRIu64 " done, %" PRIu64
		" of %" PRIu64 " entries in use, %" PRIu64 " replica%s\n",
		s->log_tail, plural(s->log_tail), s->log_ctail, used,
		s->log_size, s->replicas, plural(s->replicas));
}

/* "2-3: 17" and so on. */
static void text_sizes(FILE *to, const struct nr_replica_stats *r)
{
	unsigned n = sizes(r), told = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t from = UINT64_C(1) << i;

		if (!r->batch_sizes[i])
			continue;
		fprintf(to, "%s%" PRIu64, told++ ? ", " : " (of ", from);
		if (i)
			fprintf(to, "-%" PRIu64, 2 * from - 1);
		fprintf(to, ": %" PRIu64, r->batch_sizes[i]);
	}
	if (told)
		fputc(')', to);
}

static void text_replica(FILE *to, const struct nr_replica_stats *r)
{
	fprintf(to,
		"replica %" PRIu32 " on place %" PRIu32 ": %" PRIu64
		" context%s, %" PRIu64 " applied, %" PRIu64 " behind\n",
		r->replica, r->place, r->contexts, plural(r->contexts),
		r->applied, r->lag);
	fprintf(to,
		"  %" PRIu64 " read%s; %" PRIu64 " update%s in %" PRIu64
		" batch%s",
		r->reads, plural(r->reads), r->updates, plural(r->updates),
		r->batches, r->batches == 1 ? "" : "es");
	text_sizes(to, r);
	fprintf(to,
		"\n  caught up %" PRIu64 ", was helped %" PRIu64
		", looked for room %" PRIu64 ", log full %" PRIu64
		"; yielded %" PRIu64 ", slept %" PRIu64 "\n",
		r->catch_ups, r->helped, r->collects, r->full, r->yields,
		r->parks);
}

NR_PUBLIC int nr_stats_print(FILE *to, const struct nr_stats *stats,
			     const struct nr_replica_stats *replicas,
			     unsigned n, unsigned flags)
{
	size_t step = replicas && n ? replicas->size : 0;

	if (stats->size < sizeof(size_t) || (n && step < sizeof(size_t)) ||
	    (flags & ~(unsigned)NR_PRINT_JSON))
		return -EINVAL;
	if (flags & NR_PRINT_JSON) {
		fputs("{\"log\":{", to);
		json_fields(to, stats, log_fields, COUNT(log_fields), "log_");
		fputs("},\"replicas\":[", to);
	} else {
		struct nr_stats s;

		sized_copy(&s, sizeof(s), stats, stats->size);
		text_log(to, &s);
	}
	for (unsigned i = 0; i < n; i++) {
		const void *at = (const char *)replicas + i * step;
		struct nr_replica_stats r;

		sized_copy(&r, sizeof(r), at, step);
		r.size = step < sizeof(r) ? step : sizeof(r);
		if (flags & NR_PRINT_JSON) {
			fputs(i ? "," : "", to);
			json_replica(to, &r);
		} else {
			text_replica(to, &r);
		}
	}
	if (flags & NR_PRINT_JSON)
		fputs("]}\n", to);
	return ferror(to) ? -EIO : 0;
}
