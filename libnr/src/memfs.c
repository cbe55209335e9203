/* SPDX-License-Identifier: MIT */
/*
 * memfs.c - the replicated file system: a files.h with a pool (pooled.h)
 *
 * A new file's number is longer than what an update returns. So the operation
 * says where it is to be written, and the replica on which somebody waits for
 * it, who therefore is still there, writes it.
 */
#include <errno.h>
#include <sys/stat.h>

#include "files.h"
#include "hash.h"
#include "nr_memfs.h"
#include "pooled.h"
#include "util.h"

enum memfs_kind {
	MEMFS_MAKE = POOLED_OWN,
	MEMFS_LINK,
	MEMFS_UNLINK,
	MEMFS_RMDIR,
	MEMFS_RENAME,
	MEMFS_WRITE,
	MEMFS_TRUNCATE,
};

struct nr_memfs {
	struct pooled pool;
	uint64_t seed;
};

struct nr_memfs_context {
	struct pooled_context base;
};

/*
 * An operation's word is the directory that its path begins at, or a file; its
 * key is this; its value a path, two of them, or what is to be written.
 */
struct args {
	union {
		uint64_t *made; /* where the new number goes, or NULL */
		uint64_t ino;	/* that gets the link */
		uint64_t todir;
		uint64_t off;
		uint64_t size;
	};
	union {
		uint32_t mode;
		uint32_t len; /* of the first path */
	};
	uint32_t unused;
};

/* ---- what replicas do --------------------------------------------------- */

static int memfs_init(void *object, void *arg)
{
	return files_init(object, *(const uint64_t *)arg);
}

static void memfs_fini(void *object, void *arg)
{
	(void)arg;
	files_fini(object);
}

static int memfs_clone(void *object, const void *from, void *arg)
{
	(void)arg;
	return files_clone(object, from);
}

static int do_make(struct files *f, const struct args *a,
		   const struct files_path *path, int asked)
{
	uint64_t ino;
	int ret = files_make(f, path, a->mode, &ino);

	if (!ret && a->made && (asked || mutant(MEMFS_ALL)))
		*a->made = ino;
	return ret;
}

static int do_rename(struct files *f, const struct args *a,
		     const struct files_path *both)
{
	struct files_path from = *both, to = *both;

	from.len = a->len;
	to.dir = a->todir;
	to.at += a->len;
	to.len -= a->len;
	return files_rename(f, &from, &to);
}

static int memfs_own(void *object, const struct pooled_op *op, int asked)
{
	const unsigned char *value = op->bytes + op->klen;
	struct files_path path = { op->word, (const char *)value, op->vlen };
	struct args a;

	memcpy(&a, op->bytes, sizeof(a));
	switch (op->kind) {
	case MEMFS_MAKE:
		return do_make(object, &a, &path, asked);
	case MEMFS_LINK:
		return files_link(object, a.ino, &path);
	case MEMFS_UNLINK:
	case MEMFS_RMDIR:
		return files_remove(object, &path, op->kind == MEMFS_RMDIR);
	case MEMFS_RENAME:
		return do_rename(object, &a, &path);
	case MEMFS_WRITE:
		return files_write(object, op->word, a.off, value, op->vlen);
	default:
		return files_truncate(object, op->word, a.size);
	}
}

static const struct pooled_type memfs_type = {
	.arena = offsetof(struct files, map.arena),
	.update = memfs_own,
};

static void memfs_update(void *object, const void *op, size_t len, void *result)
{
	(void)len;
	pooled_update(&memfs_type, object, op, result);
}

static const struct nr_ops memfs_ops = {
	.size = sizeof(memfs_ops),
	.object_size = sizeof(struct files),
	.result_size = sizeof(struct pooled_result),
	.init = memfs_init,
	.fini = memfs_fini,
	.update = memfs_update,
	.read = pooled_read,
	.clone = memfs_clone,
};

/* ---- the file system ---------------------------------------------------- */

NR_PUBLIC int nr_memfs_create(const struct nr_memfs_attr *attr,
			      struct nr_memfs **out)
{
	struct nr_memfs_attr a = NR_MEMFS_ATTR_INIT;
	int err = attr ? sized_read(&a, sizeof(a), attr) : 0;
	struct nr_memfs *fs;

	if (err)
		return err;
	fs = mem_alloc(sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	fs->seed = a.seed ? a.seed : hash_seed();
	err = pooled_create(&fs->pool, &memfs_type, &memfs_ops, a.nr,
			    &fs->seed);
	if (err)
		mem_free(fs);
	else
		*out = fs;
	return err;
}

NR_PUBLIC int nr_memfs_destroy(struct nr_memfs *fs)
{
	int err = fs ? pooled_destroy(&fs->pool) : 0;

	if (!err)
		mem_free(fs);
	return err;
}

NR_PUBLIC int nr_memfs_register(struct nr_memfs *fs,
				const struct nr_context_attr *attr,
				struct nr_memfs_context **out)
{
	struct pooled_context *c;
	int err = pooled_register(&fs->pool, attr,
				  sizeof(struct nr_memfs_context), &c);

	if (!err)
		*out = (struct nr_memfs_context *)c;
	return err;
}

NR_PUBLIC void nr_memfs_leave(struct nr_memfs_context *c)
{
	pooled_leave((struct pooled_context *)c);
}

NR_PUBLIC int nr_memfs_replica_add(struct nr_memfs *fs, int place)
{
	return pooled_replica_add(&fs->pool, place);
}

NR_PUBLIC int nr_memfs_replica_remove(struct nr_memfs *fs, uint32_t replica)
{
	return pooled_replica_remove(&fs->pool, replica);
}

NR_PUBLIC struct nr *nr_memfs_nr(struct nr_memfs *fs)
{
	return fs->pool.nr;
}

/* ---- updates ------------------------------------------------------------ */

/* @path: where, and what comes behind the arguments. */
static int update(struct nr_memfs_context *c, enum memfs_kind kind,
		  const struct args *a, const struct files_path *path,
		  size_t wants)
{
	struct pooled_op op = { .word = path->dir,
				.kind = (uint32_t)kind & 15,
				.klen = sizeof(*a),
				.vlen = (uint32_t)path->len };

	return pooled_do(&c->base, &op, a, path->at, wants);
}

static int update_path(struct nr_memfs_context *c, enum memfs_kind kind,
		       const struct args *a, uint64_t dir, const char *path)
{
	struct files_path p;
	int err = files_path(&p, dir, path);

	return err ? err : update(c, kind, a, &p, files_wants());
}

NR_PUBLIC int nr_memfs_mkfile(struct nr_memfs_context *c, uint64_t dir,
			      const char *path, uint32_t mode, uint64_t *ino)
{
	struct args a = { .made = ino, .mode = mode | S_IFREG };

	return mode > NR_MODE_MAX ? -EINVAL
				  : update_path(c, MEMFS_MAKE, &a, dir, path);
}

NR_PUBLIC int nr_memfs_mkdir(struct nr_memfs_context *c, uint64_t dir,
			     const char *path, uint32_t mode, uint64_t *ino)
{
	struct args a = { .made = ino, .mode = mode | S_IFDIR };

	return mode > NR_MODE_MAX ? -EINVAL
				  : update_path(c, MEMFS_MAKE, &a, dir, path);
}

NR_PUBLIC int nr_memfs_link(struct nr_memfs_context *c, uint64_t ino,
			    uint64_t dir, const char *path)
{
	struct args a = { .ino = ino };

	return update_path(c, MEMFS_LINK, &a, dir, path);
}

NR_PUBLIC int nr_memfs_unlink(struct nr_memfs_context *c, uint64_t dir,
			      const char *path)
{
	struct args a = { .ino = 0 };

	return update_path(c, MEMFS_UNLINK, &a, dir, path);
}

NR_PUBLIC int nr_memfs_rmdir(struct nr_memfs_context *c, uint64_t dir,
			     const char *path)
{
	struct args a = { .ino = 0 };

	return update_path(c, MEMFS_RMDIR, &a, dir, path);
}

NR_PUBLIC int nr_memfs_rename(struct nr_memfs_context *c, uint64_t dir,
			      const char *path, uint64_t todir,
			      const char *topath)
{
	char both[2 * NR_PATH_MAX];
	struct files_path from, to;
	struct args a = { .todir = todir };
	int err = files_path(&from, dir, path);

	if (!err)
		err = files_path(&to, todir, topath);
	if (err)
		return err;
	a.len = (uint32_t)from.len;
	memcpy(both, path, from.len);
	memcpy(both + from.len, topath, to.len);
	from.at = both;
	from.len += to.len;
	return update(c, MEMFS_RENAME, &a, &from, files_wants());
}

NR_PUBLIC int nr_memfs_write(struct nr_memfs_context *c, uint64_t ino,
			     uint64_t off, const void *buf, size_t len)
{
	struct files_path bytes = { ino, buf, min_u64(len, NR_IO_MAX) };
	struct args a = { .off = off };

	return update(c, MEMFS_WRITE, &a, &bytes, files_wants_write(bytes.len));
}

NR_PUBLIC int nr_memfs_truncate(struct nr_memfs_context *c, uint64_t ino,
				uint64_t size)
{
	struct files_path none = { ino, NULL, 0 };
	struct args a = { .size = size };

	return update(c, MEMFS_TRUNCATE, &a, &none, 0);
}

/* ---- reads -------------------------------------------------------------- */

struct query {
	struct pooled_query q;
	struct files_path path; /* dir: also the file */
	struct nr_file *file;
	uint64_t off;
	void *buf;
	const char *after;
	int (*fn)(const struct nr_dirent *entry, void *arg);
	void *arg;
};

static void ask_lookup(const void *object, struct pooled_query *q)
{
	struct query *a = (void *)q;

	q->ret = files_lookup(object, &a->path, a->file);
}

NR_PUBLIC int nr_memfs_lookup(struct nr_memfs_context *c, uint64_t dir,
			      const char *path, struct nr_file *file)
{
	struct query a = { .q.fn = ask_lookup, .file = file };
	int err = files_path(&a.path, dir, path);

	return err ? err : (int)pooled_ask(&c->base, &a.q);
}

static void ask_stat(const void *object, struct pooled_query *q)
{
	struct query *a = (void *)q;

	q->ret = files_stat(object, a->path.dir, a->file);
}

NR_PUBLIC int nr_memfs_stat(struct nr_memfs_context *c, uint64_t ino,
			    struct nr_file *file)
{
	struct query a = { .q.fn = ask_stat, .path.dir = ino, .file = file };

	return (int)pooled_ask(&c->base, &a.q);
}

static void ask_read(const void *object, struct pooled_query *q)
{
	struct query *a = (void *)q;

	q->ret = files_read(object, a->path.dir, a->off, a->buf, a->path.len);
}

NR_PUBLIC int nr_memfs_read(struct nr_memfs_context *c, uint64_t ino,
			    uint64_t off, void *buf, size_t len)
{
	struct query a = { .q.fn = ask_read,
			   .path = { ino, NULL, min_u64(len, NR_IO_MAX) },
			   .off = off,
			   .buf = buf };

	return (int)pooled_ask(&c->base, &a.q);
}

static void ask_list(const void *object, struct pooled_query *q)
{
	struct query *a = (void *)q;

	q->ret = files_list(object, a->path.dir, a->after, a->fn, a->arg);
}

NR_PUBLIC int nr_memfs_list(struct nr_memfs_context *c, uint64_t ino,
			    const char *after,
			    int (*fn)(const struct nr_dirent *entry, void *arg),
			    void *arg)
{
	struct query a = { .q.fn = ask_list,
			   .path.dir = ino,
			   .after = after,
			   .fn = fn,
			   .arg = arg };

	return (int)pooled_ask(&c->base, &a.q);
}
