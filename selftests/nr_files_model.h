/* SPDX-License-Identifier: MIT */
/*
 * nr_files_model.h - a file system as tables, and random operations on it and
 * on the one that is tested: nr_files, or nr_memfs from several contexts
 */
#ifndef NR_FILES_MODEL_H
#define NR_FILES_MODEL_H

#include "testlib.h"

#include <sys/stat.h>

#include "nr_memfs.h"
#include "nr_sched.h"

#define MODEL_FILES 40u
#define MODEL_ENTRIES 60u
#define MODEL_BYTES 40000u /* of a file; some blocks */
#define MODEL_NAMES 6u

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
	uint64_t gone;			     /* a number that was used */
	struct model_file file[MODEL_FILES]; /* the first one is the root */
	struct model_entry entry[MODEL_ENTRIES];
};

/* What is tested: one of these. */
struct subject {
	struct nr_files *files;
	struct nr_memfs_context *memfs;
};

#define CALL(s, what, ...)                                                     \
	((s)->files ? nr_files_##what((s)->files, __VA_ARGS__)                 \
		    : nr_memfs_##what((s)->memfs, __VA_ARGS__))

static inline unsigned below(struct model *m, unsigned n)
{
	return (unsigned)(sched_random(&m->random) % n);
}

/* In the order of their numbers; the last is as long as it may be. */
static inline const char *model_name(unsigned i)
{
	static char names[MODEL_NAMES][NR_NAME_MAX + 1];

	if (!names[0][0]) {
		for (unsigned k = 0; k < MODEL_NAMES - 1; k++)
			snprintf(names[k], sizeof(names[k]), "%c%s",
				 'a' + k / 2,
				 k % 2 ? "longer than the one before" : "");
		memset(names[MODEL_NAMES - 1], 'z', NR_NAME_MAX);
	}
	return names[i];
}

static inline void model_init(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	m->random = seed;
	m->gone = 12345678;
	m->file[0].ino = NR_FILES_ROOT;
	m->file[0].is_dir = 1;
	m->file[0].mode = S_IFDIR | 0755;
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

/* A path as a list: of names, and "." and "..". */
enum { DOT = MODEL_NAMES, DOTS, PARTS };

struct model_path {
	char text[NR_PATH_MAX + 1];
	unsigned from; /* the file that it begins at */
	unsigned n, part[4];
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
	for (unsigned i = 0; i < p->n && !p->err; i++) {
		struct model_entry *e;

		if (p->file == MODEL_FILES) {
			p->err = -ENOENT;
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

static inline void model_path(struct model *m, struct model_path *p)
{
	int absolute = !below(m, 4);
	char *at = p->text;

	/* Mostly at a directory that is there. */
	do
		p->from = below(m, MODEL_FILES);
	while (!(m->file[p->from].ino && m->file[p->from].is_dir) &&
	       below(m, 30));
	p->n = below(m, 20) ? 1 + below(m, below(m, 3) ? 1 : 3) : 0;
	p->slash = p->n && !below(m, 8);
	if (absolute)
		at += sprintf(at, "/%s", below(m, 2) ? "/" : "");
	for (unsigned i = 0; i < p->n; i++) {
		p->part[i] = below(m, below(m, 6) ? MODEL_NAMES : PARTS);
		at += sprintf(at, "%s%s", i ? below(m, 5) ? "/" : "//" : "",
			      p->part[i] == DOT	   ? "."
			      : p->part[i] == DOTS ? ".."
						   : model_name(p->part[i]));
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

/* ---- both --------------------------------------------------------------- */

static inline void check_file(const struct model *m, unsigned i,
			      const struct nr_file *f)
{
	const struct model_file *want = &m->file[i];

	assert_true(f->ino == want->ino);
	assert_int_equal(f->mode, want->mode);
	assert_int_equal(f->nlink, model_links(m, i));
	assert_true(f->size == (want->is_dir ? model_count(m, i, MODEL_FILES)
					     : want->size));
}

static inline void step_make(struct subject *s, struct model *m)
{
	unsigned file = model_free_file(m), mode = below(m, 010000);
	int is_dir = !below(m, 3), want;
	struct model_path p;
	uint64_t ino = 0;

	model_path(m, &p);
	want = model_make(&p, is_dir);
	if (!want && (file == MODEL_FILES || !model_free_entry(m)))
		return;
	assert_int_equal(is_dir ? CALL(s, mkdir, model_ino(m, p.from), p.text,
				       mode, &ino)
				: CALL(s, mkfile, model_ino(m, p.from), p.text,
				       mode, &ino),
			 want);
	if (want)
		return;
	assert_true(ino > m->gone || m->gone == 12345678);
	m->file[file].ino = ino;
	m->file[file].is_dir = is_dir;
	m->file[file].mode = mode | (is_dir ? S_IFDIR : S_IFREG);
	model_put(m, &p, file);
}

static inline void step_link(struct subject *s, struct model *m)
{
	unsigned file = below(m, MODEL_FILES);
	struct model_path p;
	int want;

	model_path(m, &p);
	want = !m->file[file].ino      ? -ESTALE
	       : m->file[file].is_dir  ? -EPERM
	       : p.err		       ? p.err
	       : p.file != MODEL_FILES ? -EEXIST
	       : p.slash	       ? -ENOENT
				       : 0;
	if (!want && !model_free_entry(m))
		return;
	assert_int_equal(
		CALL(s, link, model_ino(m, file), model_ino(m, p.from), p.text),
		want);
	if (!want)
		model_put(m, &p, file);
}

static inline void step_rename(struct subject *s, struct model *m)
{
	uint64_t from, to;
	struct model_path a, b;

	model_path(m, &a);
	model_path(m, &b);
	from = model_ino(m, a.from);
	to = model_ino(m, b.from);
	assert_int_equal(CALL(s, rename, from, a.text, to, b.text),
			 model_rename(m, &a, &b));
}

static inline void step_remove(struct subject *s, struct model *m)
{
	int is_dir = (int)below(m, 2);
	struct model_path p;
	uint64_t from;

	model_path(m, &p);
	from = model_ino(m, p.from);
	assert_int_equal(is_dir ? CALL(s, rmdir, from, p.text)
				: CALL(s, unlink, from, p.text),
			 model_remove(m, &p, is_dir));
}

static inline int model_use(const struct model *m, unsigned file)
{
	return !m->file[file].ino     ? -ESTALE
	       : m->file[file].is_dir ? -EISDIR
				      : 0;
}

static inline void step_write(struct subject *s, struct model *m)
{
	static unsigned char bytes[MODEL_BYTES];
	unsigned i = below(m, MODEL_FILES), len, off, end;
	struct model_file *f = &m->file[i];
	int want = model_use(m, i);

	len = below(m, below(m, 3) ? 300 : 9000);
	off = below(m, MODEL_BYTES - len);
	end = !below(m, 4) && f->size + len <= MODEL_BYTES;
	if (end)
		off = (unsigned)f->size;
	memset(bytes, (int)below(m, 256), len);
	if (len)
		bytes[0] = (unsigned char)below(m, 256);
	assert_int_equal(CALL(s, write, model_ino(m, i),
			      end ? NR_FILES_END : off, bytes, len),
			 want ? want : (int)len);
	if (want || !len)
		return;
	memcpy(&f->data[off], bytes, len);
	if (f->size < off + len)
		f->size = off + len;
}

static inline void step_truncate(struct subject *s, struct model *m)
{
	unsigned i = below(m, MODEL_FILES), size = below(m, MODEL_BYTES);
	struct model_file *f = &m->file[i];
	int want = model_use(m, i);

	if (below(m, 2))
		size = below(m, 500);
	assert_int_equal(CALL(s, truncate, model_ino(m, i), size), want);
	if (want)
		return;
	if (size < f->size)
		memset(&f->data[size], 0, f->size - size);
	f->size = size;
}

static inline void step_read(struct subject *s, struct model *m)
{
	static unsigned char bytes[2 * MODEL_BYTES];
	unsigned i = below(m, MODEL_FILES), off = below(m, MODEL_BYTES);
	unsigned len = below(m, 2) ? below(m, 500) : below(m, 2 * MODEL_BYTES);
	struct model_file *f = &m->file[i];
	int want = model_use(m, i);

	if (!want && off < f->size)
		want = (int)(off + len < f->size ? len : f->size - off);
	memset(bytes, 0x55, len);
	assert_int_equal(CALL(s, read, model_ino(m, i), off, bytes, len), want);
	if (want > 0)
		assert_memory_equal(bytes, &f->data[off], want);
}

static inline void step_lookup(struct subject *s, struct model *m)
{
	struct model_path p;
	struct nr_file f;
	int want;

	model_path(m, &p);
	want = p.err ? p.err : p.file == MODEL_FILES ? -ENOENT : 0;
	assert_int_equal(CALL(s, lookup, model_ino(m, p.from), p.text, &f),
			 want);
	if (!want)
		check_file(m, p.file, &f);
}

/* Names are in order; each is there. */
struct listing {
	struct model *m;
	unsigned dir, next, stop, seen;
};

static inline int list_one(const struct nr_dirent *e, void *arg)
{
	struct listing *l = arg;
	const struct model_entry *want;

	while (l->next < MODEL_NAMES && !model_entry(l->m, l->dir, l->next))
		l->next++;
	assert_true(l->next < MODEL_NAMES);
	want = model_entry(l->m, l->dir, l->next);
	assert_int_equal(e->len, strlen(model_name(l->next)));
	assert_memory_equal(e->name, model_name(l->next), e->len);
	assert_true(e->ino == l->m->file[want->file].ino);
	assert_int_equal(e->mode,
			 l->m->file[want->file].is_dir ? S_IFDIR : S_IFREG);
	l->next++;
	return ++l->seen == l->stop ? 77 : 0;
}

static inline void step_list(struct subject *s, struct model *m)
{
	unsigned i = below(m, MODEL_FILES), after = below(m, MODEL_NAMES);
	struct listing l = { m, i, 0, below(m, 5), 0 };
	const char *name = below(m, 2) ? model_name(after) : NULL;
	int ret;

	if (name)
		l.next = after + 1;
	ret = CALL(s, list, model_ino(m, i), name, list_one, &l);
	if (!m->file[i].ino || !m->file[i].is_dir) {
		assert_int_equal(ret, m->file[i].ino ? -ENOTDIR : -ESTALE);
		return;
	}
	if (l.stop && l.seen == l.stop) {
		assert_int_equal(ret, 77);
		return;
	}
	assert_int_equal(ret, 0);
	while (l.next < MODEL_NAMES)
		assert_null(model_entry(m, i, l.next++));
}

static inline void model_step(struct subject *s, struct model *m)
{
	static void (*const steps[])(struct subject * s, struct model * m) = {
		step_make,   step_make,	    step_make,	 step_link,
		step_rename, step_rename,   step_remove, step_write,
		step_write,  step_truncate, step_read,	 step_read,
		step_lookup, step_list,
	};

	steps[below(m, ARRAY_LEN(steps))](s, m);
}

/* All of it; and what takes a number of what is gone. */
static inline void model_check(struct subject *s, struct model *m)
{
	static unsigned char bytes[MODEL_BYTES];
	struct nr_file f;

	for (unsigned i = 0; i < MODEL_FILES; i++) {
		const struct model_file *want = &m->file[i];

		assert_int_equal(CALL(s, stat, model_ino(m, i), &f),
				 want->ino ? 0 : -ESTALE);
		if (!want->ino)
			continue;
		check_file(m, i, &f);
		if (want->is_dir)
			continue;
		assert_int_equal(
			CALL(s, read, want->ino, 0, bytes, MODEL_BYTES),
			(int)want->size);
		assert_memory_equal(bytes, want->data, want->size);
	}
}

#endif
