/* SPDX-License-Identifier: MIT */
/* files_names.c - directories, and what leads to files */
#include <errno.h>
#include <sys/stat.h>

#include "files.h"
#include "point.h"
#include "util.h"

/* An entry's value. */
struct target {
	uint64_t ino;
	uint32_t mode; /* its type */
	uint32_t unused;
};

/* ---- paths -------------------------------------------------------------- */

/* The last name of a path, and what is there. */
struct place {
	uint64_t dir;
	const char *name; /* not in a path that leads to where it begins */
	size_t len;
	int slash; /* there is one behind it */
	void *entry;
	struct target to; /* ino is 0: nothing */
};

static int is_dot(const struct place *p)
{
	return p->len == 1 && p->name[0] == '.';
}

static int is_dots(const struct place *p)
{
	return p->len == 2 && p->name[0] == '.' && p->name[1] == '.';
}

/* A name that an entry can have; else it is one of those that lead to what is
 * there anyway. */
static int is_plain(const struct place *p)
{
	return p->len && !is_dot(p) && !is_dots(p);
}

static void entry_key(struct files_key *k, const struct place *p)
{
	files_key(k, p->dir, FILES_ENTRY, p->name, p->len);
}

/* What p->name is in p->dir. 0; -ESTALE: there is no such; -ENOTDIR. */
static int look(const struct files *f, struct place *p)
{
	const struct node *n;
	struct inode dir;
	struct files_key k;

	p->entry = NULL;
	memset(&p->to, 0, sizeof(p->to));
	if (!files_inode(f, p->dir, &dir))
		return -ESTALE;
	if (!S_ISDIR(dir.mode))
		return -ENOTDIR;
	if (!is_plain(p)) {
		p->to.ino = is_dots(p) ? dir.parent : p->dir;
		p->to.mode = S_IFDIR;
		return 0;
	}
	entry_key(&k, p);
	n = sorted_find(&f->map, &k.key, NR_EQUAL);
	if (!n)
		return 0;
	memcpy(&p->to, node_value(n), sizeof(p->to));
	p->entry = node_bytes_at(n);
	return 0;
}

static void skip(struct files_path *path)
{
	while (path->len && *path->at == '/') {
		path->at++;
		path->len--;
	}
}

/* 0, also if there is nothing of that name; or an error of all that take a
 * path. */
static int find(const struct files *f, const struct files_path *path,
		struct place *p)
{
	struct files_path rest = *path;
	int err;

	memset(p, 0, sizeof(*p));
	if (!rest.len)
		return -ENOENT;
	p->dir = *rest.at == '/' ? NR_FILES_ROOT : rest.dir;
	skip(&rest);
	for (;;) {
		p->name = rest.at;
		p->len = 0;
		while (rest.len && *rest.at != '/') {
			rest.at++;
			rest.len--;
			p->len++;
		}
		if (p->len > NR_NAME_MAX)
			return -ENAMETOOLONG;
		p->slash = rest.len > 0;
		skip(&rest);
		err = look(f, p);
		if (err || !rest.len)
			break;
		if (!p->to.ino)
			return -ENOENT;
		p->dir = p->to.ino;
	}
	if (!err && p->slash && p->to.ino && !S_ISDIR(p->to.mode))
		err = -ENOTDIR;
	return err;
}

int files_lookup(const struct files *f, const struct files_path *path,
		 struct nr_file *file)
{
	struct place p;
	int err = find(f, path, &p);

	if (err)
		return err;
	return p.to.ino ? files_stat(f, p.to.ino, file) : -ENOENT;
}

/* ---- entries ------------------------------------------------------------ */

size_t files_wants(void)
{
	size_t inode = sorted_node_max(9, sizeof(struct inode));
	size_t entry = sorted_node_max(9 + NR_NAME_MAX, sizeof(struct target));

	/* Each is rounded up by a fourth at most. */
	return (inode + entry + 2 * (size_t)ARENA_UNIT) * 5 / 4;
}

static void count(struct files *f, uint64_t dir, int entries, int links)
{
	struct inode inode;
	void *where = files_inode(f, dir, &inode);

	inode.size += (uint64_t)(int64_t)entries;
	inode.nlink += (uint32_t)links;
	memcpy(where, &inode, sizeof(inode));
}

/* 0 or -ENOMEM. */
static int enter(struct files *f, const struct place *p, uint64_t ino,
		 uint32_t mode)
{
	const struct target to = { ino, mode & S_IFMT, 0 };
	struct files_key k;
	int err;

	entry_key(&k, p);
	err = sorted_put(&f->map, &k.key, &to, sizeof(to), NR_CREATE);
	if (!err)
		count(f, p->dir, 1, S_ISDIR(mode));
	return err;
}

static void leave(struct files *f, const struct place *p)
{
	struct files_key k;

	entry_key(&k, p);
	sorted_remove(&f->map, &k.key);
	count(f, p->dir, -1, -S_ISDIR(p->to.mode));
}

/* It has one name less. */
static void forget(struct files *f, const struct target *to)
{
	struct inode inode;
	void *where = files_inode(f, to->ino, &inode);
	struct files_key k;

	inode.nlink--;
	memcpy(where, &inode, sizeof(inode));
	if (inode.nlink && !S_ISDIR(inode.mode))
		return;
	files_key(&k, to->ino, FILES_INODE, NULL, 0);
	files_drop(f, to->ino, &k);
}

static int is_empty(const struct files *f, uint64_t ino)
{
	struct inode inode;

	return files_inode(f, ino, &inode) && !inode.size;
}

/* ---- making ------------------------------------------------------------- */

int files_make(struct files *f, const struct files_path *path, uint32_t mode,
	       uint64_t *ino)
{
	int dir = S_ISDIR(mode);
	struct inode inode = { 0, 0, mode, dir ? 2 : 1 };
	struct files_key k;
	struct place p;
	int err = find(f, path, &p);

	if (err)
		return err;
	if (p.to.ino)
		return -EEXIST;
	if (p.slash && !dir)
		return -EISDIR;
	if (dir)
		inode.parent = p.dir;
	files_key(&k, f->next, FILES_INODE, NULL, 0);
	err = sorted_put(&f->map, &k.key, &inode, sizeof(inode), NR_CREATE);
	if (err)
		return err;
	err = enter(f, &p, f->next, mode);
	if (err) {
		sorted_remove(&f->map, &k.key);
		return err;
	}
	*ino = f->next++;
	return 0;
}

int files_link(struct files *f, uint64_t ino, const struct files_path *path)
{
	struct inode inode;
	void *where = files_inode(f, ino, &inode);
	struct place p;
	int err;

	if (!where)
		return -ESTALE;
	if (S_ISDIR(inode.mode))
		return -EPERM;
	err = find(f, path, &p);
	if (err)
		return err;
	if (p.to.ino)
		return -EEXIST;
	if (p.slash)
		return -ENOENT;
	if (inode.nlink == UINT32_MAX)
		return -EMLINK;
	err = enter(f, &p, ino, inode.mode);
	if (err)
		return err;
	inode.nlink++;
	memcpy(where, &inode, sizeof(inode));
	return 0;
}

/* ---- removing ----------------------------------------------------------- */

static int may_rmdir(const struct files *f, const struct place *p)
{
	if (!S_ISDIR(p->to.mode))
		return -ENOTDIR;
	if (p->to.ino == NR_FILES_ROOT)
		return -EBUSY;
	if (is_dot(p))
		return -EINVAL;
	/* What leads here by ".." has us in it; no name leads to itself. */
	return is_plain(p) && is_empty(f, p->to.ino) ? 0 : -ENOTEMPTY;
}

int files_remove(struct files *f, const struct files_path *path, int dir)
{
	struct place p;
	int err = find(f, path, &p);

	if (err)
		return err;
	if (!p.to.ino)
		return -ENOENT;
	if (!dir && S_ISDIR(p.to.mode))
		return -EISDIR;
	err = dir ? may_rmdir(f, &p) : 0;
	if (err)
		return err;
	leave(f, &p);
	forget(f, &p.to);
	return 0;
}

/* ---- renaming ----------------------------------------------------------- */

/* Is @dir what @ino is, or in there? */
static int is_inside(const struct files *f, uint64_t dir, uint64_t ino)
{
	struct inode inode;

	while (dir != ino && dir != NR_FILES_ROOT) {
		files_inode(f, dir, &inode);
		dir = inode.parent;
	}
	return dir == ino;
}

/* May @from get the name @to? 1: there is nothing to be done. */
static int may_rename(const struct files *f, const struct place *from,
		      const struct place *to)
{
	int dir = S_ISDIR(from->to.mode);

	if (!from->to.ino)
		return -ENOENT;
	if (!is_plain(from) || !is_plain(to))
		return -EBUSY;
	if (dir && is_inside(f, to->dir, from->to.ino) && !mutant(FILES_INSIDE))
		return -EINVAL;
	if (to->to.ino == from->to.ino)
		return 1;
	if (!to->to.ino)
		return to->slash && !dir ? -ENOTDIR : 0;
	if (dir && !S_ISDIR(to->to.mode))
		return -ENOTDIR;
	if (!dir && S_ISDIR(to->to.mode))
		return -EISDIR;
	return dir && !is_empty(f, to->to.ino) ? -ENOTEMPTY : 0;
}

int files_rename(struct files *f, const struct files_path *from,
		 const struct files_path *to)
{
	struct place old, new;
	struct inode inode;
	void *where;
	int err = find(f, from, &old);

	if (!err)
		err = find(f, to, &new);
	if (!err)
		err = may_rename(f, &old, &new);
	if (err)
		return err < 0 ? err : 0;
	if (new.to.ino) {
		/* In its place: nobody sees the name without a file. */
		memcpy(new.entry, &old.to, sizeof(old.to));
		forget(f, &new.to);
	} else {
		err = enter(f, &new, old.to.ino, old.to.mode);
		if (err)
			return err;
	}
	leave(f, &old);
	if (!S_ISDIR(old.to.mode))
		return 0;
	where = files_inode(f, old.to.ino, &inode);
	inode.parent = new.dir;
	memcpy(where, &inode, sizeof(inode));
	return 0;
}

/* ---- listing ------------------------------------------------------------ */

struct listing {
	int (*fn)(const struct nr_dirent *entry, void *arg);
	void *arg;
};

static int list_one(const struct nr_entry *e, void *arg)
{
	const struct listing *l = arg;
	struct nr_dirent entry = { (const char *)e->key + 9, e->klen - 9, 0, 0,
				   0 };
	struct target to;

	memcpy(&to, e->value, sizeof(to));
	entry.ino = to.ino;
	entry.mode = to.mode;
	return l->fn(&entry, l->arg);
}

int files_list(const struct files *f, uint64_t ino, const char *after,
	       int (*fn)(const struct nr_dirent *entry, void *arg), void *arg)
{
	size_t len = after ? strlen(after) : 0;
	struct listing l = { fn, arg };
	struct files_key from, end;
	struct inode inode;

	if (len > NR_NAME_MAX)
		return -ENAMETOOLONG;
	if (!files_inode(f, ino, &inode))
		return -ESTALE;
	if (!S_ISDIR(inode.mode))
		return -ENOTDIR;
	/* The first behind a name is that with a zero byte more. */
	files_key(&from, ino, FILES_ENTRY, after, len);
	if (after)
		from.bytes[9 + len] = 0;
	files_key(&end, ino, FILES_BLOCKS, NULL, 0);
	return sorted_range(&f->map, from.bytes, 9 + len + (after != NULL),
			    end.bytes, 9, list_one, &l);
}
