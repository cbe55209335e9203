/* SPDX-License-Identifier: MIT */
/*
 * files.h - a file system in memory
 *
 * All of it is one ordered map (sorted.h), whose keys begin with the number of
 * a file or directory: what it is; then, of a directory, its entries by name;
 * of a file its blocks by number. So a directory is listed, and a file read or
 * shortened, by going through a range. A block that is not there is zero, and
 * so is what is behind the end of a file.
 *
 * An operation that finds no room has changed nothing that anybody can see: it
 * first gets all the memory it needs, and gives back what it had got.
 */
#ifndef NR_FILES_INTERNAL_H
#define NR_FILES_INTERNAL_H

#include <errno.h>
#include <string.h>

#include "nr_files.h"
#include "sorted.h"

#ifdef NR_TEST_POINTS
#define FILES_BLOCK 40u /* so that a short write has several */
#define FILES_BLOCK_MIN 8u
#else
/* With what an entry of the map needs, a page or hardly more. */
#define FILES_BLOCK 3968u
#define FILES_BLOCK_MIN 64u
#endif

struct files {
	struct sorted map;
	uint64_t next; /* number of the next file */
};

/* A path, or what is left of it. */
struct files_path {
	uint64_t dir; /* where it begins */
	const char *at;
	size_t len;
};

/* 0 or -ENAMETOOLONG. */
static inline int files_path(struct files_path *p, uint64_t dir,
			     const char *path)
{
	*p = (struct files_path){ dir, path, strnlen(path, NR_PATH_MAX + 1) };
	return p->len > NR_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* @f is zero; the memory has the thread's policy. 0 or -ENOMEM. */
int files_init(struct files *f, uint64_t seed);
int files_clone(struct files *to, const struct files *from);
void files_fini(struct files *f);

/* Bytes of the arena that an operation with names may need; that a write of
 * @len bytes may. */
size_t files_wants(void);
size_t files_wants_write(size_t len);

/* As those of nr_files.h; -ENOMEM: the arena has no room. What they take has
 * been checked: paths, lengths and sizes are not too long. */
int files_make(struct files *f, const struct files_path *path, uint32_t mode,
	       uint64_t *ino);
int files_link(struct files *f, uint64_t ino, const struct files_path *path);
int files_remove(struct files *f, const struct files_path *path, int dir);
int files_rename(struct files *f, const struct files_path *from,
		 const struct files_path *to);
int files_write(struct files *f, uint64_t ino, uint64_t off, const void *buf,
		size_t len);
int files_truncate(struct files *f, uint64_t ino, uint64_t size);

int files_lookup(const struct files *f, const struct files_path *path,
		 struct nr_file *file);
int files_stat(const struct files *f, uint64_t ino, struct nr_file *file);
int files_read(const struct files *f, uint64_t ino, uint64_t off, void *buf,
	       size_t len);
int files_list(const struct files *f, uint64_t ino, const char *after,
	       int (*fn)(const struct nr_dirent *entry, void *arg), void *arg);

/* ---- its parts: files.c, files_names.c, files_data.c --------------------- */

enum files_kind { FILES_INODE = 0, FILES_ENTRY, FILES_BLOCKS, FILES_END };

struct inode {
	uint64_t parent; /* of a directory */
	uint64_t size;	 /* of a directory: entries */
	uint32_t mode;
	uint32_t nlink;
};

struct files_key {
	unsigned char bytes[9 + NR_NAME_MAX + 1];
	struct sorted_key key;
};

/* The key of what @ino has of that kind. */
void files_key(struct files_key *k, uint64_t ino, enum files_kind kind,
	       const void *rest, size_t len);

/* What it is, copied; NULL: there is none. */
void *files_inode(const struct files *f, uint64_t ino, struct inode *inode);

static inline void *node_bytes_at(const struct node *n)
{
	return (void *)(uintptr_t)node_value(n);
}

/* Remove what @ino has from @k on. */
void files_drop(struct files *f, uint64_t ino, struct files_key *k);

#endif
