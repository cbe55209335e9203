/* SPDX-License-Identifier: MIT */
/* nr_files.c - the file system alone: it gets its memory itself */
#include <errno.h>
#include <sys/stat.h>

#include "files.h"
#include "hash.h"
#include "util.h"

struct nr_files {
	struct files files;
};

NR_PUBLIC int nr_files_create(struct nr_files **out)
{
	struct nr_files *f = mem_alloc(sizeof(*f));

	if (!f)
		return -ENOMEM;
	if (files_init(&f->files, hash_seed())) {
		mem_free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

NR_PUBLIC void nr_files_destroy(struct nr_files *f)
{
	if (!f)
		return;
	files_fini(&f->files);
	mem_free(f);
}

/* It found no room: is there some now? */
static int again(struct nr_files *f, int *ret, size_t wants)
{
	if (*ret != -ENOMEM)
		return 0;
	*ret = arena_more(&f->files.map.arena, wants);
	return !*ret;
}

static int make(struct nr_files *f, uint64_t dir, const char *path,
		uint32_t mode, uint32_t type, uint64_t *ino)
{
	struct files_path p;
	uint64_t unused;
	int ret = files_path(&p, dir, path);

	if (ret)
		return ret;
	if (mode > NR_MODE_MAX)
		return -EINVAL;
	do {
		ret = files_make(&f->files, &p, mode | type,
				 ino ? ino : &unused);
	} while (again(f, &ret, files_wants()));
	return ret;
}

NR_PUBLIC int nr_files_mkfile(struct nr_files *f, uint64_t dir,
			      const char *path, uint32_t mode, uint64_t *ino)
{
	return make(f, dir, path, mode, S_IFREG, ino);
}

NR_PUBLIC int nr_files_mkdir(struct nr_files *f, uint64_t dir, const char *path,
			     uint32_t mode, uint64_t *ino)
{
	return make(f, dir, path, mode, S_IFDIR, ino);
}

NR_PUBLIC int nr_files_link(struct nr_files *f, uint64_t ino, uint64_t dir,
			    const char *path)
{
	struct files_path p;
	int ret = files_path(&p, dir, path);

	if (ret)
		return ret;
	do {
		ret = files_link(&f->files, ino, &p);
	} while (again(f, &ret, files_wants()));
	return ret;
}

NR_PUBLIC int nr_files_rename(struct nr_files *f, uint64_t dir,
			      const char *path, uint64_t todir,
			      const char *topath)
{
	struct files_path from, to;
	int ret = files_path(&from, dir, path);

	if (!ret)
		ret = files_path(&to, todir, topath);
	if (ret)
		return ret;
	do {
		ret = files_rename(&f->files, &from, &to);
	} while (again(f, &ret, files_wants()));
	return ret;
}

static int take_away(struct nr_files *f, uint64_t dir, const char *path,
		     int is_dir)
{
	struct files_path p;
	int ret = files_path(&p, dir, path);

	return ret ? ret : files_remove(&f->files, &p, is_dir);
}

NR_PUBLIC int nr_files_unlink(struct nr_files *f, uint64_t dir,
			      const char *path)
{
	return take_away(f, dir, path, 0);
}

NR_PUBLIC int nr_files_rmdir(struct nr_files *f, uint64_t dir, const char *path)
{
	return take_away(f, dir, path, 1);
}

NR_PUBLIC int nr_files_write(struct nr_files *f, uint64_t ino, uint64_t off,
			     const void *buf, size_t len)
{
	int ret;

	len = min_u64(len, NR_IO_MAX);
	do {
		ret = files_write(&f->files, ino, off, buf, len);
	} while (again(f, &ret, files_wants_write(len)));
	return ret;
}

NR_PUBLIC int nr_files_truncate(struct nr_files *f, uint64_t ino, uint64_t size)
{
	return files_truncate(&f->files, ino, size);
}

NR_PUBLIC int nr_files_lookup(const struct nr_files *f, uint64_t dir,
			      const char *path, struct nr_file *file)
{
	struct files_path p;
	int ret = files_path(&p, dir, path);

	return ret ? ret : files_lookup(&f->files, &p, file);
}

NR_PUBLIC int nr_files_stat(const struct nr_files *f, uint64_t ino,
			    struct nr_file *file)
{
	return files_stat(&f->files, ino, file);
}

NR_PUBLIC int nr_files_read(const struct nr_files *f, uint64_t ino,
			    uint64_t off, void *buf, size_t len)
{
	return files_read(&f->files, ino, off, buf, min_u64(len, NR_IO_MAX));
}

NR_PUBLIC int nr_files_list(const struct nr_files *f, uint64_t ino,
			    const char *after,
			    int (*fn)(const struct nr_dirent *entry, void *arg),
			    void *arg)
{
	return files_list(&f->files, ino, after, fn, arg);
}
