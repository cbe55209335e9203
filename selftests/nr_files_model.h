/* SPDX-License-Identifier: MIT */
/*
 * nr_files_model.h - a file system as tables: paths, and what operations do
 *
 * What is done is chosen at random; or by bytes that a fuzzer makes, and then
 * paths are whatever these say.
 */
#ifndef NR_FILES_MODEL_H
#define NR_FILES_MODEL_H

#include "testlib.h"

#include <sys/stat.h>

#include "nr_files.h"
#include "nr_sched.h"

#define MODEL_FILES 40u
#define MODEL_ENTRIES 60u
#define MODEL_BYTES 40000u /* of a file; some blocks */
#define MODEL_NAMES 6u	   /* that random paths have */

struct model_file {
	uint64_t ino; /* 0: not used */
	int is_dir;
	unsigned parent;
	uint32_t mode;
	uint64_t size;
	unsigned char data[MODEL_BYTES];
};

/* File @file has the name @name in @dir. */
struct model_entry {
	int used;
	unsigned dir, name, file;
};

struct model {
	uint64_t random;
	/* Instead of that, if it is not NULL. */
	const unsigned char *food;
	size_t left;
	char **names; /* all that there have been, by number */
	unsigned nnames;
	uint64_t gone;			     /* a number that was used */
	struct model_file file[MODEL_FILES]; /* the first one is the root */
	struct model_entry entry[MODEL_ENTRIES];
};

static inline unsigned below(struct model *m, unsigned n)
{
	unsigned v = 0;

	if (!m->food)
		return (unsigned)(sched_random(&m->random) % n);
	for (unsigned most = n - 1; most; most >>= 8) {
		v = v << 8 | (m->left ? *m->food : 0);
		if (m->left) {
			m->food++;
			m->left--;
		}
	}
	return v % n;
}

/* ---- names -------------------------------------------------------------- */

static inline const char *model_name(const struct model *m, unsigned i)
{
	return m->names[i];
}

/* Its number. */
static inline unsigned model_name_of(struct model *m, const char *text,
				     size_t len)
{
	for (unsigned i = 0; i < m->nnames; i++)
		if (strlen(m->names[i]) == len &&
		    !memcmp(m->names[i], text, len))
			return i;
	m->names = realloc(m->names, (m->nnames + 1) * sizeof(*m->names));
	if (m->names)
		m->names[m->nnames] = strndup(text, len);
	if (!m->names || !m->names[m->nnames])
		abort();
	return m->nnames++;
}

/* One that is as long as it may be among them. */
static inline void model_names(struct model *m)
{
	char longest[NR_NAME_MAX];

	for (unsigned k = 0; k < MODEL_NAMES - 1; k++) {
		char text[40];
		int len = snprintf(text, sizeof(text), "%c%s", 'a' + k / 2,
				   k % 2 ? "longer than the one before" : "");

		model_name_of(m, text, (size_t)len);
	}
	memset(longest, 'z', sizeof(longest));
	model_name_of(m, longest, sizeof(longest));
}

static inline void model_init(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	m->random = seed;
	m->gone = 12345678;
	m->file[0].ino = NR_FILES_ROOT;
	m->file[0].is_dir = 1;
	m->file[0].mode = S_IFDIR | 0755;
	model_names(m);
}

static inline void model_fini(struct model *m)
{
	while (m->nnames)
		free(m->names[--m->nnames]);
	free(m->names);
	m->names = NULL;
}

/* ---- entries ------------------------------------------------------------ */

static inline struct model_entry *model_entry(struct model *m, unsigned dir,
					      unsigned name)
{
	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		if (m->entry[i].used && m->entry[i].dir == dir &&
		    m->entry[i].name == name)
			return &m->entry[i];
	return NULL;
}

static inline unsigned model_count(const struct model *m, unsigned dir,
				   unsigned file)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		n += m->entry[i].used &&
		     (dir == MODEL_FILES || m->entry[i].dir == dir) &&
		     (file == MODEL_FILES || m->entry[i].file == file);
	return n;
}

static inline uint32_t model_links(const struct model *m, unsigned file)
{
	uint32_t n = 2;

	if (!m->file[file].is_dir)
		return model_count(m, MODEL_FILES, file);
	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		n += m->entry[i].used && m->entry[i].dir == file &&
		     m->file[m->entry[i].file].is_dir;
	return n;
}

static inline struct model_entry *model_free_entry(struct model *m)
{
	for (unsigned i = 0; i < MODEL_ENTRIES; i++)
		if (!m->entry[i].used)
			return &m->entry[i];
	return NULL;
}

static inline unsigned model_free_file(const struct model *m)
{
	unsigned i = 1;

	while (i < MODEL_FILES && m->file[i].ino)
		i++;
	return i;
}

/* ---- paths -------------------------------------------------------------- */

/* A path as a list: of numbers of names, and of what no name is. */
enum { DOT = 1000000, DOTS, TOO_LONG };

struct model_path {
	char text[NR_PATH_MAX + 1];
	unsigned from; /* the file that it begins at */
	unsigned n, part[NR_PATH_MAX / 2 + 1];
	int slash;
	/* what it leads to */
	int err;
	unsigned dir;
	int last;      /* a name, or a part; -1: there is none */
	unsigned file; /* MODEL_FILES: nothing */
};

static inline void model_walk(struct model *m, struct model_path *p,
			      int absolute)
{
	p->dir = p->file = absolute ? 0 : p->from;
	p->last = -1;
	p->err = m->file[p->dir].ino ? 0 : -ESTALE;
	if (!p->n && !absolute)
		p->err = -ENOENT;
	if (!p->n && !p->err && !m->file[p->dir].is_dir)
		p->err = -ENOTDIR;
	if (p->n && p->part[0] == TOO_LONG)
		p->err = -ENAMETOOLONG;
	for (unsigned i = 0; i < p->n && !p->err; i++) {
		struct model_entry *e;

		if (p->file == MODEL_FILES) {
			p->err = -ENOENT;
			break;
		}
		if (p->part[i] == TOO_LONG) {
			p->err = -ENAMETOOLONG;
			break;
		}
		if (!m->file[p->file].is_dir) {
			p->err = -ENOTDIR;
			break;
		}
		p->dir = p->file;
		p->last = (int)p->part[i];
		e = model_entry(m, p->dir, p->part[i]);
		p->file = p->part[i] == DOT    ? p->dir
			  : p->part[i] == DOTS ? m->file[p->dir].parent
			  : e		       ? e->file
					       : MODEL_FILES;
	}
	if (!p->err && p->slash && p->file != MODEL_FILES &&
	    !m->file[p->file].is_dir)
		p->err = -ENOTDIR;
}

/* Where it begins: mostly at a directory that is there. */
static inline unsigned model_from(struct model *m)
{
	unsigned from;

	do
		from = below(m, MODEL_FILES);
	while (!(m->file[from].ino && m->file[from].is_dir) && below(m, 30));
	return from;
}

static inline unsigned model_part(struct model *m, const char *text, size_t len)
{
	if (len == 1 && text[0] == '.')
		return DOT;
	if (len == 2 && text[0] == '.' && text[1] == '.')
		return DOTS;
	return len > NR_NAME_MAX ? TOO_LONG : model_name_of(m, text, len);
}

/* Any bytes, over and over. */
static inline void model_any_path(struct model *m, struct model_path *p)
{
	size_t piece = below(m, 256), times = 1, len = 0;
	const char *at = p->text;

	if (!below(m, 16))
		times = 1 + below(m, 256);
	while (len < piece && m->left && *m->food) {
		p->text[len++] = (char)*m->food++;
		m->left--;
	}
	piece = len;
	for (; piece && times > 1 && len + piece <= NR_PATH_MAX; times--) {
		memcpy(p->text + len, p->text, piece);
		len += piece;
	}
	p->text[len] = '\0';
	p->from = model_from(m);
	for (p->n = 0; *(at += strspn(at, "/")); at += strcspn(at, "/"))
		p->part[p->n++] = model_part(m, at, strcspn(at, "/"));
	p->slash = p->n && p->text[len - 1] == '/';
	model_walk(m, p, p->text[0] == '/');
}

static inline void model_path(struct model *m, struct model_path *p)
{
	char *at = p->text;
	int absolute;

	if (m->food) {
		model_any_path(m, p);
		return;
	}
	absolute = !below(m, 4);
	p->from = model_from(m);
	p->n = below(m, 20) ? 1 + below(m, below(m, 3) ? 1 : 3) : 0;
	p->slash = p->n && !below(m, 8);
	if (absolute)
		at += sprintf(at, "/%s", below(m, 2) ? "/" : "");
	for (unsigned i = 0; i < p->n; i++) {
		p->part[i] =
			below(m, below(m, 6) ? MODEL_NAMES : MODEL_NAMES + 2);
		if (p->part[i] >= MODEL_NAMES)
			p->part[i] = p->part[i] - MODEL_NAMES + DOT;
		at += sprintf(at, "%s%s", i ? below(m, 5) ? "/" : "//" : "",
			      p->part[i] == DOT	   ? "."
			      : p->part[i] == DOTS ? ".."
						   : model_name(m, p->part[i]));
	}
	sprintf(at, "%s", p->slash ? "/" : "");
	model_walk(m, p, absolute);
}

static inline uint64_t model_ino(const struct model *m, unsigned file)
{
	return m->file[file].ino ? m->file[file].ino : m->gone;
}

/* ---- what operations do ------------------------------------------------- */

static inline int model_make(const struct model_path *p, int is_dir)
{
	if (p->err)
		return p->err;
	if (p->file != MODEL_FILES)
		return -EEXIST;
	return p->slash && !is_dir ? -EISDIR : 0;
}

static inline void model_put(struct model *m, const struct model_path *p,
			     unsigned file)
{
	*model_free_entry(m) =
		(struct model_entry){ 1, p->dir, (unsigned)p->last, file };
	if (m->file[file].is_dir)
		m->file[file].parent = p->dir;
}

static inline void model_drop(struct model *m, unsigned file)
{
	if (model_count(m, MODEL_FILES, file))
		return;
	m->gone = m->file[file].ino;
	memset(&m->file[file], 0, sizeof(m->file[file]));
}

static inline int model_remove(struct model *m, const struct model_path *p,
			       int is_dir)
{
	unsigned file = p->file;

	if (p->err)
		return p->err;
	if (file == MODEL_FILES)
		return -ENOENT;
	if (!is_dir && m->file[file].is_dir)
		return -EISDIR;
	if (is_dir && !m->file[file].is_dir)
		return -ENOTDIR;
	if (is_dir && !file)
		return -EBUSY;
	if (is_dir && p->last == DOT)
		return -EINVAL;
	if (is_dir && (p->last == DOTS || p->last < 0 ||
		       model_count(m, file, MODEL_FILES)))
		return -ENOTEMPTY;
	model_entry(m, p->dir, (unsigned)p->last)->used = 0;
	model_drop(m, file);
	return 0;
}

static inline int model_rename(struct model *m, const struct model_path *a,
			       const struct model_path *b)
{
	int is_dir, there = b->file != MODEL_FILES;
	struct model_entry *e;

	if (a->err || b->err)
		return a->err ? a->err : b->err;
	if (a->file == MODEL_FILES)
		return -ENOENT;
	if (a->last < 0 || a->last >= (int)DOT || b->last < 0 ||
	    b->last >= (int)DOT)
		return -EBUSY;
	is_dir = m->file[a->file].is_dir;
	for (unsigned d = b->dir; is_dir; d = m->file[d].parent) {
		if (d == a->file)
			return -EINVAL;
		if (!d)
			break;
	}
	if (b->file == a->file)
		return 0;
	if (!there && b->slash && !is_dir)
		return -ENOTDIR;
	if (there && is_dir && !m->file[b->file].is_dir)
		return -ENOTDIR;
	if (there && !is_dir && m->file[b->file].is_dir)
		return -EISDIR;
	if (there && is_dir && model_count(m, b->file, MODEL_FILES))
		return -ENOTEMPTY;
	e = model_entry(m, a->dir, (unsigned)a->last);
	if (there) {
		model_entry(m, b->dir, (unsigned)b->last)->used = 0;
		model_drop(m, b->file);
	}
	*e = (struct model_entry){ 1, b->dir, (unsigned)b->last, a->file };
	if (is_dir)
		m->file[a->file].parent = b->dir;
	return 0;
}

#endif
