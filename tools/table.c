/* SPDX-License-Identifier: MIT */
#include "table.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 64

/* A file whose size nobody knows, with a zero behind it. 0 or -errno */
static int slurp(const char *path, char **text)
{
	FILE *f = fopen(path, "re");
	size_t len = 0, room = 0, n;
	char *buf = NULL;
	int err;

	if (!f)
		return -errno;
	do {
		char *more = realloc(buf, room = 2 * room + 4096);

		if (!more) {
			free(buf);
			fclose(f);
			return -ENOMEM;
		}
		buf = more;
		n = fread(buf + len, 1, room - len - 1, f);
		len += n;
	} while (len == room - 1);
	err = ferror(f) ? -EIO : 0;
	fclose(f);
	if (err) {
		free(buf);
		return err;
	}
	buf[len] = '\0';
	*text = buf;
	return 0;
}

static size_t count(const char *text, const char *of)
{
	size_t n = 0;

	while ((text = strpbrk(text, of))) {
		n++;
		text++;
	}
	return n;
}

/* One line into @columns cells, what is more is left out. */
static void split(char *line, char **cells, size_t columns)
{
	char *save, *word = strtok_r(line, " \t", &save);

	for (size_t i = 0; i < columns; i++) {
		cells[i] = word ? word : line + strlen(line);
		if (word)
			word = strtok_r(NULL, " \t", &save);
	}
}

int table_read(struct table *t, const char *path)
{
	char *line, *save;
	size_t lines;
	int err = slurp(path, &t->text);

	if (err)
		return err;
	lines = count(t->text, "\n") + 1;
	t->columns = t->rows = 0;
	line = strtok_r(t->text, "\n", &save);
	if (line)
		t->columns = count(line, " ") + 1;
	t->cells = calloc(lines * t->columns + 1, sizeof(*t->cells));
	if (!t->cells) {
		free(t->text);
		return -ENOMEM;
	}
	for (size_t i = 0; line; i++) {
		split(line, t->cells + i * t->columns, t->columns);
		t->rows = i;
		line = strtok_r(NULL, "\n", &save);
	}
	return 0;
}

void table_free(struct table *t)
{
	free(t->cells);
	free(t->text);
}

const char *table_name(const struct table *t, size_t column)
{
	return t->cells[column];
}

const char *table_cell(const struct table *t, size_t row, size_t column)
{
	return t->cells[(row + 1) * t->columns + column];
}

static const char *shown(const struct table *t, size_t row, size_t column,
			 const char *(*show)(const char *, const char *, char *,
					     size_t),
			 char *buf)
{
	char plain[CELL_MAX];
	const char *value =
		show(table_name(t, column), table_cell(t, row, column), plain,
		     sizeof(plain));

	return safe(buf, 4 * CELL_MAX, value, CELL_MAX);
}

static void print_cell(const struct table *t, size_t c, int width,
		       const char *text)
{
	/* Nothing behind the last one */
	printf("%s%-*s", c ? "  " : "", c + 1 < t->columns ? width : 0, text);
}

static void print_names(const struct table *t, const int *width)
{
	for (size_t c = 0; c < t->columns; c++) {
		char name[CELL_MAX];
		size_t i = 0;

		for (const char *p = table_name(t, c);
		     *p && i < sizeof(name) - 1; p++)
			name[i++] = (char)toupper((unsigned char)*p);
		name[i] = '\0';
		print_cell(t, c, width[c], name);
	}
	putchar('\n');
}

void table_print(const struct table *t,
		 const char *(*show)(const char *column, const char *value,
				     char *buf, size_t size))
{
	int *width = calloc(t->columns + 1, sizeof(*width));
	char buf[4 * CELL_MAX];

	if (!width)
		return;
	for (size_t c = 0; c < t->columns; c++) {
		width[c] = (int)strlen(table_name(t, c));
		for (size_t r = 0; r < t->rows; r++) {
			int len = (int)strlen(shown(t, r, c, show, buf));

			if (len > width[c])
				width[c] = len;
		}
	}
	print_names(t, width);
	for (size_t r = 0; r < t->rows; r++) {
		for (size_t c = 0; c < t->columns; c++)
			print_cell(t, c, width[c], shown(t, r, c, show, buf));
		putchar('\n');
	}
	free(width);
}
