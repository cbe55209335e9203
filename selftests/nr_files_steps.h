/* SPDX-License-Identifier: MIT */
/*
 * nr_files_steps.h - operations on a file system that is tested, nr_files or
 * nr_memfs from several contexts, and on its model
 */
#ifndef NR_FILES_STEPS_H
#define NR_FILES_STEPS_H

#include "nr_files_model.h"
#include "nr_memfs.h"

/* What is tested: one of these. */
struct subject {
	struct nr_files *files;
	struct nr_memfs_context *memfs;
};

#define CALL(s, what, ...)                                                     \
	((s)->files ? nr_files_##what((s)->files, __VA_ARGS__)                 \
		    : nr_memfs_##what((s)->memfs, __VA_ARGS__))

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
	unsigned dir, stop, seen;
	const char *last; /* NULL: before the first */
};

/* The next one. */
static inline const struct model_entry *list_next(const struct listing *l)
{
	const struct model_entry *next = NULL;

	for (unsigned i = 0; i < MODEL_ENTRIES; i++) {
		const struct model_entry *e = &l->m->entry[i];
		const char *name;

		if (!e->used || e->dir != l->dir)
			continue;
		name = model_name(l->m, e->name);
		if ((!l->last || strcmp(name, l->last) > 0) &&
		    (!next || strcmp(name, model_name(l->m, next->name)) < 0))
			next = e;
	}
	return next;
}

static inline int list_one(const struct nr_dirent *e, void *arg)
{
	struct listing *l = arg;
	const struct model_entry *want = list_next(l);

	assert_non_null(want);
	l->last = model_name(l->m, want->name);
	assert_int_equal(e->len, strlen(l->last));
	assert_memory_equal(e->name, l->last, e->len);
	assert_true(e->ino == l->m->file[want->file].ino);
	assert_int_equal(e->mode,
			 l->m->file[want->file].is_dir ? S_IFDIR : S_IFREG);
	return ++l->seen == l->stop ? 77 : 0;
}

static inline void step_list(struct subject *s, struct model *m)
{
	unsigned i = below(m, MODEL_FILES), after = below(m, m->nnames);
	struct listing l = { m, i, below(m, 5), 0, NULL };
	int ret;

	if (below(m, 2))
		l.last = model_name(m, after);
	ret = CALL(s, list, model_ino(m, i), l.last, list_one, &l);
	if (!m->file[i].ino || !m->file[i].is_dir) {
		assert_int_equal(ret, m->file[i].ino ? -ENOTDIR : -ESTALE);
		return;
	}
	if (l.stop && l.seen == l.stop) {
		assert_int_equal(ret, 77);
		return;
	}
	assert_int_equal(ret, 0);
	assert_null(list_next(&l));
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
