/* SPDX-License-Identifier: MIT */
/*
 * nr_files - a file system in memory, for one thread
 *
 * Made to be replicated (nr_memfs.h). Whoever calls any of these functions for
 * one that another thread may be using has to lock it, for reading only if
 * nobody changes it. Errors are negative errno values, as in nr.h; they are
 * those that POSIX has for the same.
 *
 * Files are named by a path; what is done with what is in a file, by its
 * number. A path begins at a directory that is given by its number, or, if it
 * begins with a slash, at the root, NR_FILES_ROOT. It may have "." and "..";
 * there are no symbolic links. One that ends with a slash means a directory.
 *
 * Nothing is open: a file that has lost its last name is gone at once, and
 * whoever still uses its number is told so (-ESTALE). Numbers are not used
 * again. Who a file belongs to, and what he may do, is not known here; mode is
 * kept for the caller.
 */
#ifndef NR_FILES_H
#define NR_FILES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_files;

/** The root directory's number. */
#define NR_FILES_ROOT UINT64_C(1)
/** Most bytes of a name, of a path, and of one read or write. */
#define NR_NAME_MAX 255u
#define NR_PATH_MAX 4095u
#define NR_IO_MAX (UINT32_C(1) << 28)
/** All bits that a mode may be given with. */
#define NR_MODE_MAX 07777u
/** As an offset to write at: the end of the file. */
#define NR_FILES_END UINT64_MAX
/** Bytes of a file that are too many. */
#define NR_FILE_MAX (UINT64_C(1) << 63)

/**
 * struct nr_file - what a file or directory is
 * @ino:   its number.
 * @size:  of a file: bytes; of a directory: entries.
 * @mode:  S_IFREG or S_IFDIR of <sys/stat.h>, and the bits that it was made
 *         with.
 * @nlink: names it has; of a directory: also its own "." and the ".." of those
 *         in it.
 */
struct nr_file {
	uint64_t ino;
	uint64_t size;
	uint32_t mode;
	uint32_t nlink;
};

/**
 * struct nr_dirent - an entry of a directory
 * @name: @len bytes, without a zero behind.
 * @ino:  the file's number.
 * @mode: S_IFREG or S_IFDIR.
 */
struct nr_dirent {
	const char *name;
	size_t len;
	uint64_t ino;
	uint32_t mode;
	uint32_t reserved;
};

/** nr_files_create - a file system with an empty root; 0 or -ENOMEM */
int nr_files_create(struct nr_files **out);

/** nr_files_destroy - free it; NULL is ignored */
void nr_files_destroy(struct nr_files *files);

/**
 * nr_files_mkfile - make an empty file
 * @dir, @path: its path.
 * @mode: at most NR_MODE_MAX.
 * @ino:  its number is written here; may be NULL.
 *
 * Return: 0; -EEXIST; -EINVAL: mode; -EISDIR: the path ends with a slash;
 * -ENOMEM; and as all that take a path: -ENOENT, -ENOTDIR: what should lead to
 * it is not there, or not a directory; -ENAMETOOLONG; -ESTALE: there is no
 * @dir. An error has changed nothing.
 */
int nr_files_mkfile(struct nr_files *files, uint64_t dir, const char *path,
		    uint32_t mode, uint64_t *ino);

/** nr_files_mkdir - make an empty directory; arguments and return as for
 * nr_files_mkfile() */
int nr_files_mkdir(struct nr_files *files, uint64_t dir, const char *path,
		   uint32_t mode, uint64_t *ino);

/**
 * nr_files_lookup - what is at a path?
 *
 * Return: 0, and what it is in @file; or the errors of all that take a path.
 */
int nr_files_lookup(const struct nr_files *files, uint64_t dir,
		    const char *path, struct nr_file *file);

/** nr_files_stat - what is file @ino? 0; -ESTALE: there is none */
int nr_files_stat(const struct nr_files *files, uint64_t ino,
		  struct nr_file *file);

/**
 * nr_files_read - read from a file
 * @off: where to begin.
 * @len: at most NR_IO_MAX are read.
 *
 * Return: how many bytes were read, less than asked for only at the end of the
 * file; -EISDIR; -ESTALE.
 */
int nr_files_read(const struct nr_files *files, uint64_t ino, uint64_t off,
		  void *buf, size_t len);

/**
 * nr_files_write - write to a file
 * @off: where to begin, which may be behind the end, what is between is zero
 *       and takes no memory; or NR_FILES_END.
 * @len: at most NR_IO_MAX are written.
 *
 * Return: how many bytes were written; -EFBIG: it would be NR_FILE_MAX or more;
 * -EISDIR; -ESTALE; -ENOMEM: nothing has been written.
 */
int nr_files_write(struct nr_files *files, uint64_t ino, uint64_t off,
		   const void *buf, size_t len);

/**
 * nr_files_truncate - make a file shorter, or longer by zeros
 *
 * Return: 0; -EFBIG; -EISDIR; -ESTALE.
 */
int nr_files_truncate(struct nr_files *files, uint64_t ino, uint64_t size);

/**
 * nr_files_rename - another name for a file or directory
 * @dir, @path: which.
 * @todir, @topath: its new path. What has this is replaced: a file by a file,
 *        an empty directory by a directory.
 *
 * Two names of the same file stay both, as POSIX has it.
 *
 * Return: 0; -EISDIR, -ENOTDIR: one of them is a directory, the other is not;
 * -ENOTEMPTY; -EINVAL: a directory would be inside itself; -EBUSY: the root, or
 * a path that ends with "." or ".."; -ENOMEM; and the errors of all that take a
 * path. An error has changed nothing.
 */
int nr_files_rename(struct nr_files *files, uint64_t dir, const char *path,
		    uint64_t todir, const char *topath);

/**
 * nr_files_link - one more name for a file
 *
 * Return: 0; -EPERM: it is a directory; -EEXIST; -ESTALE; -EMLINK; -ENOMEM; and
 * the errors of all that take a path.
 */
int nr_files_link(struct nr_files *files, uint64_t ino, uint64_t dir,
		  const char *path);

/**
 * nr_files_unlink - remove a name of a file; with the last one, the file
 *
 * Return: 0; -EISDIR; and the errors of all that take a path.
 */
int nr_files_unlink(struct nr_files *files, uint64_t dir, const char *path);

/**
 * nr_files_rmdir - remove an empty directory
 *
 * Return: 0; -ENOTDIR; -ENOTEMPTY; -EBUSY: the root; -EINVAL: the path ends
 * with "."; and the errors of all that take a path.
 */
int nr_files_rmdir(struct nr_files *files, uint64_t dir, const char *path);

/**
 * nr_files_list - look at the entries of a directory
 * @after: only those behind this name; NULL: all.
 * @fn:    called for each, in the order of memcmp(); may not change the file
 *         system. A return that is not zero ends it.
 *
 * "." and ".." are not among them.
 *
 * Return: what @fn returned last, or 0; -ENOTDIR; -ESTALE; -ENAMETOOLONG.
 */
int nr_files_list(const struct nr_files *files, uint64_t ino, const char *after,
		  int (*fn)(const struct nr_dirent *entry, void *arg),
		  void *arg);

#ifdef __cplusplus
}
#endif

#endif /* NR_FILES_H */
