/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "util.h"

struct cell {
	char *text;
	int left;
};

struct table {
	struct cell *cells; /* a NULL text ends a row */
	size_t n, room;
};

struct table *table_new(void)
{
	return xcalloc(1, sizeof(struct table));
}

static void add(struct table *t, char *text, int left)
{
	if (t->n == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->cells = realloc(t->cells, t->room * sizeof(*t->cells));
		if (!t->cells)
			dief(1, "out of memory");
	}
	t->cells[t->n++] = (struct cell){ text, left };
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		dief(1, "out of memory");
	va_end(ap);
	add(t, text, 0);
}

void table_text(struct table *t, const char *text)
{
	table_cell(t, "%s", text);
	t->cells[t->n - 1].left = 1;
}

void table_row(struct table *t)
{
	add(t, NULL, 0);
}

static size_t widths(const struct table *t, size_t *w)
{
	size_t columns = 0;

	for (size_t i = 0, c = 0; i < t->n; i++) {
		if (!t->cells[i].text) {
			c = 0;
			continue;
		}
		if (strlen(t->cells[i].text) > w[c])
			w[c] = strlen(t->cells[i].text);
		c++;
		columns = c > columns ? c : columns;
	}
	return columns;
}

void table_print(struct table *t, FILE *to)
{
	size_t *w = xcalloc(t->n + 1, sizeof(*w));
	size_t columns = widths(t, w), total = 0;
	int ruled = 0;

	for (size_t c = 0; c < columns; c++)
		total += w[c] + 2;
	for (size_t i = 0, c = 0; i < t->n; i++) {
		struct cell *cell = &t->cells[i];

		if (!cell->text) {
			fputc('\n', to);
			for (size_t k = 0; !ruled && k + 2 < total; k++)
				fputc('-', to);
			if (!ruled)
				fputc('\n', to);
			ruled = 1;
			c = 0;
			continue;
		}
		if (cell->left && !t->cells[i + 1].text)
			fputs(cell->text, to); /* nothing to align with */
		else if (c == 0 || cell->left)
			fprintf(to, "%-*s", (int)w[c], cell->text);
		else
			fprintf(to, "%*s", (int)w[c], cell->text);
		if (i + 1 < t->n && t->cells[i + 1].text)
			fputs("  ", to);
		free(cell->text);
		c++;
	}
	free(w);
	free(t->cells);
	free(t);
}

/* Three significant digits of @v. */
static void scaled(struct table *t, double v, const char *unit)
{
	table_cell(t, "%.*f%s%s",
		   v < 9.995   ? 2
		   : v < 99.95 ? 1
			       : 0,
		   v, *unit ? " " : "", unit);
}

void table_ns(struct table *t, double ns)
{
	if (ns < 999.5)
		scaled(t, ns, "ns");
	else if (ns < 999.5e3)
		scaled(t, ns / 1e3, "us");
	else if (ns < 999.5e6)
		scaled(t, ns / 1e6, "ms");
	else
		scaled(t, ns / 1e9, "s");
}

void table_rate(struct table *t, double per_s)
{
	if (per_s < 999.5)
		scaled(t, per_s, "");
	else if (per_s < 999.5e3)
		scaled(t, per_s / 1e3, "k");
	else
		scaled(t, per_s / 1e6, "M");
}

void table_bytes(struct table *t, double bytes, const char *suffix)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned u = 0;
	char unit[16];

	while (bytes >= 1024 && u < 4) {
		bytes /= 1024;
		u++;
	}
	snprintf(unit, sizeof(unit), "%s%s", units[u], suffix);
	if (bytes == (double)(long)bytes)
		table_cell(t, "%.0f %s", bytes, unit);
	else
		scaled(t, bytes, unit);
}

void table_ratio(struct table *t, double value, double base)
{
	if (base <= 0 || value <= 0)
		table_cell(t, "-");
	else
		scaled(t, value / base, "");
}
