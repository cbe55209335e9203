/* SPDX-License-Identifier: MIT */
/*
 * nr_memfs - a file system in memory, replicated on every NUMA node
 *
 * Made with nr.h; what is said there of errors, attributes, threads, contexts
 * and waiting holds here, too. The file system that it replicates is described
 * in nr_files.h, and can be used alone. All that is read is read on the own
 * node; what is written goes into the log, and is written again on every node.
 * (Bhardwaj et al.: NrOS, OSDI'21, have such a one, NrFS.) Memory is as
 * nr_map.h tells.
 *
 * Every function is linearizable, and done as a whole for all threads on
 * return: nobody sees half of a write, or a rename with both names or none.
 * What is long holds others up as long as it takes, on every replica: write
 * long files in pieces, and make them shorter in pieces before they are
 * removed.
 */
#ifndef NR_MEMFS_H
#define NR_MEMFS_H

#include <nr.h>
#include <nr_files.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nr_memfs;
struct nr_memfs_context;

/**
 * struct nr_memfs_attr - how a file system is to be
 * @size: sizeof(struct nr_memfs_attr).
 * @nr:   log, replicas, topology and memory policy, as for nr_create(); its arg
 *        is not used. Paths, and what is written, of op_size - 32 bytes go into
 *        the log as they are; what is longer by way of the heap, one copy for
 *        all replicas. NULL: defaults.
 * @seed: as for nr_omap_create(); default: one that nobody knows.
 */
struct nr_memfs_attr {
	size_t size;
	const struct nr_attr *nr;
	uint64_t seed;
};

#define NR_MEMFS_ATTR_INIT NR_INIT_(nr_memfs_attr)

/**
 * nr_memfs_create - make a file system with an empty root
 * @attr: attributes or NULL.
 * @out:  the caller's to destroy.
 *
 * Return: 0, or what nr_create() says.
 */
int nr_memfs_create(const struct nr_memfs_attr *attr, struct nr_memfs **out);

/**
 * nr_memfs_destroy - free it
 *
 * All contexts must have left. NULL is ignored.
 *
 * Return: 0; -EBUSY: there are contexts, nothing has been done.
 */
int nr_memfs_destroy(struct nr_memfs *fs);

/**
 * nr_memfs_register - take part
 * @attr: as for nr_register().
 * @out:  to be used by one thread at a time, given back with nr_memfs_leave().
 *
 * Return: 0, or what nr_register() says.
 */
int nr_memfs_register(struct nr_memfs *fs, const struct nr_context_attr *attr,
		      struct nr_memfs_context **out);

/** nr_memfs_leave - take part no more; NULL is ignored */
void nr_memfs_leave(struct nr_memfs_context *context);

/**
 * nr_memfs_mkfile - make an empty file
 *
 * Arguments and return are as for nr_files_mkfile(). As in all that follow:
 * -ENOMEM, nothing has been done, on any replica, also if an operation that is
 * longer than an entry of the log finds no memory for its copy.
 */
int nr_memfs_mkfile(struct nr_memfs_context *context, uint64_t dir,
		    const char *path, uint32_t mode, uint64_t *ino);

/** nr_memfs_mkdir - make an empty directory; as nr_files_mkdir() */
int nr_memfs_mkdir(struct nr_memfs_context *context, uint64_t dir,
		   const char *path, uint32_t mode, uint64_t *ino);

/** nr_memfs_lookup - what is at a path? As nr_files_lookup() */
int nr_memfs_lookup(struct nr_memfs_context *context, uint64_t dir,
		    const char *path, struct nr_file *file);

/** nr_memfs_stat - what is file @ino? As nr_files_stat() */
int nr_memfs_stat(struct nr_memfs_context *context, uint64_t ino,
		  struct nr_file *file);

/** nr_memfs_read - read from a file, as nr_files_read() */
int nr_memfs_read(struct nr_memfs_context *context, uint64_t ino, uint64_t off,
		  void *buf, size_t len);

/**
 * nr_memfs_write - write to a file
 *
 * Arguments and return are as for nr_files_write(). What several threads write
 * at NR_FILES_END is there once, in one piece each.
 */
int nr_memfs_write(struct nr_memfs_context *context, uint64_t ino, uint64_t off,
		   const void *buf, size_t len);

/** nr_memfs_truncate - make a file shorter, or longer by zeros; as
 * nr_files_truncate() */
int nr_memfs_truncate(struct nr_memfs_context *context, uint64_t ino,
		      uint64_t size);

/** nr_memfs_rename - another name, as nr_files_rename() */
int nr_memfs_rename(struct nr_memfs_context *context, uint64_t dir,
		    const char *path, uint64_t todir, const char *topath);

/** nr_memfs_link - one more name for a file, as nr_files_link() */
int nr_memfs_link(struct nr_memfs_context *context, uint64_t ino, uint64_t dir,
		  const char *path);

/** nr_memfs_unlink - remove a name of a file, as nr_files_unlink() */
int nr_memfs_unlink(struct nr_memfs_context *context, uint64_t dir,
		    const char *path);

/** nr_memfs_rmdir - remove an empty directory, as nr_files_rmdir() */
int nr_memfs_rmdir(struct nr_memfs_context *context, uint64_t dir,
		   const char *path);

/**
 * nr_memfs_list - look at the entries of a directory, as they are at one moment
 *
 * Arguments and return are as for nr_files_list(). @fn runs on the local
 * replica, whose updates wait for it; it must not call anything for the same
 * file system, and what it is given is readable only meanwhile.
 */
int nr_memfs_list(struct nr_memfs_context *context, uint64_t ino,
		  const char *after,
		  int (*fn)(const struct nr_dirent *entry, void *arg),
		  void *arg);

/**
 * nr_memfs_replica_add - one replica more, as nr_replica_add()
 *
 * Return: its number; -EINVAL: no such place; -ENOMEM.
 */
int nr_memfs_replica_add(struct nr_memfs *fs, int place);

/** nr_memfs_replica_remove - one replica less, as nr_replica_remove() */
int nr_memfs_replica_remove(struct nr_memfs *fs, uint32_t replica);

/**
 * nr_memfs_nr - what it is made with: for nr_stats() and nr_topology_of()
 *
 * Replicas may not be added or removed with it, nor contexts registered.
 */
struct nr *nr_memfs_nr(struct nr_memfs *fs);

#ifdef __cplusplus
}
#endif

#endif /* NR_MEMFS_H */
