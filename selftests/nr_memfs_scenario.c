/* SPDX-License-Identifier: MIT */
/*
 * nr_memfs_scenario.c - the file system under schedules
 *
 * Directories that are moved into one another, and files of several blocks, of
 * which there are few; chunks of 256 bytes, so that memory goes through the log
 * all the time; and a fiber that adds replicas and removes them. Some seeds
 * have one file only.
 */
#include "nr_scenario.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "nr_actors.h"
#include "nr_memfs_equal.h"

#define FILES 15
#define LEN 100u /* of a file that has been written */

ACTORS_TYPE(memfs);

static struct {
	struct nr_memfs *fs;
	int one_file; /* and what is in it */
	uint64_t values;
	unsigned makes;
	uint64_t room[ACTORS]; /* zero when nobody waits for a number */
	struct actors all;
} run;

static const char *const paths[] = { "a", "b", "a/a", "a/b", "b/a", "b/b" };
#define PATHS 6

enum {
	MKFILE,
	MKDIR,
	RENAME,
	RENAME_TOO,
	REMOVE,
	RMDIR,
	LOOKUP,
	LIST,
	WRITE,
	TRUNCATE,
	READ,
	KINDS
};

/* ---- the model ---------------------------------------------------------- */

/*
 * Files have numbers from 2 on. What is in one: `kept` bytes that are the
 * value's, then zeros up to `size`.
 */
struct file {
	uint8_t parent; /* 0: it is not there */
	uint8_t name, is_dir, value, kept, size;
};

struct tree {
	uint64_t next; /* number, less 2 */
	struct file file[FILES];
};

/* Its number; 0: nothing. */
static uint64_t child(const struct tree *t, uint64_t dir, unsigned name)
{
	for (unsigned i = 0; i < FILES; i++)
		if (t->file[i].parent == dir && t->file[i].name == name)
			return i + 2;
	return 0;
}

/* 0 or an error; where the last name would be, and what there is. */
struct found {
	uint64_t dir, ino;
	unsigned name;
};

static int resolve(const struct tree *t, uint64_t path, struct found *f)
{
	*f = (struct found){ 1, 0, (unsigned)path };
	if (path >= 2) {
		f->dir = child(t, 1, (unsigned)path / 2 - 1);
		f->name = path % 2;
		if (!f->dir)
			return -ENOENT;
		if (!t->file[f->dir - 2].is_dir)
			return -ENOTDIR;
	}
	f->ino = child(t, f->dir, f->name);
	return 0;
}

static int is_dir(const struct tree *t, uint64_t ino)
{
	return t->file[ino - 2].is_dir;
}

static int is_empty(const struct tree *t, uint64_t ino)
{
	return !child(t, ino, 0) && !child(t, ino, 1);
}

static int rename_in(struct tree *t, uint64_t path, uint64_t topath)
{
	struct found a, b;
	int err = resolve(t, path, &a);

	if (!err)
		err = resolve(t, topath, &b);
	if (err)
		return err;
	if (!a.ino)
		return -ENOENT;
	for (uint64_t d = b.dir; is_dir(t, a.ino) && d > 1;
	     d = t->file[d - 2].parent)
		if (d == a.ino)
			return -EINVAL;
	if (a.ino == b.ino)
		return 0;
	if (b.ino && is_dir(t, a.ino) != is_dir(t, b.ino))
		return is_dir(t, a.ino) ? -ENOTDIR : -EISDIR;
	if (b.ino && !is_empty(t, b.ino))
		return -ENOTEMPTY;
	if (b.ino)
		memset(&t->file[b.ino - 2], 0, sizeof(struct file));
	t->file[a.ino - 2].parent = b.dir & 255;
	t->file[a.ino - 2].name = b.name & 255;
	return 0;
}

static uint64_t make_in(struct tree *t, uint64_t path, int dir)
{
	struct found at;
	int err = resolve(t, path, &at);

	if (err || at.ino)
		return (uint64_t)(err ? err : -EEXIST);
	t->file[t->next] = (struct file){ .parent = at.dir & 255,
					  .name = at.name & 255,
					  .is_dir = dir & 255 };
	return 2 + t->next++;
}

static uint64_t remove_in(struct tree *t, uint64_t path, int dir)
{
	struct found at;
	int err = resolve(t, path, &at);

	if (!err && !at.ino)
		err = -ENOENT;
	if (!err && is_dir(t, at.ino) != dir)
		err = dir ? -ENOTDIR : -EISDIR;
	if (!err && !is_empty(t, at.ino))
		err = -ENOTEMPTY;
	if (!err)
		memset(&t->file[at.ino - 2], 0, sizeof(struct file));
	return (uint64_t)err;
}

/* What a read of all of it says. */
static uint64_t content(uint64_t value, uint64_t kept, uint64_t size)
{
	return (kept ? value : 0) << 16 | kept << 8 | size;
}

static uint64_t fold(uint64_t sum, uint64_t name, uint64_t ino)
{
	return sum * 1009 + name * 31 + ino;
}

/* op: kind, path or number, path or value or size. */
static uint64_t result_of(struct tree *t, const uint64_t *op)
{
	struct file *f = &t->file[op[1] < 2 ? 0 : op[1] - 2];
	struct found at;
	uint64_t sum = 0;
	int err;

	switch (op[0]) {
	case MKFILE:
	case MKDIR:
		return make_in(t, op[1], op[0] == MKDIR);
	case RENAME:
	case RENAME_TOO:
		return (uint64_t)rename_in(t, op[1], op[2]);
	case REMOVE:
	case RMDIR:
		return remove_in(t, op[1], op[0] == RMDIR);
	case LOOKUP:
		err = resolve(t, op[1], &at);
		return err	? (uint64_t)err
		       : at.ino ? at.ino
				: (uint64_t)-ENOENT;
	case LIST:
		for (unsigned name = 0; name < 2; name++)
			if (child(t, 1, name))
				sum = fold(sum, name, child(t, 1, name));
		return sum;
	}
	if (!f->parent)
		return (uint64_t)-ESTALE;
	if (f->is_dir)
		return (uint64_t)-EISDIR;
	switch (op[0]) {
	case WRITE:
		f->value = op[2] & 255;
		f->kept = LEN;
		if (f->size < LEN)
			f->size = LEN;
		return LEN;
	case TRUNCATE:
		f->size = op[2] & 255;
		if (f->kept > f->size)
			f->kept = f->size;
		return 0;
	}
	return content(f->value, f->kept, f->size);
}

static int apply(void *state, const uint64_t *op, uint64_t result)
{
	return result_of(state, op) == result;
}

static const struct history_model model = {
	.size = sizeof(struct tree),
	.apply = apply,
};

/* ---- operations --------------------------------------------------------- */

static uint64_t make(struct nr_memfs_context *c, const struct event *e,
		     uint64_t *room)
{
	const char *path = paths[e->op[1]];
	int ret = e->op[0] == MKDIR
			  ? nr_memfs_mkdir(c, NR_FILES_ROOT, path, 0, room)
			  : nr_memfs_mkfile(c, NR_FILES_ROOT, path, 0, room);
	uint64_t ino = *room;

	sched_check(ret || ino > 1);
	*room = 0;
	return ret ? (uint64_t)ret : ino;
}

static uint64_t look_up(struct nr_memfs_context *c, const char *path)
{
	struct nr_file f;
	int ret = nr_memfs_lookup(c, NR_FILES_ROOT, path, &f);

	return ret ? (uint64_t)ret : f.ino;
}

static uint64_t read_all(struct nr_memfs_context *c, uint64_t ino)
{
	unsigned char bytes[256];
	int ret = nr_memfs_read(c, ino, 0, bytes, sizeof(bytes));
	unsigned kept = 0;

	if (ret < 0)
		return (uint64_t)ret;
	while (kept < (unsigned)ret && bytes[kept])
		sched_check(bytes[kept++] == bytes[0]);
	for (unsigned i = kept; i < (unsigned)ret; i++)
		sched_check(!bytes[i]);
	return content(bytes[0], kept, (unsigned)ret);
}

static int fold_entry(const struct nr_dirent *e, void *sum)
{
	sched_check(e->len == 1);
	*(uint64_t *)sum =
		fold(*(uint64_t *)sum, (uint64_t)(e->name[0] - 'a'), e->ino);
	return 0;
}

static void act(struct nr_memfs_context *c, struct event *e, uint64_t *room)
{
	const char *path = e->op[1] < PATHS ? paths[e->op[1]] : NULL;
	unsigned char bytes[LEN];

	switch (e->op[0]) {
	case MKFILE:
	case MKDIR:
		e->result = make(c, e, room);
		break;
	case RENAME:
	case RENAME_TOO:
		e->result = (uint64_t)nr_memfs_rename(c, 1, path, 1,
						      paths[e->op[2]]);
		break;
	case REMOVE:
		e->result = (uint64_t)nr_memfs_unlink(c, 1, path);
		break;
	case RMDIR:
		e->result = (uint64_t)nr_memfs_rmdir(c, 1, path);
		break;
	case LOOKUP:
		e->result = look_up(c, path);
		break;
	case LIST:
		sched_check(!nr_memfs_list(c, 1, NULL, fold_entry, &e->result));
		break;
	case WRITE:
		memset(bytes, (int)e->op[2], LEN);
		e->result =
			(uint64_t)nr_memfs_write(c, e->op[1], 0, bytes, LEN);
		break;
	case TRUNCATE:
		e->result = (uint64_t)nr_memfs_truncate(c, e->op[1], e->op[2]);
		break;
	default:
		e->result = read_all(c, e->op[1]);
	}
}

static void step(struct actor *a, void *c)
{
	uint64_t random = sched_random(&a->random);
	struct event e = { .begin = ++a->of->now };

	e.op[0] = random % KINDS;
	if (run.one_file)
		e.op[0] = run.makes ? WRITE + random % 3 : MKFILE;
	if (e.op[0] <= MKDIR && run.makes++ >= FILES)
		e.op[0] = LOOKUP;
	if (e.op[0] < WRITE) {
		e.op[1] = (random >> 8) % PATHS;
		e.op[2] = (random >> 16) % PATHS;
	} else {
		e.op[1] = 2 + (random >>
			       8) % (run.one_file ? 1 : 1 + run.makes % FILES);
		e.op[2] =
			e.op[0] == WRITE ? ++run.values : (random >> 16) % 200;
	}
	act(c, &e, &run.room[a->number]);
	e.end = ++a->of->now;
	actors_keep(a->of, &e);
}

static int equal(void *fs)
{
	return memfs_is_equal(fs);
}

const char *scenario_memfs(uint64_t seed)
{
	struct nr_memfs_attr attr = NR_MEMFS_ATTR_INIT;
	struct nr_attr nr = actors_attr(seed);
	const char *bad;

	memset(&run, 0, sizeof(run));
	attr.nr = &nr;
	attr.seed = 1 + seed; /* the same schedule again */
	if (nr_memfs_create(&attr, &run.fs))
		return "not made";
	run.one_file = seed / 2 % 4 == 0;
	run.all.type = &memfs_type;
	run.all.structure = run.fs;
	run.all.step = step;
	run.all.model = &model;
	run.all.equal = equal;
	bad = actors_run(&run.all, seed);
	/* All replicas have done all of it: what they wrote then is here. */
	for (unsigned i = 0; i < ACTORS; i++)
		if (!bad && run.room[i])
			bad = "written after it was returned";
	return bad;
}
